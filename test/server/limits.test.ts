import { once } from 'node:events'
import { describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import type { Clock } from '../../src/base/clock.js'
import { Ticker } from '../../src/server/ticker.js'
import { createManualClock } from '../../src/testing/clock.js'
import { record, startServer } from './support.js'

describe('limits', () => {
  it('[SRV-22] closes with 1009 for a message over the limit, and serves the others', async () => {
    const { connect, left, sync } = await startServer({ maxMessageBytes: 1_000 })
    const mac = await connect('?token=ada:mac')
    const phone = await connect('?token=ada:phone')
    const ping = (bytes: number) => {
      const frame = JSON.stringify({ type: 'PING', payload: { x: '' } })
      return frame.replace('""', `"${'x'.repeat(bytes - frame.length)}"`)
    }
    mac.say(ping(1_000))
    await mac.received(3)
    expect(mac.types[2]).toBe('PONG')
    mac.say(ping(1_001))
    expect((await mac.closed).code).toBe(1009)
    await left(1)
    // Fragments, none of which is over the limit, add up.
    phone.socket.send(ping(600), { fin: false })
    phone.socket.send(ping(600), { fin: true })
    expect((await phone.closed).code).toBe(1009)
    await left(2)
    expect(sync.stats()).toMatchObject({ tooLarge: 2, invalid: 0, messagesIn: 1 })
    const other = await connect('?token=ada:mac')
    await other.received(1)
  })

  it('[SRV-30] closes a socket that does not read with 1013, and serves the others', async () => {
    const clock = createManualClock()
    const ends: unknown[] = []
    const { connect, left, sync } = await startServer({
      clock,
      maxBufferedBytes: 100_000,
      onDisconnected: ({ deviceId }, { code }) => ends.push([deviceId, code]),
    })
    const slow = await connect('?token=ada:slow')
    await slow.received(1)
    const fast = await connect('?token=ada:fast')
    await slow.received(2)
    slow.socket.pause()
    const large = { userId: 'ada', newBalance: 1, change: 0, reason: 'x'.repeat(500_000) }
    let sent = 0
    while (sync.stats().tooSlow === 0 && sent < 200) {
      sync.broadcastToUser('ada', 'CREDIT_UPDATE', large)
      sent += 1
      await fast.received(1 + sent)
    }
    expect(sync.stats().tooSlow).toBe(1)
    expect(sync.broadcastToUser('ada', 'CREDIT_UPDATE', large)).toBe(1)
    await fast.received(2 + sent)
    clock.advance(1_999)
    expect(sync.devices('ada')).toHaveLength(2)
    clock.advance(1)
    await left(1)
    await fast.received(3 + sent)
    expect(fast.types.at(-1)).toBe('DEVICE_DISCONNECTED')
    expect(ends).toEqual([['slow', 1006]])
    expect(sync.stats().tooSlow).toBe(1)
  })

  it('[SRV-30] tells a socket that reads again in time why it was closed', async () => {
    const { connect, sync } = await startServer({ maxBufferedBytes: 100_000 })
    const slow = await connect('?token=ada:slow')
    await slow.received(1)
    slow.socket.pause()
    const large = { userId: 'ada', newBalance: 1, change: 0, reason: 'x'.repeat(500_000) }
    for (let sent = 0; sync.stats().tooSlow === 0 && sent < 200; sent += 1) {
      sync.broadcastToUser('ada', 'CREDIT_UPDATE', large)
    }
    slow.socket.resume()
    expect(await slow.closed).toEqual({ code: 1013, reason: 'Too slow' })
  })

  it('[SRV-36] terminates a socket 2 s after it was told to close', async () => {
    const clock = createManualClock()
    const { connect, left, sync } = await startServer({ clock })
    const stuck = await connect('?token=ada:stuck')
    await stuck.received(1)
    stuck.socket.pause()
    sync.clients('ada')[0]!.close(4000)
    clock.advance(1_999)
    expect(sync.users()).toEqual(['ada'])
    clock.advance(1)
    await left(1)
    expect(sync.users()).toEqual([])
    expect(clock.pending.count).toBe(0)
  })
})

describe('compression', () => {
  it.each([
    [true, /permessage-deflate/],
    [false, /^$/],
    [undefined, /^$/],
  ])('[SRV-42] is there where it was asked for: %s', async (perMessageDeflate, extensions) => {
    const { connect, sync } = await startServer(
      perMessageDeflate === undefined ? {} : { perMessageDeflate },
    )
    const mac = await connect('?token=ada:mac')
    expect(mac.socket.extensions).toMatch(extensions)
    const reason = 'x'.repeat(10_000)
    const credits = { userId: 'ada', newBalance: 1, change: 0, reason }
    expect(sync.broadcastToUser('ada', 'CREDIT_UPDATE', credits)).toBe(1)
    await mac.received(2)
    expect(mac.frames[1]!.data).toEqual(credits)
  })
})

describe('keepalive', () => {
  it('[SRV-31] pings every 30 s and terminates a socket without a pong by the next ping', async () => {
    const clock = createManualClock()
    const { connect, left, port, sync } = await startServer({ clock })
    const alive = await connect('?token=ada:alive')
    const silent = record(
      new WebSocket(`ws://127.0.0.1:${port}/ws?token=ada:silent`, { autoPong: false }),
    )
    await silent.received(1)
    let pings = 0
    silent.socket.on('ping', () => {
      pings += 1
    })
    clock.advance(29_999)
    await silent.settled()
    expect(pings).toBe(0)
    const pinged = once(alive.socket, 'ping')
    clock.advance(1)
    await pinged
    await alive.settled()
    await silent.settled()
    expect(pings).toBe(1)
    clock.advance(29_999)
    expect(sync.stats().silent).toBe(0)
    clock.advance(1)
    expect(sync.stats().silent).toBe(1)
    expect((await silent.closed).code).toBe(1006)
    await left(1)
    await alive.settled()
    expect(alive.types.at(-1)).toBe('DEVICE_DISCONNECTED')
    clock.advance(29_999)
    expect(sync.users()).toEqual(['ada'])
  })

  it('[SRV-32] pings anew instead after a stall, since pongs may wait to be read', async () => {
    const clock = createManualClock()
    const { connect, left, sync } = await startServer({ clock })
    const mac = await connect('?token=ada:mac')
    await mac.received(1)
    mac.socket.pause()
    clock.advance(30_000)
    clock.jump(45_000)
    expect(sync.stats().silent).toBe(0)
    expect(clock.pending.deadlines).toEqual([90_000])
    const pinged = once(mac.socket, 'ping')
    mac.socket.resume()
    await pinged
    await mac.settled()
    clock.advance(15_000)
    expect(sync.stats().silent).toBe(0)
    mac.socket.pause()
    clock.jump(31_001)
    expect(sync.stats().silent).toBe(0)
    clock.advance(29_999)
    expect(sync.stats().silent).toBe(1)
    await left(1)
  })

  it('[SRV-33] has one timer for all sockets, and none without', async () => {
    const clock = createManualClock()
    const { connect, left, sync } = await startServer({ clock })
    expect(clock.pending.count).toBe(0)
    for (const name of ['a', 'b', 'c']) await (await connect(`?token=ada:${name}`)).received(1)
    expect(clock.pending.deadlines).toEqual([30_000])
    clock.advance(10_000)
    for (const client of sync.clients('ada')) client.terminate()
    await left(3)
    expect(clock.pending.count).toBe(0)
    await (await connect('?token=ada:a')).received(1)
    expect(clock.pending.deadlines).toEqual([40_000])
  })

  it('[SRV-31] is not fooled by a timer that fires a fraction of a millisecond early', () => {
    const timers: { callback: () => void; delayMs: number }[] = []
    let now = 0
    const clock: Clock = {
      now: () => now,
      epoch: () => now,
      setTimeout: (callback, delayMs) => timers.push({ callback, delayMs }),
      clearTimeout() {},
    }
    let pings = 0
    const ticker = new Ticker<string>(clock, 30_000, () => {
      pings += 1
    })
    ticker.add('socket')
    now = 29_999.4
    timers[0]!.callback()
    expect(pings).toBe(1)
    expect(timers.map(({ delayMs }) => delayMs)).toEqual([30_000, 30_000.6])
  })

  it('[SRV-31] can be turned off', async () => {
    const clock = createManualClock()
    const { connect } = await startServer({ clock, keepAliveMs: false })
    await (await connect('?token=ada:mac')).received(1)
    expect(clock.pending.count).toBe(0)
  })
})
