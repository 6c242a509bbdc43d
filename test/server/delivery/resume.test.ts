import { describe, expect, it } from 'vitest'
import { createManualClock } from '../../../src/testing/clock.js'
import { kull, startServer as startPlainServer } from '../support.js'
import {
  claim,
  createHeldLog,
  progress,
  startServer,
  toDeliveryClient,
  turn,
  until,
} from './support.js'

const credit = (newBalance: number) => ({ userId: 'ada', newBalance, change: 1, reason: '' })

describe('the start of a connection', () => {
  it('[DSRV-1] greets a client that asks for delivery with its first frame, and no other client', async () => {
    const { connect, connectDevice, sync } = await startServer({ idleMs: 7_000, window: 12 })
    const plain = await connect('?token=ada:plain')
    const other = await connect('?token=ada:other&caps=2')
    await Promise.all([plain.received(2), other.received(1)])
    const mac = await connectDevice('ada:mac')
    await mac.received(1)
    const greeting = { v: 1, epoch: 'epoch-1', head: 0, first: 1, maxBytes: 2 ** 20 }
    expect(mac.frames).toEqual([
      { type: '$hello', data: { ...greeting, idleMs: 7_000, window: 12 } },
    ])
    sync.broadcastToUser('ada', 'CREDIT_UPDATE', credit(1))
    await plain.received(4)
    expect(plain.types).toEqual([
      'DEVICE_CONNECTED',
      'DEVICE_CONNECTED',
      'DEVICE_CONNECTED',
      'CREDIT_UPDATE',
    ])
    expect(Object.keys(plain.frames[3]!)).toEqual([
      'type',
      'data',
      'timestamp',
      'deviceId',
      'userId',
    ])
  })

  it('[DSRV-1] without delivery greets nobody, and takes $resume for an unknown type', async () => {
    const { connect, sync } = await startPlainServer()
    const mac = toDeliveryClient(await connect('?token=ada:mac&caps=1'))
    mac.say({ type: '$resume', payload: {} })
    mac.report(1)
    await mac.received(2)
    expect(mac.types).toEqual(['DEVICE_CONNECTED', 'SHOOT_PROGRESS'])
    expect(mac.numbered).toEqual([])
    expect(sync.stats()).toMatchObject({ unknown: 1 })
    expect(sync.stats()).not.toHaveProperty('delivery')
    await expect(sync.publishToUser('ada', 'PING')).rejects.toMatchObject({
      code: 'option-invalid',
    })
  })

  it('[DSRV-1] greets once the log has answered, before anything else', async () => {
    let open!: () => void
    const opened = new Promise<void>((resolve) => {
      open = resolve
    })
    const memory = createHeldLog()
    const log = { ...memory, open: (userId: string) => opened.then(() => memory.open(userId)) }
    const { connectDevice, sync } = await startServer({ log })
    const mac = await connectDevice('ada:mac')
    await mac.settled()
    sync.sendToDevice('ada', 'mac', 'PING')
    expect(sync.broadcastToUser('ada', 'PING')).toBe(0)
    open()
    await mac.received(1)
    expect(mac.types).toEqual(['$hello'])
    expect(mac.of('$hello')[0]).toMatchObject({ head: 0 })
    await mac.resume()
    expect(mac.of('$reset')[0]).toMatchObject({ why: 'new', head: 1 })
  })

  it('[DSRV-1] closes with 1011 where the log cannot be read, and reads it anew', async () => {
    const errors: { code: string }[] = []
    let isBroken = true
    const memory = createHeldLog()
    const open = (userId: string) => {
      if (isBroken) throw new Error('broken')
      return memory.open(userId)
    }
    const { connect, connectDevice, sync } = await startServer(
      { log: { ...memory, open } },
      { onError: (error) => errors.push(error) },
    )
    const mac = await connect('?token=ada:mac&caps=1')
    expect(await mac.closed).toEqual({ code: 1011, reason: 'Unavailable' })
    expect(mac.raw).toEqual([])
    expect(sync.broadcastToUser('ada', 'PING')).toBe(0)
    await expect(sync.publishToUser('ada', 'PING')).rejects.toMatchObject({ code: 'log-failed' })
    // The broadcast and the publish came in one turn.
    expect(errors.map(({ code }) => code)).toEqual(['log-failed', 'log-failed'])
    isBroken = false
    const back = await connectDevice('ada:mac')
    expect(await back.resume()).toMatchObject({ why: 'new' })
  })
})

describe('resuming', () => {
  it('[DSRV-2] sends nothing numbered and announces nobody before it has answered', async () => {
    const { connect, connectDevice, sync } = await startServer()
    const mac = await connectDevice('ada:mac')
    expect(sync.broadcastToUser('ada', 'CREDIT_UPDATE', credit(1))).toBe(1)
    await (await connect('?token=ada:phone')).received(1)
    sync.sendToDevice('ada', 'mac', 'PING')
    await mac.settled()
    expect(mac.types).toEqual(['$hello', 'PING'])
    await mac.resume()
    expect(mac.types.slice(2)).toEqual([
      '$reset',
      '$snapshot',
      'DEVICE_CONNECTED',
      'DEVICE_CONNECTED',
      '$roster',
    ])
  })

  it('[DSRV-3] sends what was missed, in order and under its numbers', async () => {
    const { connectDevice, sync } = await startServer()
    for (let balance = 1; balance <= 5; balance += 1) {
      expect(sync.broadcastToUser('ada', 'CREDIT_UPDATE', credit(balance))).toBe(0)
    }
    const mac = await connectDevice('ada:mac')
    expect(await mac.resume({ epoch: 'epoch-1', seq: 2 })).toEqual({ epoch: 'epoch-1', head: 5 })
    sync.broadcastToUser('ada', 'CREDIT_UPDATE', credit(6))
    await until(mac, () => mac.numbered.length === 4)
    expect(mac.numbered.map(({ seq, epoch, data }) => [seq, epoch, data!['newBalance']])).toEqual([
      [3, 'epoch-1', 3],
      [4, 'epoch-1', 4],
      [5, 'epoch-1', 5],
      [6, 'epoch-1', 6],
    ])
    expect(Object.keys(mac.numbered[0]!)).toEqual([
      ...['type', 'data', 'timestamp', 'deviceId', 'userId', 'seq', 'epoch'],
    ])
    expect(sync.stats().delivery).toMatchObject({ replayed: 3, resumes: 1, resets: 0 })
  })

  it.each([
    ['new', {}],
    ['epoch', { epoch: 'another', seq: 2 }],
    ['ahead', { epoch: 'epoch-1', seq: 4 }],
  ])('[DSRV-4] resets a cursor of no use (%s), with the state as it is', async (why, cursor) => {
    const { connectDevice, sync } = await startServer()
    sync.broadcastToUser('ada', 'CREDIT_UPDATE', credit(7))
    sync.broadcastToUser('ada', 'SHOOT_PROGRESS', progress)
    sync.broadcastToUser('ada', 'SHOOT_PROGRESS', { ...progress, processedCount: 30 })
    const mac = await connectDevice('ada:mac')
    expect(await mac.resume(cursor)).toEqual({ why, epoch: 'epoch-1', head: 3 })
    expect(mac.of('$snapshot')).toEqual([
      {
        epoch: 'epoch-1',
        seq: 3,
        state: {
          shoots: [expect.objectContaining({ shootId: 'shoot-1', processedCount: 30 })],
          lastCreditUpdate: credit(7),
        },
      },
    ])
    sync.broadcastToUser('ada', 'CREDIT_UPDATE', credit(8))
    await until(mac, () => mac.numbered.length > 0)
    expect(mac.numbered.map(({ seq }) => seq)).toEqual([4])
    expect(sync.stats().delivery).toMatchObject({ resumes: 1, resets: 1, replayed: 0 })
  })

  it('[DSRV-4] [DSRV-11] resets a cursor whose sequel was trimmed; the state is not lost with it', async () => {
    const { connectDevice, sync } = await startServer({ maxEntries: 10 })
    sync.broadcastToUser('ada', 'SHOOT_PROGRESS', progress)
    for (let balance = 1; balance <= 12; balance += 1) {
      sync.broadcastToUser('ada', 'CREDIT_UPDATE', credit(balance))
    }
    const mac = await connectDevice('ada:mac')
    const { first, head } = mac.of('$hello')[0] as { first: number; head: number }
    expect(head).toBe(13)
    expect(head - first + 1).toBeLessThanOrEqual(10)
    expect(await mac.resume({ epoch: 'epoch-1', seq: first - 2 })).toMatchObject({ why: 'trimmed' })
    expect(mac.of('$snapshot')[0]).toMatchObject({
      seq: 13,
      state: { shoots: [{ shootId: 'shoot-1' }], lastCreditUpdate: credit(12) },
    })
    const phone = await connectDevice('ada:phone')
    expect(await phone.resume({ epoch: 'epoch-1', seq: first - 1 })).toEqual({
      epoch: 'epoch-1',
      head: 13,
    })
    await until(phone, () => phone.numbered.length === head - first + 1)
  })

  it('[DSRV-4] starts a new client without a state at the head of its greeting', async () => {
    const protocol = { ...kull, coordinator: undefined }
    const { connectDevice, sync } = await startServer({}, { protocol })
    await sync.publishToUser('ada', 'CREDIT_UPDATE', credit(1))
    const mac = await connectDevice('ada:mac')
    await mac.received(1)
    for (const balance of [2, 3]) await sync.publishToUser('ada', 'CREDIT_UPDATE', credit(balance))
    const answer = { why: 'new', epoch: 'epoch-1', head: 3 }
    expect(await mac.resume()).toEqual(answer)
    await until(mac, () => mac.numbered.length === 2)
    // What the connection was sent does not come again.
    expect(await mac.resume()).toEqual(answer)
    const snapshots = mac.of('$snapshot').map(({ seq }) => seq)
    expect(snapshots).toEqual([1, 3])
    expect(mac.numbered.map(({ seq }) => seq)).toEqual([2, 3])
  })

  it('[DSRV-4] keeps finished shoots out of the state once their time is over', async () => {
    const clock = createManualClock()
    const { connectDevice, sync } = await startServer({}, { clock })
    sync.broadcastToUser('ada', 'SHOOT_PROGRESS', { ...progress, status: 'completed' })
    await turn()
    clock.advance(5_000)
    const mac = await connectDevice('ada:mac')
    await mac.resume()
    expect(mac.of('$snapshot')[0]).toMatchObject({ seq: 1, state: { shoots: [] } })
  })

  it('[DSRV-5] sends a roster, its own device first, each as often as it was announced', async () => {
    const { connect, connectDevice, left } = await startServer()
    await (await connect('?token=ada:phone')).received(1)
    await (await connect('?token=ada:phone')).received(1)
    await (await connect('?token=bob:tablet')).received(1)
    const mac = await connectDevice('ada:mac')
    await mac.resume()
    const who = () => mac.of('DEVICE_CONNECTED').map(({ deviceId }) => deviceId)
    expect(who()).toEqual(['mac', 'phone', 'phone'])
    expect(mac.types.at(-1)).toBe('$roster')
    const pad = await connect('?token=ada:pad')
    await until(mac, () => who().length === 4)
    expect(who()).toEqual(['mac', 'phone', 'phone', 'pad'])
    pad.socket.close()
    await left(1)
    await until(mac, () => mac.of('DEVICE_DISCONNECTED').length === 1)
    // Again on the same connection: everything is told anew.
    await mac.resume({ epoch: 'epoch-1', seq: 0 })
    expect(who().slice(4)).toEqual(['mac', 'phone', 'phone'])
  })

  it('[DSRV-5] leaves clients that count with who is present, whoever comes and goes', async () => {
    const { connect, connectDevice, left } = await startServer()
    const mac = await connectDevice('ada:mac')
    const present = new Set<Awaited<ReturnType<typeof connect>>>()
    let gone = 0
    for (let round = 0; round < 30; round += 1) {
      const query = `?token=ada:device-${round % 3}${round % 2 === 0 ? '&caps=1' : ''}`
      const client = await connect(query)
      present.add(client)
      if (round % 4 === 0) client.say({ type: '$resume', payload: {} })
      if (round % 7 === 3) await mac.resume()
      await client.settled()
      if (round % 3 !== 0) {
        const [oldest] = present
        present.delete(oldest!)
        oldest!.socket.close()
        gone += 1
        await left(gone)
      }
    }
    await mac.settled()
    const counts = new Map<string, number>()
    for (const { type, data } of mac.frames) {
      const deviceId = String(data?.['deviceId'])
      if (type === '$resumed' || type === '$reset') counts.clear()
      else if (type === 'DEVICE_CONNECTED') counts.set(deviceId, (counts.get(deviceId) ?? 0) + 1)
      else if (type === 'DEVICE_DISCONNECTED') {
        const count = (counts.get(deviceId) ?? 0) - 1
        if (count > 0) counts.set(deviceId, count)
        else counts.delete(deviceId)
      }
    }
    const there = [...present].map(({ socket }) => new URL(socket.url).searchParams.get('token'))
    const devices = new Set(there.map((token) => token!.slice(4)))
    expect(new Set(counts.keys())).toEqual(new Set(['mac', ...devices]))
  })

  it('[DSRV-6] counts a $resume that makes no sense as an invalid frame', async () => {
    const { connectDevice, sync } = await startServer()
    const mac = await connectDevice('ada:mac')
    const wrong = [
      null,
      { epoch: 'epoch-1' },
      { seq: 1 },
      { cid: 'out-1' },
      { fence: 1 },
      { seq: -1, epoch: 'epoch-1' },
      { cid: '', fence: 1 },
      { cid: 'x'.repeat(129), fence: 1 },
      { cid: 'out\u0000', fence: 1 },
      { cid: 'out\ud800', fence: 1 },
      { cid: 'öut', fence: 1 },
      { cid: 'out-1', fence: 1, start: 'x'.repeat(65) },
      { cid: 'out-1', fence: 1, past: ['x'.repeat(65)] },
      { cid: 'out-1', fence: 1, past: Array.from({ length: 33 }, () => 'x') },
    ]
    for (const payload of wrong) mac.say({ type: '$resume', payload })
    mac.say({ type: '$pong' })
    mac.say({ type: '$whatever', payload: 1 })
    await mac.settled()
    expect(mac.types).toEqual(['$hello'])
    expect(sync.stats()).toMatchObject({ invalid: wrong.length, unknown: 0 })
    expect(await mac.resume()).toMatchObject({ why: 'new' })
  })

  it('[DSRV-15] answers only the newest of those that wait for an earlier $resume', async () => {
    let accept: (() => void) | undefined
    const { connectDevice, sync } = await startServer({
      accept: () =>
        new Promise((resolve) => {
          accept = () => resolve(undefined)
        }),
    })
    const mac = await connectDevice('ada:mac')
    await mac.resume(claim)
    mac.report(1)
    for (let fence = 2; fence <= 1_000; fence += 1) {
      mac.say({ type: '$resume', payload: { ...claim, fence, epoch: 'epoch-1', seq: 0 } })
    }
    await mac.settled()
    expect(mac.of('$resumed')).toEqual([])
    accept?.()
    await until(mac, () => mac.of('$roster').length === 3)
    await mac.settled()
    expect(mac.of('$resumed')).toMatchObject([{ hwm: 1 }, { hwm: 1 }])
    expect(sync.stats().delivery).toMatchObject({ resumes: 3, taken: 1 })
    // The newest claim is the one that counts.
    expect(await mac.resume({ ...claim, fence: 999 })).not.toHaveProperty('hwm')
  })
})

describe('a connection that is there', () => {
  it('[DSRV-7] is sent $ping in even intervals, and only where it was sent everything', async () => {
    const clock = createManualClock()
    const { connectDevice, sync, left } = await startServer(
      { idleMs: 1_000 },
      { clock, keepAliveMs: false },
    )
    expect(clock.pending.count).toBe(0)
    const mac = await connectDevice('ada:mac')
    await mac.received(1)
    clock.advance(1_000)
    await mac.settled()
    expect(mac.of('$ping')).toEqual([])
    await mac.resume()
    sync.broadcastToUser('ada', 'CREDIT_UPDATE', credit(1))
    await turn()
    clock.advance(1_000)
    clock.advance(999)
    await until(mac, () => mac.of('$ping').length > 0)
    expect(mac.of('$ping')).toEqual([{ epoch: 'epoch-1', head: 1 }])
    clock.advance(1)
    await until(mac, () => mac.of('$ping').length === 2)
    mac.say({ type: '$pong' })
    mac.socket.close()
    await left(1)
    expect(clock.pending.count).toBe(0)
  })

  it('[DSRV-8] lags where it does not read, without filling memory, and loses nothing', async () => {
    const { connectDevice, sync } = await startServer(
      { highWaterBytes: 65_536 },
      { maxBufferedBytes: 2 ** 20 },
    )
    const slow = await connectDevice('ada:slow')
    await slow.resume()
    slow.socket.pause()
    const count = 4_000
    const padded = { ...credit(0), reason: 'x'.repeat(4_000) }
    for (let round = 0; round < count; round += 1) {
      expect(sync.broadcastToUser('ada', 'CREDIT_UPDATE', { ...padded, newBalance: round })).toBe(1)
      if (round % 100 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    expect(sync.stats()).toMatchObject({ tooSlow: 0, sockets: 1 })
    // Far fewer were handed over than the 16 MB that there are.
    expect(sync.stats().framesOut).toBeLessThan(count)
    slow.socket.resume()
    await until(slow, () => slow.numbered.length === count)
    expect(slow.numbered.map(({ seq }) => seq)).toEqual(
      Array.from({ length: count }, (_, at) => at + 1),
    )
    expect(slow.of('$reset')).toHaveLength(1)
  })

  it('[DSRV-8] that lags behind what is stored is reset, and goes on from the state', async () => {
    const { connectDevice, sync } = await startServer({ highWaterBytes: 16_384, maxEntries: 50 })
    const slow = await connectDevice('ada:slow')
    await slow.resume()
    slow.socket.pause()
    const padded = { ...credit(0), reason: 'x'.repeat(50_000) }
    for (let round = 1; round <= 400; round += 1) {
      sync.broadcastToUser('ada', 'CREDIT_UPDATE', { ...padded, newBalance: round })
      if (round % 20 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    slow.socket.resume()
    await until(slow, () => {
      const { seq } = slow.numbered.at(-1) ?? {}
      return seq === 400 || slow.of('$snapshot').at(-1)!['seq'] === 400
    })
    const resets = slow.of('$reset')
    expect(resets.length).toBeGreaterThan(1)
    expect(resets.at(-1)).toEqual({
      why: 'trimmed',
      epoch: 'epoch-1',
      head: expect.any(Number) as number,
    })
    expect(sync.stats().delivery!.resets).toBe(resets.length)
    // It can tell at every point what comes next.
    let next = 1
    for (const { type, data, seq } of slow.frames as {
      type: string
      data?: { seq?: number }
      seq?: number
    }[]) {
      if (type === '$snapshot') next = Number(data!.seq) + 1
      if (seq === undefined) continue
      expect(seq).toBe(next)
      next += 1
    }
    expect(next).toBe(401)
  })
})
