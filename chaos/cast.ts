import { join } from 'node:path'
import type { ClientPlan, ServerPlan } from './reports.js'

/** A client: what each of its processes is started with, without the address and the run. */
export interface Role extends Omit<ClientPlan, 'url' | 'run'> {
  /** Whether it is never killed or stopped, so that its count of heard messages is complete. */
  readonly stays: boolean
}

/** The server and all clients. */
export interface Cast {
  readonly roles: readonly Role[]
  readonly server: ServerPlan
}

/** Options of {@link createCast}. */
export interface CastOptions {
  readonly messages: number
  /** How long it takes to send all messages without faults. */
  readonly seconds: number
  readonly directory: string
}

// The share of each in all messages: half of them go from clients to the server, half back.
const shares = { adaServer: 0.25, bobServer: 0.25, ada: 0.16, left: 0.08, right: 0.08, bob: 0.18 }

/**
 * Makes the parts of two users. Ada has a device that is never hurt, one that only receives, one that
 * sends, and one whose outbox two processes share. Bob has one that is never hurt and one that sends.
 */
export function createCast({ messages, seconds, directory }: CastOptions): Cast {
  const say = (share: number) => ({
    count: Math.max(1, Math.round(messages * share)),
    rate: (messages * share) / seconds,
  })
  const leaseMs = 2_000
  const watcher = { count: 0, rate: 0, directory: '', leaseMs }
  const sender = (name: keyof typeof shares, outbox: string) => ({
    ...{ name, leaseMs, stays: false },
    ...say(shares[name]),
    directory: join(directory, outbox),
  })
  return {
    roles: [
      { name: 'ada-stays', user: 'ada', device: 'desk', stays: true, ...watcher },
      { name: 'ada-roams', user: 'ada', device: 'phone', stays: false, ...watcher },
      { user: 'ada', device: 'camera', ...sender('ada', 'outbox-ada') },
      { user: 'ada', device: 'studio', ...sender('left', 'outbox-shared') },
      { user: 'ada', device: 'studio', ...sender('right', 'outbox-shared') },
      { name: 'bob-stays', user: 'bob', device: 'desk', stays: true, ...watcher },
      { user: 'bob', device: 'camera', ...sender('bob', 'outbox-bob') },
    ],
    server: {
      directory: join(directory, 'log'),
      broadcasts: { ada: say(shares.adaServer), bob: say(shares.bobServer) },
      // So few that a client that was stopped for some seconds needs a snapshot of the state.
      maxEntries: Math.max(200, Math.round((messages / seconds) * 2)),
      leaseMs: 500,
    },
  }
}
