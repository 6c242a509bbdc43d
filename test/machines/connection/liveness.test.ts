import { describe, expect, it } from 'vitest'
import { createConnection } from './create-connection.js'

const HOUR = 3_600_000

function openConnection(setup: Parameters<typeof createConnection>[0] = {}) {
  const connection = createConnection(setup)
  connection.open()
  connection.clock.advance(0)
  return connection
}

describe('pings', () => {
  it('[LIVE-1] go out every 30 s from the opening on, with nothing in between', () => {
    const { clock, pings } = openConnection()
    clock.advance(29_999)
    expect(pings).toEqual([])
    clock.advance(1)
    expect(pings).toEqual([30_000])
    clock.advance(60_000)
    expect(pings).toEqual([30_000, 60_000, 90_000])
  })

  it('[LIVE-1] do not drift over 1,000 pings, however long the round trip', () => {
    let seed = 1
    const latencyMs = () => {
      seed = (seed * 48_271) % 2_147_483_647
      return seed % 4_900
    }
    const { clock, send, log, pings, pongs, states } = createConnection({ latencyMs })
    send('connect')
    clock.advance(20_000)
    const openedAt = log.at(-1)?.at ?? Number.NaN
    clock.advance(1_000 * 30_000)
    expect(pings).toEqual(pings.map((_, at) => openedAt + (at + 1) * 30_000))
    expect(pings.length).toBeGreaterThanOrEqual(1_000)
    expect(pongs.length).toBeGreaterThanOrEqual(999)
    expect(states()).toEqual(['disconnected', 'connecting', 'connected'])
  })

  it('[LIVE-1] keep a grid of their own where the pong takes longer than the interval', () => {
    const { clock, send, pings, state } = createConnection({
      latencyMs: 700,
      policy: { pingIntervalMs: 1_000, pongTimeoutMs: 5_000 },
    })
    send('connect')
    clock.advance(700 + 10_000)
    expect(pings.map((at) => at - 700)).toEqual([1_000, 3_000, 5_000, 7_000, 9_000])
    expect(state()).toBe('connected')
  })

  it('[LIVE-1] start a new grid with each connection', () => {
    const { clock, peer, pings } = openConnection()
    clock.advance(45_000)
    peer.drops()
    clock.advance(1_000)
    expect(pings).toEqual([30_000])
    clock.advance(60_000)
    expect(pings).toEqual([30_000, 76_000, 106_000])
  })

  it('[LIVE-1] are one a slot, where timers come a little early', () => {
    const { clock, pings } = openConnection({ earlyMs: 1 })
    clock.advance(120_000)
    expect(pings).toEqual([29_999, 59_999, 89_999, 119_999])
  })

  it('[LIVE-1] may be as far apart as timers reach', () => {
    const pingIntervalMs = 2 ** 31 - 1
    const { clock, pings } = openConnection({ policy: { pingIntervalMs } })
    clock.advance(2 * pingIntervalMs)
    expect(pings).toEqual([pingIntervalMs, 2 * pingIntervalMs])
  })

  it('[LIVE-6] skip the slots that were slept through', () => {
    const { clock, pings, state } = openConnection()
    clock.jump(100_000)
    clock.advance(0)
    expect(pings).toEqual([100_000])
    clock.advance(HOUR)
    expect(pings.slice(1, 4)).toEqual([120_000, 150_000, 180_000])
    expect(state()).toBe('connected')
  })

  it('[LIVE-9] there are none, and no pong is missed, without a heartbeat', () => {
    const { clock, peer, signals, pings, state } = openConnection({
      policy: { pingIntervalMs: Number.POSITIVE_INFINITY },
      makePing: () => undefined,
    })
    peer.goesSilent()
    signals.signal('woke')
    clock.advance(10 * HOUR)
    expect(pings).toEqual([])
    expect(state()).toBe('connected')
    expect(clock.pending.count).toBe(0)
  })
})

describe('a missing pong', () => {
  it('[LIVE-2] ends the connection 10 s after the ping, to the millisecond', () => {
    const { clock, peer, status, network } = openConnection()
    peer.goesSilent()
    clock.advance(39_999)
    expect(status().state).toBe('connected')
    clock.advance(1)
    expect(status()).toMatchObject({
      state: 'reconnecting',
      attempt: 1,
      cause: { code: 'pong-timeout', afterMs: 10_000 },
    })
    clock.advance(2_000)
    expect(network.sockets[0]).toMatchObject({ state: 'closed', wasTerminated: true })
  })

  it('[LIVE-2] is one that comes a millisecond late', () => {
    for (const [latencyMs, expected] of [
      [4_999, 'connected'],
      [5_001, 'reconnecting'],
    ] as const) {
      const { clock, send, state } = createConnection({ latencyMs })
      send('connect')
      clock.advance(latencyMs + 40_000)
      expect(state()).toBe(expected)
    }
  })

  it('[LIVE-2] counts for each ping anew', () => {
    const { clock, peer, status } = openConnection()
    clock.advance(300_001)
    peer.ignoresPings()
    clock.advance(39_998)
    expect(status().state).toBe('connected')
    clock.advance(1)
    expect(status()).toMatchObject({ cause: { code: 'pong-timeout' } })
  })

  it('[LIVE-7] is not missing whatever its body is', () => {
    const { clock, peer, pings, state } = openConnection()
    peer.ignoresPings()
    const frames = ['{"type":"PONG"}', '{"type":"PONG","data":[1]}', '{"type":"PONG","data":null}']
    clock.advance(30_000)
    for (const frame of frames) {
      clock.advance(9_999)
      peer.sendsRaw(frame)
      clock.advance(20_001)
    }
    expect(pings).toHaveLength(1 + frames.length)
    expect(state()).toBe('connected')
  })

  it('[LIVE-7] is missing where only an older connection gives it', () => {
    const { clock, peer, actor, status } = openConnection()
    peer.drops()
    clock.advance(1_000)
    peer.ignoresPings()
    clock.advance(35_000)
    const { generation } = actor.getSnapshot().context
    expect(generation).toBe(2)
    actor.send({ type: 'socket.ponged', generation: 1 })
    actor.send({ type: 'socket.ponged', generation: 3 })
    clock.advance(5_000)
    expect(status()).toMatchObject({ state: 'reconnecting', cause: { code: 'pong-timeout' } })
  })
})

describe('a timer that fires late', () => {
  it('[LIVE-3] probes with a fresh bound instead of giving up', () => {
    const { clock, peer, pings, status } = openConnection()
    peer.goesSilent()
    clock.advance(30_000)
    clock.jump(HOUR)
    expect(pings).toEqual([30_000, 30_000 + HOUR])
    clock.advance(9_999)
    expect(status().state).toBe('connected')
    clock.advance(1)
    expect(status()).toMatchObject({ cause: { code: 'pong-timeout' } })
    expect(pings).toHaveLength(2)
  })

  it('[LIVE-3] finds the pong that was waiting to be read', () => {
    const { clock, network, pings, states } = openConnection({ delivery: 'manual' })
    network.flush()
    clock.advance(30_000)
    expect(network.inFlight).toBe(1)
    // The process stood still: the timer runs before the frame is read.
    clock.jump(47_000)
    network.flush()
    clock.advance(12_999)
    expect(states()).toEqual(['disconnected', 'connecting', 'connected'])
    expect(pings).toEqual([30_000, 77_000])
  })

  it('[LIVE-3] is late by more than 1 s, not by less', () => {
    for (const [lateMs, expected] of [
      [1_000, 'reconnecting'],
      [1_001, 'connected'],
    ] as const) {
      const { clock, peer, state } = openConnection()
      peer.goesSilent()
      clock.advance(30_000)
      clock.jump(10_000 + lateMs)
      expect(state()).toBe(expected)
    }
  })

  it('[LIVE-4] does so three times in a row; the fourth gives up', () => {
    const { clock, peer, state, status } = openConnection()
    peer.goesSilent()
    clock.advance(30_000)
    for (let late = 1; late <= 3; late += 1) {
      clock.jump(60_000)
      expect(state()).toBe('connected')
    }
    clock.jump(60_000)
    expect(status()).toMatchObject({ state: 'reconnecting', cause: { code: 'pong-timeout' } })
  })

  it('[LIVE-4] counts afresh after a pong, and with a new connection', () => {
    const { clock, peer, state } = openConnection()
    for (const round of [1, 2]) {
      peer.goesSilent()
      clock.advance(30_000)
      for (let late = 1; late <= 3; late += 1) clock.jump(60_000)
      expect([round, state()]).toEqual([round, 'connected'])
      peer.speaksAgain()
      clock.advance(0)
    }
    peer.goesSilent()
    clock.advance(30_000)
    for (let late = 1; late <= 2; late += 1) clock.jump(60_000)
    expect(state()).toBe('connected')
    peer.drops()
    clock.advance(1_000)
    expect(state()).toBe('connected')
    peer.goesSilent()
    clock.advance(30_000)
    for (let late = 1; late <= 3; late += 1) clock.jump(60_000)
    expect(state()).toBe('connected')
  })
})

describe('a throttled tab', () => {
  it('[LIVE-3] never loses a healthy connection, over an hour', () => {
    for (const latencyMs of [0, 200, 4_000]) {
      const { clock, send, state, states, pongs } = createConnection({ latencyMs })
      send('connect')
      clock.advance(10_000)
      clock.throttle(60_000)
      clock.advance(HOUR)
      expect(state()).toBe('connected')
      expect(states()).toEqual(['disconnected', 'connecting', 'connected'])
      expect(pongs.length).toBeGreaterThan(25)
    }
  })

  it('[LIVE-4] still loses a dead one', () => {
    const { clock, peer, status } = openConnection()
    clock.throttle(60_000)
    peer.goesSilent()
    // The ping of 30 s goes out at 60 s; its pong is found missing at 120, 180, 240 and 300 s.
    clock.advance(299_999)
    expect(status().state).toBe('connected')
    clock.advance(1)
    expect(status()).toMatchObject({ state: 'reconnecting', cause: { code: 'pong-timeout' } })
  })
})

describe('a probe', () => {
  for (const signal of ['online', 'offline', 'visible', 'woke'] as const) {
    it(`[LIVE-5] on ${signal} is a ping at once, and keeps the grid`, () => {
      const { clock, signals, pings, state } = openConnection()
      clock.advance(12_345)
      signals.signal(signal)
      clock.advance(47_655)
      expect(pings).toEqual([12_345, 30_000, 60_000])
      expect(state()).toBe('connected')
    })
  }

  it('[LIVE-5] finds a dead connection within the pong bound', () => {
    const { clock, peer, signals, status } = openConnection()
    clock.advance(5_000)
    peer.goesSilent()
    signals.signal('visible')
    clock.advance(9_999)
    expect(status().state).toBe('connected')
    clock.advance(1)
    expect(status()).toMatchObject({ state: 'reconnecting', cause: { code: 'pong-timeout' } })
  })

  it('[LIVE-5] is not repeated while a pong is awaited, nor does it prolong the wait', () => {
    const { clock, peer, signals, pings, status } = openConnection()
    clock.advance(30_000)
    peer.ignoresPings()
    clock.advance(30_000)
    for (let second = 0; second < 9; second += 1) {
      clock.advance(1_000)
      signals.signal('online')
      signals.signal('woke')
    }
    expect(pings).toEqual([30_000, 60_000])
    clock.advance(1_000)
    expect(status()).toMatchObject({ cause: { code: 'pong-timeout' } })
  })

  it('[LIVE-6] that awaits its pong over a slot of the grid skips that slot', () => {
    const { clock, signals, send, pings } = createConnection({ latencyMs: 1_000 })
    send('connect')
    clock.advance(1_000 + 29_000)
    signals.signal('online')
    clock.advance(62_000)
    expect(pings).toEqual([30_000, 61_000, 91_000])
  })

  it('[LIVE-5] settles nothing and resets nothing', () => {
    const { clock, peer, signals, status } = openConnection({ policy: { settleMs: 60_000 } })
    peer.drops()
    clock.advance(1_000)
    signals.signal('online')
    clock.advance(40_000)
    signals.signal('online')
    clock.advance(10_000)
    peer.drops()
    expect(status()).toMatchObject({ state: 'reconnecting', attempt: 2 })
  })
})
