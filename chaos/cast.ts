import { join } from 'node:path'
import type { ClientPlan, ServerPlan } from './reports.js'

/** Who takes part: what each client process is started with, but for its address and run. */
export interface Role extends Omit<ClientPlan, 'url' | 'run'> {
  /** It is never killed nor stopped, so that what its handlers heard can be counted. */
  readonly stays: boolean
}

/** Everybody who takes part. */
export interface Cast {
  readonly roles: readonly Role[]
  readonly server: ServerPlan
}

/** How much happens. */
export interface CastOptions {
  readonly messages: number
  /** Over how long messages are sent, where nothing gets in the way. */
  readonly seconds: number
  readonly directory: string
}

// The share of each in all messages: half of them go from clients to the server, half back.
const shares = { adaServer: 0.25, bobServer: 0.25, ada: 0.16, left: 0.08, right: 0.08, bob: 0.18 }

/**
 * Two users. Ada has a device that stays, one that comes and goes, one that sends, and one whose
 * outbox two processes share. Bob has one that stays and one that sends.
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
      // So few that who is stopped for some seconds misses some for good, and is given the state.
      maxEntries: Math.max(200, Math.round((messages / seconds) * 2)),
      maxJournalBytes: 2 ** 18,
    },
  }
}
