import { describe, expect, it } from 'vitest'
import * as z from 'zod'
import { kull } from '../../../src/kull/protocol.js'
import type { CloseVerdict } from '../../../src/schemas/policy.js'
import type { AttemptInfo } from '../../../src/transport/target.js'
import { expectedVerdict } from '../../transport/close-code-table.js'
import { createConnection } from './create-connection.js'

/** A connection whose providers write down what they were told. */
function createTold(setup: Parameters<typeof createConnection>[0] = {}) {
  const told: { attempt: number; refused: boolean }[] = []
  const connection = createConnection({
    rule: { schema: z.object({ token: z.string() }), apply: () => undefined },
    credentials: ({ attempt, refused }: AttemptInfo) => {
      told.push({ attempt, refused })
      return { token: 'canary' }
    },
    ...setup,
  })
  return { ...connection, told, refusals: () => told.map(({ refused }) => refused) }
}

describe('a close by the peer', () => {
  it('[CODE-1] [CODE-3] [CODE-4] [CODE-5] [CODE-6] [CODE-9] leads where the table says, from 1000 to 4999', () => {
    const seen = { failed: 0, reconnecting: 0 }
    const { clock, peer, open, send, status } = createConnection()
    for (let code = 1_000; code <= 4_999; code += 1) {
      send('disconnect')
      open()
      clock.advance(100)
      peer.closes(code, 'for a reason')
      const cause = { code: 'closed', closeCode: code, reason: 'for a reason' }
      const verdict = expectedVerdict(code)
      if (verdict.next === 'fail') {
        expect(status()).toMatchObject({ state: 'failed', error: { code: verdict.why, cause } })
        expect(clock.pending.count).toBe(0)
        seen.failed += 1
      } else {
        const { minWaitMs = 0, spread = false } = verdict.next === 'retry' ? verdict : {}
        const waitMs = Math.max(1_000, minWaitMs) + (spread ? 15_000 : 0)
        const retryAt = clock.epoch() + waitMs
        expect(status()).toMatchObject({ state: 'reconnecting', attempt: 1, retryAt, cause })
        seen.reconnecting += 1
      }
    }
    expect(seen).toEqual({ failed: 1_006, reconnecting: 2_994 })
  })

  it('[CODE-1] by the network, without a handshake, is a 1006', () => {
    const { peer, open, status } = createConnection()
    open()
    peer.drops()
    expect(status()).toMatchObject({ state: 'reconnecting', cause: { closeCode: 1006 } })
  })

  it('[CODE-10] means for a protocol what its table says', () => {
    const { closeCodes } = kull
    if (closeCodes === undefined) throw new Error('kull has no table')
    for (const code of [4001, 4002]) {
      const { peer, open, status } = createConnection({ closeCodes })
      peer.refuses(code, 'No token provided')
      open()
      expect(status()).toMatchObject({ state: 'failed', error: { code: 'policy' } })
    }
    const { peer, open, state } = createConnection({ closeCodes })
    open()
    peer.closes(4003)
    expect(state()).toBe('reconnecting')
  })

  it('[CODE-10] may be final for want of rights at once, and then says so', () => {
    const { peer, open, status } = createConnection({
      closeCodes: () => ({ next: 'fail', why: 'auth' }),
    })
    open()
    peer.closes(4000)
    expect(status()).toMatchObject({ state: 'failed', error: { code: 'credentials-refused' } })
    expect(JSON.stringify(status())).not.toContain('twice')
  })

  it('[CODE-10] survives a table that throws, or that gives numbers which are none', () => {
    const tables: (() => CloseVerdict)[] = [
      () => {
        throw new Error('no such code')
      },
      () => ({ next: 'retry', minWaitMs: Number.NaN }),
      () => ({ next: 'retry', minWaitMs: -5 }),
      () => ({ next: 'retry', minWaitMs: Number.NEGATIVE_INFINITY, inARow: Number.NaN }),
    ]
    for (const closeCodes of tables) {
      const { clock, peer, open, states, attemptTimes } = createConnection({ closeCodes })
      open()
      peer.closes(4000)
      clock.advance(1_000)
      expect(states().slice(-2)).toEqual(['reconnecting', 'connected'])
      expect(attemptTimes()).toEqual([0, 1_000])
    }
    const { clock, peer, open, status } = createConnection({
      closeCodes: () => ({ next: 'retry', minWaitMs: Number.POSITIVE_INFINITY, spread: true }),
    })
    open()
    peer.closes(4000)
    const longestMs = 2 ** 31 - 1
    expect(clock.pending.deadlines).toEqual([longestMs])
    expect(status()).toMatchObject({ retryAt: clock.epoch() + longestMs })
  })

  it('[CODE-10] [CODE-3] may ask for a wait and a spread over it', () => {
    const { clock, peer, open, attemptTimes } = createConnection({
      closeCodes: () => ({ next: 'retry', minWaitMs: 20_000, spread: true }),
      random: () => 0.1,
    })
    open()
    peer.closes(4000)
    clock.advance(60_000)
    expect(attemptTimes()).toEqual([0, 20_000 + 3_000])
  })

  it('[CODE-11] is never read by its reason', () => {
    const reasons = ['4401', 'unauthorized', 'Invalid token', '{"code":1008}', 'retry-after: 99']
    for (const reason of reasons) {
      const { clock, peer, open, status } = createConnection()
      open()
      peer.closes(4000, reason)
      expect(status()).toMatchObject({ retryAt: clock.epoch() + 1_000, cause: { reason } })
      expect((status() as { cause: { message: string } }).cause.message).not.toContain(reason)
    }
  })
})

describe('a server in trouble', () => {
  it('[CODE-2] may close with 1011 five times in a row; the sixth is final', () => {
    const { clock, peer, send, status, attemptTimes } = createConnection()
    peer.refuses(1011)
    send('connect')
    clock.advance(1_000_000)
    expect(attemptTimes()).toEqual([0, 1_000, 3_000, 7_000, 15_000, 31_000])
    expect(status()).toMatchObject({
      state: 'failed',
      error: { code: 'server-error', cause: { code: 'closed', closeCode: 1011 } },
    })
    expect(clock.pending.count).toBe(0)
  })

  it('[CODE-2] counts afresh after another failure, after settling, and after connect()', () => {
    const { clock, peer, send, state, network } = createConnection()
    const refuse = (times: number) => {
      peer.refuses(1011)
      const before = network.attempts.length
      while (network.attempts.length < before + times) clock.advance(1_000)
    }
    send('connect')
    clock.advance(10_000)
    peer.closes(1011)
    refuse(4)
    expect(state()).toBe('reconnecting')
    // A failure of another kind in between.
    peer.onNextAttempt().isUnreachable()
    refuse(1 + 4)
    expect(state()).toBe('reconnecting')
    peer.accepts()
    clock.advance(60_000 + 10_000)
    expect(state()).toBe('connected')
    peer.closes(1011)
    refuse(4)
    expect(state()).toBe('reconnecting')
    refuse(1)
    expect(state()).toBe('failed')
    send('connect')
    clock.advance(0)
    expect(state()).toBe('reconnecting')
  })

  it('[CODE-2] counts no other code with it', () => {
    const { clock, peer, send, state } = createConnection()
    peer.refuses(1001)
    send('connect')
    clock.advance(31_000)
    peer.refuses(1011)
    clock.advance(32_000)
    expect(state()).toBe('reconnecting')
  })

  it('[CODE-3] spreads the first wait after 1012, and no other', () => {
    for (const random of [0, 0.25, 0.999]) {
      const { clock, peer, open, attemptTimes } = createConnection({ random: () => random })
      open()
      peer.refuses(1012)
      peer.closes(1012)
      const spreadMs = random * 30_000
      clock.advance(1_000 + spreadMs + 2_000 + 4_000)
      expect(attemptTimes()).toEqual([0, 1_000, 3_000, 7_000].map((at) => at && at + spreadMs))
    }
  })

  it('[CODE-3] spreads within restartSpreadMs', () => {
    const { clock, peer, open, attemptTimes } = createConnection({
      policy: { restartSpreadMs: 0 },
    })
    open()
    peer.closes(1012)
    clock.advance(1_000)
    expect(attemptTimes()).toEqual([0, 1_000])
  })

  it('[CODE-4] [BACK-5] is waited for 30 s after 1013 and 4429, longer where the step is', () => {
    for (const code of [1013, 4429]) {
      const { clock, peer, send, attemptTimes } = createConnection()
      peer.refuses(code)
      send('connect')
      clock.advance(30_000 * 5 + 32_000 + 60_000)
      const times = [0, 30_000, 60_000, 90_000, 120_000, 150_000, 182_000, 242_000]
      expect(attemptTimes()).toEqual(times)
    }
  })
})

describe('an HTTP answer to the upgrade', () => {
  it('[CODE-8] 403 is final', () => {
    const { clock, peer, open, status } = createConnection()
    peer.rejects({ status: 403 })
    open()
    expect(status()).toMatchObject({
      state: 'failed',
      error: { code: 'policy', cause: { code: 'upgrade-refused', status: 403 } },
    })
    expect(clock.pending.count).toBe(0)
  })

  it('[CODE-8] [BACK-5] any other waits the longer of the step and Retry-After', () => {
    const cases: readonly (readonly [retryAfterMs: number | undefined, waitMs: number])[] = [
      [undefined, 1_000],
      [0, 1_000],
      [999, 1_000],
      [1_001, 1_001],
      [120_000, 120_000],
      [900_000, 900_000],
      [86_400_000, 900_000],
      [Number.POSITIVE_INFINITY, 900_000],
      [Number.NaN, 1_000],
      [-1, 1_000],
    ]
    for (const [retryAfterMs, waitMs] of cases) {
      for (const status of [429, 500, 503, 302, 404]) {
        const { clock, peer, open, attemptTimes } = createConnection()
        peer.rejects(retryAfterMs === undefined ? { status } : { status, retryAfterMs })
        open()
        clock.advance(waitMs)
        expect(attemptTimes()).toEqual([0, waitMs])
      }
    }
  })
})

describe('refused credentials', () => {
  for (const [how, refuse] of [
    ['4401', (peer) => peer.refuses(4401)],
    ['HTTP 401', (peer) => peer.rejects({ status: 401 })],
  ] as const satisfies [string, (peer: ReturnType<typeof createConnection>['peer']) => void][]) {
    it(`[CODE-7] ${how}: fresh ones are asked for once, then it is final`, () => {
      const { clock, peer, send, status, told } = createTold()
      refuse(peer)
      send('connect')
      clock.advance(1_000_000)
      expect(told).toEqual([
        { attempt: 0, refused: false },
        { attempt: 1, refused: true },
      ])
      expect(status()).toMatchObject({ state: 'failed', error: { code: 'credentials-refused' } })
      expect(clock.pending.count).toBe(0)
    })

    it(`[CODE-7] ${how}: other failures in between neither forget nor forgive it`, () => {
      const { clock, peer, send, state, refusals } = createTold()
      refuse(peer)
      peer.onAttempt(2).isUnreachable()
      peer.onAttempt(3).plays((socket) => {
        socket.accepts()
        clock.setTimeout(() => socket.drops(), 5_000)
      })
      send('connect')
      clock.advance(1_000 + 2_000 + 5_000 + 4_000)
      expect(state()).toBe('failed')
      expect(refusals()).toEqual([false, true, true, true])
    })

    it(`[CODE-7] ${how}: a connection that settled starts afresh, and so does connect()`, () => {
      const { clock, peer, send, state, refusals } = createTold()
      refuse(peer.onAttempt(1) as typeof peer)
      send('connect')
      clock.advance(1_000 + 10_000)
      refuse(peer)
      peer.drops()
      clock.advance(1_000)
      expect(state()).toBe('reconnecting')
      clock.advance(2_000)
      expect(state()).toBe('failed')
      expect(refusals()).toEqual([false, true, false, true])
      send('connect')
      clock.advance(0)
      expect(state()).toBe('reconnecting')
      expect(refusals().at(-1)).toBe(false)
    })
  }
})

describe('a server that cannot be reached', () => {
  it('[CODE-12] is tried again, and the status shows the cause', () => {
    for (const systemCode of ['ECONNREFUSED', 'ENOTFOUND', 'CERT_HAS_EXPIRED']) {
      const { peer, open, status } = createConnection()
      peer.isUnreachable(systemCode)
      open()
      expect(status()).toMatchObject({
        state: 'reconnecting',
        cause: { code: 'network', systemCode },
      })
    }
  })

  it('[CONN-14] [CODE-9] a message over the limit ends the connection, which is made anew', () => {
    const { clock, peer, open, status, state } = createConnection()
    open()
    peer.sendsRaw('x'.repeat(1_001))
    expect(status()).toMatchObject({
      state: 'reconnecting',
      cause: { code: 'message-too-large', limitBytes: 1_000 },
    })
    expect((status() as { cause: { message: string } }).cause.message).toContain('1000')
    clock.advance(1_000)
    expect(state()).toBe('connected')
    peer.closes(1009)
    expect(state()).toBe('reconnecting')
  })

  it('[CONN-5] an unusable URL or credentials are final, without a socket', () => {
    for (const [url, credentials, code] of [
      ['ftp://sync.test', { token: 't' }, 'url-unusable'],
      ['ws://sync.test', undefined, 'credentials-missing'],
      ['ws://sync.test', { token: 7 }, 'credentials-missing'],
    ] as const) {
      const { clock, open, status, network } = createConnection({
        url,
        credentials,
        rule: { schema: z.object({ token: z.string() }), apply: () => undefined },
      })
      open()
      expect(status()).toMatchObject({ state: 'failed', error: { code, cause: { code } } })
      expect(network.attempts).toEqual([])
      expect(clock.pending.count).toBe(0)
    }
  })
})
