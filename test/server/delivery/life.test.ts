import { describe, expect, it } from 'vitest'
import { createSyncServer, type ServerDeliveryOptions } from '../../../src/server/index.js'
import { createMemoryLog } from '../../../src/server/index.js'
import type { receive, send } from '../../../src/schemas/kull.js'
import { createManualClock } from '../../../src/testing/clock.js'
import { kull } from '../support.js'
import {
  claim,
  createHeldLog,
  progress,
  startServer,
  toDeliveryClient,
  turn,
  until,
} from './support.js'

describe('closing', () => {
  it('[DSRV-19] says when to come back, finishes what is being written, and then closes', async () => {
    const held = createHeldLog()
    const draws = [0.1, 0.9]
    const { connectDevice, sync } = await startServer({
      log: held,
      random: () => draws.shift() ?? 0,
    })
    const mac = await connectDevice('ada:mac')
    const bob = await connectDevice('bob:mac')
    await Promise.all([mac.resume(claim), bob.resume(claim)])
    held.hold()
    mac.report(1)
    await mac.settled()
    const closing = sync.close()
    await until(mac, () => mac.types.includes('$drain'))
    mac.report(2)
    mac.say({ type: '$resume', payload: claim })
    await mac.settled()
    expect(sync.broadcastToUser('ada', 'PING')).toBe(0)
    await expect(sync.publishToUser('ada', 'PING')).rejects.toMatchObject({ code: 'disposed' })
    expect(mac.of('$ack')).toEqual([])
    expect(sync.stats().sockets).toBe(2)
    held.release()
    await closing
    expect(await mac.closed).toEqual({ code: 1001, reason: 'Server is closing' })
    expect(mac.of('$ack')).toEqual([{ cid: 'out-1', n: 1 }])
    expect(mac.numbered.map(({ id }) => id)).toEqual(['out-1/1'])
    await bob.closed
    expect([...mac.of('$drain'), ...bob.of('$drain')]).toEqual([
      { afterMs: 1_000 },
      { afterMs: 9_000 },
    ])
    expect(mac.of('$roster')).toEqual(bob.of('$roster'))
  })

  it('[DSRV-19] waits no longer than the grace for a log that does not answer', async () => {
    const clock = createManualClock()
    const held = createHeldLog()
    const { connectDevice, sync } = await startServer({ log: held }, { clock })
    const mac = await connectDevice('ada:mac')
    await mac.resume(claim)
    held.hold()
    mac.report(1)
    await mac.settled()
    const closing = sync.close({ code: 4100, reason: 'moved', graceMs: 500 })
    await until(mac, () => mac.types.includes('$drain'))
    clock.advance(500)
    await closing
    expect(await mac.closed).toEqual({ code: 4100, reason: 'moved' })
    expect(mac.of('$ack')).toEqual([])
    expect(clock.pending.count).toBe(0)
  })
})

describe('what is remembered', () => {
  it('[DSRV-20] forgets the least recently used outboxes, never those that a connection sends from', async () => {
    const { connectDevice, left } = await startServer({ maxClients: 2 })
    const mac = await connectDevice('ada:mac')
    await mac.resume(claim)
    mac.report(1)
    const phone = await connectDevice('ada:phone')
    for (const cid of ['a', 'b', 'c']) await phone.resume({ cid, fence: 1 })
    // Only the last two are left, and the one of mac, which is connected, is among them.
    expect(await mac.resume(claim)).toMatchObject({ hwm: 1, known: true })
    expect(await phone.resume({ cid: 'c', fence: 1 })).toMatchObject({ known: true })
    expect(await phone.resume({ cid: 'a', fence: 1 })).toMatchObject({ known: false })
    mac.socket.close()
    await left(1)
    await phone.resume({ cid: 'd', fence: 1 })
    const back = await connectDevice('ada:mac')
    expect(await back.resume(claim)).toMatchObject({ hwm: 0, known: false })
  })

  it('[DSRV-20] forgets users that no client is connected for', async () => {
    const closed: string[] = []
    const opened: string[] = []
    const memory = createMemoryLog()
    const { connectDevice, sync, left } = await startServer({
      log: {
        open(userId) {
          opened.push(userId)
          return memory.open(userId)
        },
        commit: (userId, change) => memory.commit(userId, change),
        close(userId) {
          closed.push(userId)
          memory.close?.(userId)
        },
      },
    })
    const ada = await connectDevice('ada:mac')
    await ada.resume(claim)
    ada.report(1)
    await until(ada, () => ada.of('$ack').length === 1)
    for (let user = 0; user < 1_001; user += 1) sync.broadcastToUser(`user-${user}`, 'PING')
    await turn()
    expect(closed).toEqual(['user-0'])
    ada.socket.close()
    await left(1)
    for (let user = 0; user < 1_001; user += 1) sync.broadcastToUser(`user-${user}`, 'PING')
    await turn()
    expect(closed).toContain('ada')
    const back = await connectDevice('ada:mac')
    expect(
      await back.resume({ ...claim, epoch: String(ada.of('$hello')[0]!['epoch']), seq: 0 }),
    ).toMatchObject({ hwm: 1, known: true, head: 1 })
    expect(opened.filter((user) => user === 'ada')).toHaveLength(2)
  })
})

describe('a server whose log is lost', () => {
  it('[DSRV-25] closes what has delivery, accepts no more of it, and reports that once', async () => {
    const errors: unknown[] = []
    const losing = new AbortController()
    const memory = createMemoryLog()
    const { connect, connectDevice, left, sync } = await startServer(
      {
        log: {
          lost: losing.signal,
          open: (userId) => memory.open(userId),
          async commit(userId, change) {
            losing.signal.throwIfAborted()
            await memory.commit(userId, change)
          },
        },
      },
      { onError: (error) => errors.push(error) },
    )
    const plain = await connect('?token=ada:plain')
    const mac = await connectDevice('ada:mac')
    await mac.resume(claim)
    const reason = new Error('another server owns the log by now')
    losing.abort(reason)
    const unavailable = { code: 1011, reason: 'Unavailable' }
    expect(await mac.closed).toEqual(unavailable)
    await left(1)
    const back = await connectDevice('ada:mac')
    expect(await back.closed).toEqual(unavailable)
    expect(back.frames).toEqual([])
    await expect(sync.publishToUser('ada', 'PING')).rejects.toMatchObject({ code: 'log-failed' })
    expect(errors).toEqual([expect.objectContaining({ code: 'log-failed', cause: reason })])
    await plain.settled()
    expect(plain.socket.readyState).toBe(plain.socket.OPEN)
  })
})

describe('a user whose log opens slowly', () => {
  it('[DSRV-20] is not forgotten while a connection waits for it', async () => {
    const memory = createMemoryLog()
    let open!: () => void
    const opened = new Promise<void>((resolve) => {
      open = resolve
    })
    const { connectDevice, sync } = await startServer({
      log: {
        async open(userId) {
          if (userId === 'ada') await opened
          return memory.open(userId)
        },
        commit: (userId, change) => memory.commit(userId, change),
      },
    })
    const leaves = await connectDevice('ada:mac')
    const stays = await connectDevice('ada:phone')
    leaves.socket.terminate()
    while (sync.stats().sockets > 1) await turn()
    open()
    await stays.resume()
    for (let user = 0; user < 1_001; user += 1) sync.broadcastToUser(`user-${user}`, 'PING')
    await turn()
    expect(await sync.publishToUser('ada', 'PING')).toMatchObject({ seq: 1 })
    await until(stays, () => stays.types.includes('PING'))
  })
})

describe('options', () => {
  it.each<[string, unknown]>([
    ['log', {}],
    ['maxEntries', 0],
    ['maxEntries', null],
    ['maxLogBytes', -1],
    ['maxClients', 1.5],
    ['window', Number.NaN],
    ['highWaterBytes', '1'],
    ['idleMs', 0],
    ['idleMs', Number.POSITIVE_INFINITY],
    ['drainSpreadMs', -1],
    ['accept', true],
    ['random', 1],
  ])('[DSRV-21] names %s where it makes no sense', (name, value) => {
    const delivery = { [name]: value } as ServerDeliveryOptions<typeof receive, typeof send>
    expect(() => createSyncServer({ protocol: kull, delivery })).toThrow(
      expect.objectContaining({
        code: 'option-invalid',
        message: expect.stringContaining(`delivery.${name}`) as string,
      }) as Error,
    )
  })

  it('[DSRV-21] says that a promise of a log is to be awaited', () => {
    const log = Promise.resolve(createMemoryLog()) as never
    expect(() => createSyncServer({ protocol: kull, delivery: { log } })).toThrow('await it')
  })

  it('[DSRV-1] numbers what is relayed for plain clients, too', async () => {
    const { connect, connectDevice, sync } = await startServer()
    const plain = toDeliveryClient(await connect('?token=ada:plain'))
    plain.report(1)
    await until(plain, () => plain.types.includes('SHOOT_PROGRESS'))
    expect(plain.frames.at(-1)).toMatchObject({ data: { ...progress, processedCount: 1 } })
    const mac = await connectDevice('ada:mac')
    expect(await mac.resume()).toMatchObject({ head: 1 })
    expect(sync.stats().delivery).toMatchObject({ taken: 0, resumes: 1 })
  })
})
