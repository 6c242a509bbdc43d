import { createActor } from 'xstate'
import { createSessionMachine } from '../../../src/machines/session/machine.js'
import type {
  ApiFailure,
  ClearScope,
  Grant,
  LinkOffer,
  SessionPorts,
} from '../../../src/machines/session/ports.js'
import { createManualClock } from '../../../src/testing/clock.js'

type PortName = keyof SessionPorts

/** A call of a port that waits for its answer. */
interface Call {
  readonly name: PortName
  readonly argument?: unknown
  readonly signal?: AbortSignal
  readonly answer: (outcome: unknown) => void
}

export const network: ApiFailure = { code: 'network', message: 'The server cannot be reached.' }
export const limited: ApiFailure = { code: 'rate-limited', message: 'Wait.', retryAfterMs: 30_000 }
export const forbidden: ApiFailure = { code: 'refused', status: 403, message: 'No.' }

/** A session machine on the real actor, whose ports answer when the test says so. */
export function createScriptedSession({
  random = () => 0,
}: {
  readonly random?: () => number
} = {}) {
  const clock = createManualClock()
  const calls: Call[] = []
  /** Every call ever made, in order. */
  const log: string[] = []

  function wait<T>(name: PortName, signal?: AbortSignal, argument?: unknown): Promise<T> {
    log.push(argument === undefined ? name : `${name} ${JSON.stringify(argument)}`)
    return new Promise<T>((resolve) => {
      calls.push({
        name,
        argument,
        ...(signal !== undefined && { signal }),
        answer: resolve as (outcome: unknown) => void,
      })
    })
  }

  const ports: SessionPorts = {
    restore: (signal) => wait('restore', signal),
    requestLink: (signal) => wait('requestLink', signal),
    checkLink: (code, signal) => wait('checkLink', signal, code),
    adopt: (signal) => wait('adopt', signal),
    renew: (signal) => wait('renew', signal),
    clear: (scope: ClearScope) => wait('clear', undefined, scope),
    revoke: (signal) => wait('revoke', signal),
    startSync: () => {
      log.push('startSync')
    },
    stopSync: () => {
      log.push('stopSync')
    },
  }
  const input = { ports, clock, random }
  const actor = createActor(createSessionMachine(), { clock, input })
  let generation = 0

  return {
    actor,
    clock,
    ports,
    log,
    /** Lets everything that is due at this instant happen. */
    settle: () => clock.advanceAsync(0),
    /** Answers the oldest call of a port that waits, and lets what follows happen. */
    async answer(name: PortName, outcome?: unknown) {
      const at = calls.findIndex((call) => call.name === name)
      if (at < 0) throw new Error(`nobody waits for ${name}`)
      calls.splice(at, 1)[0]?.answer(outcome)
      await clock.advanceAsync(0)
    },
    /** The call of a port that waits. */
    waiting: (name: PortName) => calls.find((call) => call.name === name),
    grant(over: Partial<Grant> = {}): Grant {
      generation += 1
      return {
        generation,
        user: { id: 'u1', email: 'ada@example.com' },
        obtainedAt: clock.now(),
        expiresAt: clock.now() + 3_600_000,
        ...over,
      }
    },
    offer(lastsMs = 600_000): LinkOffer {
      return {
        code: 'ABC123',
        verificationUrl: 'https://example.com/link',
        expiresAt: clock.epoch() + lastsMs,
        endsAt: clock.now() + lastsMs,
      }
    },
    /** The machine's state, as one word per level. */
    state(): string {
      return describe(actor.getSnapshot().value)
    },
  }
}

export type ScriptedSession = ReturnType<typeof createScriptedSession>

function describe(value: unknown): string {
  if (typeof value === 'string') return value
  return Object.entries(value as Record<string, unknown>)
    .map(([name, inner]) => `${name}.${describe(inner)}`)
    .join(' ')
}
