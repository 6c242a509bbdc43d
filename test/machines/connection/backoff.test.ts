import { describe, expect, it } from 'vitest'
import { standardBackoff } from '../../../src/machines/backoff.js'
import type { ConnectionStatus } from '../../../src/machines/connection/status.js'
import { createConnection } from './create-connection.js'

const SECOND = 1_000
/** When attempts are made, in seconds after the drop, where each fails at once. */
const LADDER = [1, 3, 7, 15, 31, 63, 123, 183, 243, 303]

/** Connects to a peer that fails every attempt, and expects all attempts at the ladder's times. */
function climbLadder(script: (connection: ReturnType<typeof createConnection>) => void) {
  const connection = createConnection()
  script(connection)
  connection.send('connect')
  connection.clock.advance(303 * SECOND)
  expect(connection.attemptTimes()).toEqual([0, ...LADDER.map((s) => s * SECOND)])
  const exhausted = { state: 'failed', error: { code: 'attempts-exhausted' } }
  expect(connection.status()).toMatchObject(exhausted)
  return connection
}

type Reconnecting = Extract<ConnectionStatus, { state: 'reconnecting' }>

function reconnecting(log: readonly { at: number; status: ConnectionStatus }[]) {
  return log.flatMap(({ at, status }) =>
    status.state === 'reconnecting' ? [{ at, ...(status satisfies Reconnecting) }] : [],
  )
}

describe('the ladder of kull', () => {
  it('[BACK-1] is exact to the millisecond, then failed, with nothing pending', () => {
    const { clock, peer, open, attemptTimes, status, log, network } = createConnection()
    open()
    clock.advance(20_000)
    const droppedAt = clock.now()
    peer.isUnreachable()
    peer.drops()
    clock.advance(302_999)
    expect(status()).toMatchObject({ state: 'reconnecting', attempt: 10, maxAttempts: 10 })
    expect(network.attempts).toHaveLength(10)
    clock.advance(1)
    expect(attemptTimes().slice(1)).toEqual(LADDER.map((s) => droppedAt + s * SECOND))
    expect(status()).toMatchObject({
      state: 'failed',
      error: {
        code: 'attempts-exhausted',
        message: 'Max reconnection attempts reached.',
        cause: { code: 'network', systemCode: 'ECONNREFUSED' },
      },
    })
    expect(log.at(-1)?.at).toBe(droppedAt + 303 * SECOND)
    expect(clock.pending.count).toBe(0)
    clock.advance(3_600_000)
    expect(network.attempts).toHaveLength(11)
  })

  it('[CONN-8] is shown by the status: number, maximum, time of the next, cause', () => {
    const { clock, peer, open, log } = createConnection()
    open()
    peer.isUnreachable()
    peer.drops()
    clock.advance(303 * SECOND)
    const shown = reconnecting(log)
    const droppedAtEpoch = clock.epoch() - clock.now()
    const expected = LADDER.flatMap((seconds, at) => {
      const attempt = { state: 'reconnecting', attempt: at + 1, maxAttempts: 10 }
      const cause = expect.objectContaining({ code: at === 0 ? 'closed' : 'network' }) as unknown
      const since = (LADDER[at - 1] ?? 0) * SECOND
      return [
        { at: since, ...attempt, retryAt: droppedAtEpoch + seconds * SECOND, cause },
        { at: seconds * SECOND, ...attempt, retryAt: null, cause },
      ]
    })
    expect(shown).toEqual(expected)
  })

  it('[CONN-7] [BACK-1] holds for the first connection, too', () => {
    const { clock, states } = climbLadder(({ peer }) => peer.isUnreachable())
    expect(states().slice(0, 3)).toEqual(['disconnected', 'connecting', 'reconnecting'])
    expect(clock.pending.count).toBe(0)
  })

  it('[BACK-2] counts each step from the failure of the attempt before', () => {
    const { clock, peer, send, attemptTimes, status } = createConnection()
    const takesMs = [0, 1, 2_500, 9_999, 300, 0, 7_000, 4, 9_000, 1_234, 5_000]
    peer.plays((socket) => {
      clock.setTimeout(() => socket.isUnreachable(), takesMs[socket.attempt - 1] ?? 0)
    })
    send('connect')
    clock.advance(400 * SECOND)
    const steps = [1, 2, 4, 8, 16, 32, 60, 60, 60, 60].map((s) => s * SECOND)
    let at = 0
    const expected = [0]
    for (const [index, step] of steps.entries()) {
      at += (takesMs[index] ?? 0) + step
      expected.push(at)
    }
    expect(attemptTimes()).toEqual(expected)
    expect(status().state).toBe('failed')
  })

  it('[BACK-2] [CONN-2] counts from the connect bound where attempts hang', () => {
    const { clock, peer, send, attemptTimes, status, network } = createConnection()
    peer.staysSilent()
    send('connect')
    clock.advance(9_999)
    expect(status().state).toBe('connecting')
    clock.advance(1)
    expect(status()).toMatchObject({
      state: 'reconnecting',
      attempt: 1,
      cause: { code: 'connect-timeout', afterMs: 10_000 },
    })
    expect(network.sockets[0]?.state).not.toBe('connecting')
    clock.advance(500 * SECOND)
    const expected = LADDER.map((s, at) => (s + 10 * (at + 1)) * SECOND)
    expect(attemptTimes()).toEqual([0, ...expected])
    expect(status()).toMatchObject({
      state: 'failed',
      error: { code: 'attempts-exhausted', cause: { code: 'connect-timeout' } },
    })
    expect(clock.pending.count).toBe(0)
  })

  it('[BACK-2] counts a connection that was up for a moment as a failed attempt', () => {
    const { clock, peer, send, attemptTimes } = createConnection()
    peer.accepts((socket) => void clock.setTimeout(() => socket.drops(), 4_000))
    send('connect')
    clock.advance(400 * SECOND)
    expect(attemptTimes()).toEqual([0, ...LADDER.map((s, at) => (s + 4 * (at + 1)) * SECOND)])
  })
})

describe('attempts are counted', () => {
  /** Reaches attempt 5, which opens; 3 s later, `holdsMs` after that, the connection drops. */
  function dropAfter(holdsMs: number) {
    const connection = createConnection()
    const { clock, peer, open } = connection
    open()
    peer.isUnreachable()
    peer.drops()
    clock.advance(30 * SECOND)
    peer.accepts()
    clock.advance(SECOND)
    expect(connection.state()).toBe('connected')
    expect(connection.attemptTimes()).toHaveLength(6)
    clock.advance(holdsMs)
    peer.isUnreachable()
    peer.drops()
    return connection
  }

  it('[CONN-11] afresh once a connection has lasted 10 s, to the millisecond', () => {
    expect(dropAfter(9_999).status()).toMatchObject({ attempt: 6 })
    const { clock, status, attemptTimes } = dropAfter(10_000)
    expect(status()).toMatchObject({ attempt: 1, retryAt: clock.epoch() + SECOND })
    clock.advance(303 * SECOND)
    expect(attemptTimes()).toHaveLength(6 + 10)
    expect(status().state).toBe('failed')
  })

  it('[CONN-11] on, where a server accepts and drops at once', () => {
    for (const flap of ['drops', 'closes'] as const) {
      const { states } = climbLadder(({ clock, peer }) =>
        peer.accepts((socket) => void clock.setTimeout(() => socket[flap](), 0)),
      )
      expect(states().filter((state) => state === 'connected').length).toBe(11)
    }
  })

  it('[CONN-11] on, over any time that is spent apart', () => {
    const { clock, peer, open, status } = createConnection()
    open()
    peer.isUnreachable()
    peer.drops()
    clock.advance(60 * SECOND)
    expect(status()).toMatchObject({ attempt: 6 })
  })

  it('[CALL-15] [CALL-24] [CALL-25] afresh after connect() from failed, and after reconnect()', () => {
    for (const from of ['failed', 'reconnecting'] as const) {
      for (const call of ['connect', 'reconnect'] as const) {
        if (from === 'reconnecting' && call === 'connect') continue
        const { clock, peer, open, send, state, status, attemptTimes } = createConnection()
        open()
        peer.isUnreachable()
        peer.drops()
        clock.advance((from === 'failed' ? 303 : 100) * SECOND)
        expect(state()).toBe(from)
        const at = clock.now()
        const before = attemptTimes().length
        send(call)
        expect(state()).toBe('connecting')
        clock.advance(3 * SECOND)
        expect(attemptTimes().slice(before)).toEqual([at, at + SECOND, at + 3 * SECOND])
        expect(status()).toMatchObject({ attempt: 3 })
      }
    }
  })

  it('[BACK-8] not at all with maxAttempts 0: the first failure is final', () => {
    const backoff = { stepsMs: [SECOND], jitter: 'none', maxAttempts: 0 } as const
    const { clock, peer, open, status, attemptTimes } = createConnection({ policy: { backoff } })
    open()
    peer.drops()
    expect(status()).toMatchObject({ state: 'failed', error: { code: 'attempts-exhausted' } })
    clock.advance(1_000 * SECOND)
    expect(attemptTimes()).toEqual([0])
  })
})

describe("the library's own backoff", () => {
  it('[BACK-3] is full jitter under the ladder', () => {
    for (const drawn of [0, 0.5, 0.999]) {
      const { clock, peer, send, attemptTimes } = createConnection({
        policy: { backoff: standardBackoff },
        random: () => drawn,
      })
      peer.plays((socket) => {
        clock.setTimeout(() => socket.isUnreachable(), SECOND)
      })
      send('connect')
      clock.advance(1_000 * SECOND)
      const waits = attemptTimes().map((at, index, times) => at - (times[index - 1] ?? 0) - SECOND)
      const steps = [1, 2, 4, 8, 16, 32, 60, 60, 60].map((s) => s * SECOND * drawn)
      for (const [index, wait] of waits.slice(1, 10).entries()) {
        expect(wait).toBeCloseTo(steps[index] ?? Number.NaN, 6)
      }
    }
  })

  it('[BACK-3] draws anew for each attempt', () => {
    const draws = [0.9, 0.1, 0.5]
    const { clock, peer, send, attemptTimes } = createConnection({
      policy: { backoff: standardBackoff },
      random: () => draws.shift() ?? 0.5,
    })
    peer.isUnreachable()
    send('connect')
    clock.advance(3_200)
    expect(attemptTimes()).toEqual([0, 900, 900 + 200, 900 + 200 + 2_000])
  })

  it('[BACK-3] has no end', () => {
    const { clock, peer, send, network, status } = createConnection({
      policy: { backoff: standardBackoff },
      random: () => 0.999,
    })
    peer.isUnreachable()
    send('connect')
    clock.advance(24 * 3_600 * SECOND)
    expect(network.attempts.length).toBeGreaterThan(1_400)
    expect(status()).toMatchObject({
      state: 'reconnecting',
      maxAttempts: Number.POSITIVE_INFINITY,
      attempt: network.attempts.length,
    })
  })
})

describe('hurrying', () => {
  /** Waits for attempt 4, 8 s long, at time 7 s. */
  function createWaiting(setup: Parameters<typeof createConnection>[0] = {}) {
    const connection = createConnection(setup)
    const { clock, peer, send } = connection
    peer.isUnreachable()
    send('connect')
    clock.advance(7 * SECOND)
    expect(connection.status()).toMatchObject({ attempt: 4, retryAt: clock.epoch() + 8 * SECOND })
    return connection
  }

  it('[BACK-6] [CALL-14] makes the attempt at once, and does not advance the ladder', () => {
    const { clock, send, status, attemptTimes } = createWaiting()
    clock.advance(3_000)
    send('connect')
    clock.advance(0)
    expect(attemptTimes().at(-1)).toBe(10_000)
    // The wait of the same attempt starts anew, whole.
    expect(status()).toMatchObject({ attempt: 4, retryAt: clock.epoch() + 8 * SECOND })
    clock.advance(8 * SECOND)
    expect(attemptTimes().at(-1)).toBe(18_000)
    expect(status()).toMatchObject({ attempt: 5, retryAt: clock.epoch() + 16 * SECOND })
  })

  it('[BACK-6] is done once a second at most, whoever asks, and then at the full second', () => {
    const { clock, send, signals, attemptTimes, status } = createWaiting()
    for (let ms = 0; ms < 2_500; ms += 100) {
      if (ms % 300 === 0) send('connect')
      else signals.signal('online')
      clock.advance(100)
    }
    expect(attemptTimes().slice(4)).toEqual([7_000, 8_000, 9_000])
    expect(status()).toMatchObject({ attempt: 4, retryAt: clock.epoch() + 500 })
    clock.advance(500)
    expect(attemptTimes().slice(4)).toEqual([7_000, 8_000, 9_000, 10_000])
    expect(status()).toMatchObject({ attempt: 4, retryAt: clock.epoch() + 8 * SECOND })
  })

  it('[BACK-6] keeps its distance by hurryIntervalMs', () => {
    const { clock, send, attemptTimes } = createWaiting({ policy: { hurryIntervalMs: 2_500 } })
    send('connect')
    clock.advance(100)
    send('connect')
    clock.advance(2_399)
    expect(attemptTimes().slice(4)).toEqual([7_000])
    clock.advance(1)
    expect(attemptTimes().slice(4)).toEqual([7_000, 9_500])
  })

  it('[BACK-6] never puts an attempt off', () => {
    const { clock, send, signals, attemptTimes } = createWaiting({
      policy: { hurryIntervalMs: 60_000 },
    })
    send('connect')
    clock.advance(5_000)
    send('connect')
    signals.signal('woke')
    clock.advance(3_000)
    expect(attemptTimes().slice(4)).toEqual([7_000, 15_000])
  })

  it('[BACK-6] [SIG-4] waits for no timer, which a hidden tab would hold back', () => {
    for (const dueInMs of [60_000, 100]) {
      const { clock, peer, open, signals, attemptTimes } = createConnection({
        policy: { backoff: { stepsMs: [dueInMs], jitter: 'none', maxAttempts: 9 } },
      })
      open()
      clock.throttle(60_000)
      clock.advance(20_000)
      peer.drops()
      // In the second round the attempt is overdue by now.
      clock.advance(10_000)
      expect(attemptTimes()).toEqual([0])
      signals.signal('online')
      expect(attemptTimes()).toEqual([0, 30_000])
    }
  })

  it('[BACK-6] [CALL-14] shows the attempt that is being made at once', () => {
    const { send, status } = createWaiting()
    send('connect')
    expect(status()).toMatchObject({ state: 'reconnecting', attempt: 4, retryAt: null })
  })

  it('[BACK-6] is nothing where the attempt is due anyway: the ladder advances', () => {
    const backoff = { stepsMs: [0], jitter: 'none', maxAttempts: 3 } as const
    const { clock, network, peer, send, status, attemptTimes } = createConnection({
      policy: { backoff },
    })
    peer.staysSilent()
    send('connect')
    for (let attempt = 1; attempt <= 3; attempt += 1) {
      clock.advance(10)
      network.sockets.at(-1)?.isUnreachable()
      expect(status()).toMatchObject({ attempt, retryAt: clock.epoch() })
      send('connect')
      clock.advance(0)
    }
    network.sockets.at(-1)?.isUnreachable()
    expect(attemptTimes()).toEqual([0, 10, 20, 30])
    expect(status()).toMatchObject({ state: 'failed', error: { code: 'attempts-exhausted' } })
  })

  it('[BACK-6] that succeeds leaves the count where it was', () => {
    const { clock, peer, send, state, status } = createWaiting()
    peer.accepts()
    send('connect')
    clock.advance(0)
    expect(state()).toBe('connected')
    clock.advance(5_000)
    peer.drops()
    expect(status()).toMatchObject({ attempt: 5 })
  })

  it('[BACK-6] starts afresh with the wait: one hurried attempt says nothing of the next', () => {
    const { clock, send, status } = createWaiting()
    send('connect')
    clock.advance(8 * SECOND)
    expect(status()).toMatchObject({ attempt: 5 })
    clock.advance(16 * SECOND)
    expect(status()).toMatchObject({ attempt: 6 })
  })

  it('[CALL-19] is forgotten with the connection', () => {
    const { clock, send, status } = createWaiting()
    send('connect')
    send('disconnect')
    send('connect')
    clock.advance(0)
    expect(status()).toMatchObject({ attempt: 1 })
    clock.advance(SECOND)
    expect(status()).toMatchObject({ attempt: 2 })
  })

  it('[BACK-7] by a signal does not go below what the server asked for; connect() does', () => {
    const { clock, peer, signals, send, attemptTimes, status } = createConnection()
    send('connect')
    clock.advance(20_000)
    peer.closes(1013)
    clock.advance(5_000)
    for (const signal of ['online', 'visible', 'woke'] as const) signals.signal(signal)
    expect(status()).toMatchObject({ attempt: 1, retryAt: clock.epoch() + 25_000 })
    clock.advance(24_999)
    expect(attemptTimes()).toEqual([0])
    clock.advance(1)
    expect(attemptTimes()).toEqual([0, 50_000])
    peer.closes(4429)
    clock.advance(2_000)
    send('connect')
    clock.advance(0)
    expect(attemptTimes()).toEqual([0, 50_000, 52_000])
  })

  it('[BACK-7] by a signal brings a longer step forward to what the server asked for', () => {
    const { clock, peer, signals, send, attemptTimes, status } = createConnection()
    peer.isUnreachable()
    send('connect')
    clock.advance(63_000)
    peer.rejects({ status: 503, retryAfterMs: 40_000 })
    clock.advance(60_000)
    expect(status()).toMatchObject({ attempt: 8, retryAt: clock.epoch() + 60_000 })
    clock.advance(1_000)
    signals.signal('online')
    expect(status()).toMatchObject({ attempt: 8, retryAt: clock.epoch() + 39_000 })
    signals.signal('visible')
    expect(status()).toMatchObject({ attempt: 8, retryAt: clock.epoch() + 39_000 })
    clock.advance(39_000)
    expect(attemptTimes().at(-1)).toBe(123_000 + 40_000)
    expect(status()).toMatchObject({ attempt: 8 })
  })
})
