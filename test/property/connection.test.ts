import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { EnvironmentSignal } from '../../src/transport/environment.js'
import { createConnection } from '../machines/connection/create-connection.js'
import { ConnectionModel, type ModelPolicy, type Mood } from './connection-model.js'
import { Witnesses } from './witnesses.js'

// Odd numbers, so that two timers are rarely due at the same time.
const policy: ModelPolicy = {
  latencyMs: 3,
  connectTimeoutMs: 10_007,
  pingIntervalMs: 30_011,
  pongTimeoutMs: 10_037,
  settleMs: 10_069,
  lateTimerMs: 1_000,
  hurryIntervalMs: 1_013,
  spreadMs: 15_017,
  stepsMs: [1_009, 2_003, 4_001, 8_009, 16_001],
  maxAttempts: 6,
}

type Step =
  | { readonly do: 'connect' | 'disconnect' | 'reconnect' | 'drop' | 'mute' | 'unmute' }
  | { readonly do: 'signal'; readonly signal: EnvironmentSignal }
  | { readonly do: 'mood'; readonly mood: Mood }
  | { readonly do: 'close'; readonly closeCode: number }
  | { readonly do: 'advance' | 'jump'; readonly ms: number }
  /** To the time of the next event, or a millisecond before or after it. */
  | { readonly do: 'advanceToNext'; readonly plusMs: number }

const closeCode = fc.constantFrom(1000, 1006, 1008, 1011, 1011, 1012, 1013, 3500, 4000, 4401)
const accepts = fc.constant<Mood>({ mood: 'accepts' })
const mood = fc.oneof(
  accepts,
  accepts,
  accepts,
  fc.constant<Mood>({ mood: 'isUnreachable' }),
  fc.constant<Mood>({ mood: 'staysSilent' }),
  fc.constant<Mood>({ mood: 'refuses', closeCode: 1011 }),
  closeCode.map((closeCode): Mood => ({ mood: 'refuses', closeCode })),
  fc.constant<Mood>({ mood: 'rejects', status: 429, retryAfterMs: 45_007 }),
  fc.constantFrom<Mood[]>(
    { mood: 'rejects', status: 401 },
    { mood: 'rejects', status: 403 },
    { mood: 'rejects', status: 500 },
  ),
)
const signal = fc.constantFrom<EnvironmentSignal[]>(
  ...(['online', 'offline', 'visible', 'hidden', 'frozen', 'woke'] as const),
)
const shortly = fc.integer({ min: 1, max: 20 })
const later = fc.integer({ min: 1, max: 100_000 })
const besides = fc.integer({ min: -1, max: 1 })

function weigh<T>(...weighted: [weight: number, arbitrary: fc.Arbitrary<T>][]): fc.Arbitrary<T> {
  return fc.oneof(...weighted.map(([weight, arbitrary]) => ({ weight, arbitrary })))
}

const step = weigh<Step>(
  [3, fc.constant({ do: 'connect' })],
  [1, fc.constantFrom<Step[]>({ do: 'disconnect' }, { do: 'reconnect' })],
  [2, fc.constantFrom<Step[]>({ do: 'mute' }, { do: 'unmute' })],
  [2, fc.constant({ do: 'drop' })],
  [3, signal.map((signal) => ({ do: 'signal', signal }))],
  [4, mood.map((mood) => ({ do: 'mood', mood }))],
  [3, closeCode.map((closeCode) => ({ do: 'close', closeCode }))],
  [5, fc.oneof(shortly, later).map((ms) => ({ do: 'advance', ms }))],
  [8, besides.map((plusMs) => ({ do: 'advanceToNext', plusMs }))],
  [2, fc.integer({ min: 1, max: 600_000 }).map((ms) => ({ do: 'jump', ms }))],
)

function play(steps: readonly Step[]) {
  const model = new ConnectionModel(policy)
  const { stepsMs, maxAttempts } = policy
  const connection = createConnection({
    latencyMs: policy.latencyMs,
    random: () => 0.5,
    policy: {
      ...policy,
      restartSpreadMs: 2 * policy.spreadMs,
      backoff: { stepsMs, maxAttempts, jitter: 'none' },
    },
  })
  const { clock, peer, network, send, signals, status, actor, liveSockets } = connection
  const epochAtZero = clock.epoch()

  function advance(ms: number): void {
    model.advance(ms)
    clock.advance(ms)
  }

  function apply(step: Step): void {
    const newest = network.sockets.at(-1)
    switch (step.do) {
      case 'connect':
      case 'disconnect':
      case 'reconnect':
        model[step.do]()
        send(step.do)
        break
      case 'signal':
        model.signal(step.signal)
        signals.signal(step.signal)
        break
      case 'mood':
        model.setMood(step.mood)
        setMood(peer, step.mood)
        break
      case 'mute':
      case 'unmute':
        model.setAnswersPings(step.do === 'unmute')
        if (step.do === 'mute') peer.ignoresPings()
        else peer.answersPings()
        break
      case 'drop':
        model.peerDrops()
        if (newest?.isOpen === true) newest.drops()
        break
      case 'close':
        model.peerCloses(step.closeCode)
        if (newest?.isOpen === true) newest.closes(step.closeCode)
        break
      case 'advanceToNext': {
        const ms = Math.max(0, model.untilNext() + step.plusMs)
        if (ms < Number.POSITIVE_INFINITY) advance(ms)
        break
      }
      case 'jump':
        while (model.isAnythingOnTheWire()) advance(1)
        model.jump(step.ms)
        clock.jump(step.ms)
        break
      case 'advance':
        advance(step.ms)
        break
      default:
        step satisfies never
    }
  }

  function view(): ReturnType<typeof model.view> {
    const shown = status()
    const others = { attempt: undefined, retryAt: undefined, error: undefined }
    const base = { ...others, liveSockets: liveSockets() }
    if (shown.state === 'failed') return { ...base, state: 'failed', error: shown.error.code }
    if (shown.state !== 'reconnecting') return { ...base, state: shown.state }
    const { attempt, retryAt } = shown
    if (retryAt === null) return { ...base, state: 'attempting', attempt }
    return { ...base, state: 'waiting', attempt, retryAt: retryAt - epochAtZero }
  }

  for (const step of steps) {
    apply(step)
    fc.pre(!model.isAmbiguous())
    const expected = model.view()
    expect({ after: step, ...view() }).toEqual({ after: step, ...expected })
    expect([connection.attemptTimes().length, connection.pings.length]).toEqual([
      model.attempts.length,
      model.pings.length,
    ])
    const isHeard = expected.state !== 'disconnected' && expected.state !== 'failed'
    expect(signals.watchers).toBe(isHeard ? 1 : 0)
  }
  expect(connection.attemptTimes()).toEqual(model.attempts)
  expect(connection.pings).toEqual(model.pings)
  actor.stop()
  clock.advance(2_100)
  expect(clock.pending.count).toBe(0)
  expect(network.sockets.every(({ state }) => state === 'closed')).toBe(true)
  expect(connection.errors).toEqual([])
  return model.seen
}

function setMood(peer: ReturnType<typeof createConnection>['peer'], mood: Mood): void {
  switch (mood.mood) {
    case 'refuses':
      peer.refuses(mood.closeCode)
      break
    case 'rejects':
      peer.rejects(mood)
      break
    default:
      peer[mood.mood]()
  }
}

/** The least that must have happened over all runs; usually it is far more. */
const atLeast = {
  reconnects: 300,
  hurried: 40,
  hurriedBySignal: 15,
  heldBack: 1,
  pongTimeouts: 40,
  connectTimeouts: 60,
  lateTimers: 3,
  probes: 25,
  settles: 150,
  exhausted: 30,
  refusals: 20,
  serverErrors: 1,
  spreads: 6,
  failed: 80,
  old: 60,
}

describe('a connection under any events', () => {
  it('[CONN-15] [CONN-9] [BACK-2] [LIVE-1] does what an independent model says, at the same times', {
    timeout: 60_000,
  }, () => {
    const witnesses = new Witnesses()
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 120, size: 'max' }), (steps) =>
        witnesses.add(play(steps)),
      ),
      { numRuns: 300 },
    )
    witnesses.expectAtLeast(atLeast)
  })
})
