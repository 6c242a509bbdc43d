import { describe, expect, it } from 'vitest'
import type { AnyIncomingMessage, DeliveryLog, LogChange } from '../../../src/server/index.js'
import { createMemoryLog } from '../../../src/server/index.js'
import type { receive, send } from '../../../src/schemas/kull.js'
import { createManualClock } from '../../../src/testing/clock.js'
import {
  claim,
  createHeldLog,
  progress,
  startServer,
  toDeliveryClient,
  turn,
  until,
} from './support.js'

type Incoming = AnyIncomingMessage<typeof receive, typeof send>

function spyOn(log: DeliveryLog): DeliveryLog & { readonly changes: LogChange[] } {
  const changes: LogChange[] = []
  return {
    open: (userId) => log.open(userId),
    changes,
    commit(userId, change) {
      changes.push(change)
      return log.commit(userId, change)
    },
  }
}

describe('what goes to all devices', () => {
  it('[DSRV-9] is numbered, whoever causes it, and the same to plain clients as ever', async () => {
    const { connect, connectDevice, sync } = await startServer()
    const plain = await connect('?token=ada:plain')
    await plain.received(1)
    const mac = await connectDevice('ada:mac')
    await mac.resume(claim)
    expect(sync.broadcastToUser('ada', 'SHOOT_PROGRESS', progress)).toBe(2)
    expect(
      sync.broadcastBatchToUser('ada', [
        { type: 'SHOOT_PROGRESS', data: progress },
        { type: 'PROMPT_CHANGE', data: { promptId: 'p-1', action: 'voted' } },
      ]),
    ).toBe(2)
    expect(sync.broadcastBatchToUser('ada', [])).toBe(0)
    plain.say({ type: 'UPDATE_PROGRESS', payload: progress })
    await until(mac, () => mac.numbered.length === 4)
    mac.report(1)
    expect(
      await sync.publishToUser('ada', 'PROMPT_CHANGE', { promptId: 'p', action: 'voted' }),
    ).toEqual({ epoch: 'epoch-1', seq: expect.any(Number) as number })
    await until(mac, () => mac.numbered.length === 6)
    expect(mac.numbered.map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5, 6])
    const caused = mac.numbered.map(({ type, deviceId, id }) => [type, deviceId, id])
    expect(caused).toContainEqual(['SHOOT_PROGRESS', 'mac', 'out-1/1'])
    expect(caused).toContainEqual(['SHOOT_PROGRESS', 'plain', undefined])
    await until(plain, () => plain.frames.length === 7)
    expect(plain.types).toContain('BATCH')
    expect(plain.raw.join()).not.toMatch(/"(seq|epoch|id)":/)
    // What is for one socket, one device or admins has no number.
    sync.sendToDevice('ada', 'mac', 'PING')
    sync.clients('ada')[0]!.send('PING')
    await until(mac, () => mac.types.at(-1) === 'PING')
    expect(mac.numbered).toHaveLength(6)
  })

  it('[DSRV-9] is stored as it was when it was sent, or not accepted at all', async () => {
    const log = createHeldLog()
    const { connect, sync } = await startServer({ log })
    const plain = await connect('?token=ada:plain')
    await plain.received(1)
    log.hold()
    const data = { promptId: 'p-1', action: 'voted' as const }
    expect(sync.broadcastToUser('ada', 'PROMPT_CHANGE', data)).toBe(1)
    data.promptId = 'changed'
    const cyclic: Record<string, unknown> = { ...progress }
    cyclic['self'] = cyclic
    for (const bad of [cyclic, { ...progress, totalCount: Number.NaN }]) {
      const invalid = expect.objectContaining({ code: 'message-invalid' }) as Error
      expect(() => sync.broadcastToUser('ada', 'SHOOT_PROGRESS', bad as never)).toThrow(invalid)
      await expect(sync.publishToUser('ada', 'SHOOT_PROGRESS', bad as never)).rejects.toEqual(
        invalid,
      )
    }
    await plain.settled()
    expect(plain.types).toEqual(['DEVICE_CONNECTED'])
    log.release()
    await plain.received(2)
    expect(plain.frames[1]!.data).toEqual({ promptId: 'p-1', action: 'voted' })
  })

  it('[DSRV-22] reaches plain clients as it would without delivery, and a client that is told both', async () => {
    const seen: Incoming[] = []
    const { connect, connectDevice, sync } = await startServer(
      {},
      { onMessage: (message) => seen.push(message) },
    )
    const plain = toDeliveryClient(await connect('?token=ada:plain'))
    plain.report(1)
    plain.report(1)
    plain.say({ type: 'SUBSCRIBE' })
    plain.say({ type: '$resume', payload: {} })
    await until(plain, () => plain.types.length === 3)
    plain.say({ type: 'PING' })
    await until(plain, () => plain.types.includes('PONG'))
    expect(plain.types).toEqual(['DEVICE_CONNECTED', 'SHOOT_PROGRESS', 'SHOOT_PROGRESS', 'PONG'])
    const mac = await connectDevice('ada:mac')
    await mac.resume(claim)
    // Without cid and n a message is a plain one.
    mac.say({ type: 'UPDATE_PROGRESS', payload: progress })
    await until(mac, () => mac.numbered.length === 1)
    expect(mac.numbered[0]).toMatchObject({ seq: 3, deviceId: 'mac' })
    expect(mac.of('$ack')).toEqual([])
    expect(seen.map(({ type }) => type)).toEqual([
      ...['UPDATE_PROGRESS', 'UPDATE_PROGRESS', 'SUBSCRIBE', 'PING', 'UPDATE_PROGRESS'],
    ])
    expect(seen.every((message) => !('id' in message))).toBe(true)
    expect(sync.stats()).toMatchObject({ unknown: 1, delivery: { taken: 0 } })
  })
})

describe('what a client sends', () => {
  it('[DSRV-10] is accepted once, when it is the next', async () => {
    const { connectDevice, sync } = await startServer()
    const mac = await connectDevice('ada:mac')
    expect(await mac.resume(claim)).toMatchObject({ hwm: 0, known: false, refused: [] })
    // One after the other: what comes in one read is acknowledged together.
    mac.report(1)
    await until(mac, () => mac.of('$ack').length === 1)
    mac.report(3)
    mac.report(1)
    await until(mac, () => mac.of('$ack').length === 2)
    mac.report(2)
    await until(mac, () => mac.of('$ack').length === 3)
    expect(mac.of('$ack')).toEqual([
      { cid: 'out-1', n: 1 },
      { cid: 'out-1', n: 1 },
      { cid: 'out-1', n: 2 },
    ])
    expect(mac.numbered.map(({ id, data }) => [id, data!['processedCount']])).toEqual([
      ['out-1/1', 1],
      ['out-1/2', 2],
    ])
    expect(sync.stats().delivery).toMatchObject({ taken: 2, gaps: 1, duplicates: 1 })
    const again = await connectDevice('ada:mac')
    expect(await again.resume(claim)).toMatchObject({ hwm: 2, known: true, refused: [] })
  })

  it('[DSRV-10] is acknowledged together where it comes together, in batches too', async () => {
    const { connectDevice, sync } = await startServer()
    const mac = await connectDevice('ada:mac')
    await mac.resume(claim)
    const report = (n: number): object => ({
      type: 'UPDATE_PROGRESS',
      payload: { shootId: 's', status: 'processing', processedCount: n, totalCount: 9 },
      cid: 'out-1',
      n,
    })
    mac.say({ type: 'BATCH', messages: [report(1), report(2), { type: 'PING' }, report(3)] })
    await until(mac, () => mac.of('$ack').length === 1)
    expect(mac.of('$ack')).toEqual([{ cid: 'out-1', n: 3 }])
    expect(mac.numbered.map(({ id }) => id)).toEqual(['out-1/1', 'out-1/2', 'out-1/3'])
    expect(sync.stats().delivery).toMatchObject({ taken: 3, duplicates: 0 })
  })

  it('[DSRV-10] goes into the log together with its mark', async () => {
    const log = spyOn(createMemoryLog())
    const { connectDevice } = await startServer({ log })
    const mac = await connectDevice('ada:mac')
    await mac.resume(claim)
    mac.report(1)
    await until(mac, () => mac.of('$ack').length === 1)
    const [marked, taken] = log.changes
    expect(log.changes).toHaveLength(2)
    expect(marked).toMatchObject({ marks: [{ deviceId: 'mac', cid: 'out-1', hwm: 0, fence: 1 }] })
    expect(marked).not.toHaveProperty('append')
    expect(taken).toMatchObject({ append: [{ seq: 1, id: 'out-1/1' }], marks: [{ hwm: 1 }] })
  })

  it('[DSRV-12] that can never be accepted is refused for good, and remembered', async () => {
    const { connectDevice, sync } = await startServer({ window: 4 })
    const mac = await connectDevice('ada:mac')
    await mac.resume(claim)
    const broken = (n: number) => ({
      type: 'UPDATE_PROGRESS',
      payload: { wrong: n },
      cid: 'out-1',
      n,
    })
    mac.say(broken(1))
    mac.say({ type: 'NEWER', payload: {}, cid: 'out-1', n: 2 })
    // As invalid a second time, and out of turn: neither changes anything.
    mac.say(broken(1))
    mac.say(broken(9))
    await until(mac, () => mac.of('$nack').length === 2)
    mac.report(3)
    await until(mac, () => mac.of('$ack').some(({ n }) => n === 3))
    expect(mac.of('$nack')).toEqual([
      { cid: 'out-1', n: 1, code: 'invalid', retry: false },
      { cid: 'out-1', n: 2, code: 'unknown-type', retry: false },
    ])
    expect(mac.numbered.map(({ id }) => id)).toEqual(['out-1/3'])
    expect(sync.stats()).toMatchObject({
      invalid: 3,
      unknown: 1,
      delivery: { refused: 2, gaps: 1 },
    })
    expect(await mac.resume(claim)).toMatchObject({
      hwm: 3,
      refused: [
        [1, 'invalid'],
        [2, 'unknown-type'],
      ],
    })
    mac.report(4)
    mac.report(5)
    await until(mac, () => mac.of('$ack').some(({ n }) => n === 5))
    expect(await mac.resume(claim)).toMatchObject({ hwm: 5, refused: [[2, 'unknown-type']] })
  })

  it('[DSRV-13] is refused by accept, for good or for now', async () => {
    const asked: (string | undefined)[] = []
    let isBusy = true
    const accept = (message: Incoming) => {
      asked.push(message.id)
      if (message.type !== 'UPDATE_PROGRESS') return undefined
      const { processedCount } = message.payload
      if (processedCount === 13) return { refuse: 'unlucky' }
      return processedCount === 3 && isBusy ? { refuse: 'busy', retry: true } : undefined
    }
    const { connectDevice } = await startServer({ accept })
    const mac = await connectDevice('ada:mac')
    await mac.resume(claim)
    mac.report(1)
    mac.report(2, 13)
    mac.report(3)
    mac.report(4)
    await until(mac, () => mac.of('$nack').length === 2)
    await mac.settled()
    expect(mac.of('$nack')).toEqual([
      { cid: 'out-1', n: 2, code: 'unlucky', retry: false },
      { cid: 'out-1', n: 3, code: 'busy', retry: true },
    ])
    expect(mac.of('$ack').at(-1)).toEqual({ cid: 'out-1', n: 2 })
    isBusy = false
    mac.report(3)
    mac.report(4)
    await until(mac, () => mac.of('$ack').at(-1)!['n'] === 4)
    expect(mac.numbered.map(({ id }) => id)).toEqual(['out-1/1', 'out-1/3', 'out-1/4'])
    expect(asked).toEqual(['out-1/1', 'out-1/2', 'out-1/3', 'out-1/3', 'out-1/4'])
  })

  it('[DSRV-13] waits for an accept that takes its time; one that fails is reported', async () => {
    const clock = createManualClock()
    const errors: { code: string }[] = []
    const answers: ((answer?: { refuse: string }) => void)[] = []
    const failing = [
      () => {
        throw new Error('no')
      },
      () => Promise.reject(new Error('no')),
      () => ({ wrong: 1 }) as never,
      () => Promise.resolve(1 as never),
      () => new Promise<undefined>(() => {}),
    ]
    const { connectDevice, sync } = await startServer(
      {
        accept: () => {
          const fail = failing.shift()
          if (fail !== undefined) return fail()
          return new Promise((resolve) => answers.push(resolve))
        },
      },
      { clock, onError: (error) => errors.push(error) },
    )
    const mac = await connectDevice('ada:mac')
    await mac.resume(claim)
    for (let round = 1; round <= 4; round += 1) {
      mac.report(1)
      await until(mac, () => mac.of('$nack').length === round)
    }
    mac.report(1)
    await mac.settled()
    clock.advance(10_000)
    await until(mac, () => mac.of('$nack').length === 5)
    expect(new Set(mac.of('$nack').map((nack) => JSON.stringify(nack)))).toEqual(
      new Set([JSON.stringify({ cid: 'out-1', n: 1, code: 'failed', retry: true })]),
    )
    expect(errors.map(({ code }) => code)).toEqual(Array.from({ length: 5 }, () => 'handler-threw'))
    mac.report(1)
    mac.report(2)
    await mac.settled()
    // Others do not wait for it.
    expect(sync.broadcastToUser('ada', 'PING')).toBe(1)
    expect(answers).toHaveLength(1)
    answers[0]!()
    await until(mac, () => mac.of('$ack').length === 1)
    answers[1]!({ refuse: 'late' })
    await until(mac, () => mac.of('$ack').length === 2)
    expect(mac.of('$nack').at(-1)).toEqual({ cid: 'out-1', n: 2, code: 'late', retry: false })
    expect(clock.pending.deadlines).toHaveLength(2)
  })

  it('[DSRV-14] is accepted from the newest socket with the highest fence, and under its own device', async () => {
    const { connectDevice, sync } = await startServer()
    const first = await connectDevice('ada:mac')
    await first.resume({ cid: 'out-1', fence: 3 })
    first.report(1)
    await until(first, () => first.of('$ack').length === 1)
    const second = await connectDevice('ada:mac')
    expect(await second.resume({ cid: 'out-1', fence: 3 })).toMatchObject({ hwm: 1, known: true })
    first.report(2)
    await first.settled()
    second.report(2, 22)
    await until(second, () => second.of('$ack').length === 1)
    const old = await connectDevice('ada:mac')
    expect(await old.resume({ cid: 'out-1', fence: 2 })).not.toHaveProperty('hwm')
    old.report(3, 33)
    await old.settled()
    // Whatever it knows of the outbox, another device and another user have one of their own.
    const phone = await connectDevice('ada:phone')
    expect(await phone.resume({ cid: 'out-1', fence: 9 })).toMatchObject({ hwm: 0, known: false })
    const bob = await connectDevice('bob:mac')
    expect(await bob.resume({ cid: 'out-1', fence: 9 })).toMatchObject({ hwm: 0, known: false })
    // Nor is anybody heard who did not say so before.
    bob.report(1, 1, 'out-2')
    await bob.settled()
    second.report(3)
    await until(second, () => second.of('$ack').length === 2)
    expect(second.numbered.map(({ data }) => data!['processedCount'])).toEqual([22, 3])
    expect(sync.stats().delivery).toMatchObject({ fenced: 3, taken: 3 })
  })

  it('[DSRV-14] is accepted of one outbox at a time, until the socket turns to another', async () => {
    const { connectDevice, sync } = await startServer()
    const mac = await connectDevice('ada:mac')
    await mac.resume(claim)
    await mac.resume({ cid: 'out-2', fence: 1 })
    mac.report(1)
    mac.report(1, 1, 'out-2')
    await until(mac, () => mac.of('$ack').length === 1)
    expect(mac.of('$ack')).toEqual([{ cid: 'out-2', n: 1 }])
    await mac.resume({})
    mac.report(2, 2, 'out-2')
    await mac.settled()
    expect(sync.stats().delivery).toMatchObject({ fenced: 2, taken: 1 })
  })

  it('[DSRV-24] is accepted of the start that was heard last, or of one that knows it', async () => {
    const { connectDevice, sync } = await startServer()
    const original = await connectDevice('ada:mac')
    const cid = 'out-1'
    expect(await original.resume({ cid, fence: 5, start: 'a' })).toMatchObject({ known: false })
    original.report(1)
    await until(original, () => original.of('$ack').length === 1)
    // Both copies of the outbox continue from start a: the first is heard.
    const left = await connectDevice('ada:mac')
    const right = await connectDevice('ada:mac')
    expect(await left.resume({ cid, fence: 6, start: 'b', past: ['a'] })).toMatchObject({ hwm: 1 })
    expect(await right.resume({ cid, fence: 6, start: 'c', past: ['a'] })).not.toHaveProperty('hwm')
    right.report(2, 99)
    await right.settled()
    left.report(2)
    await until(left, () => left.of('$ack').length === 1)
    // A claim that does not count has not changed anything. The answer to b may have been lost.
    expect(await left.resume({ cid, fence: 6, start: 'b', past: ['a'] })).toMatchObject({ hwm: 2 })
    // Restored from a backup: it knows neither b nor a.
    const restored = await connectDevice('ada:mac')
    const old = { cid, fence: 7, start: 'd', past: ['x', 'y'] }
    expect(await restored.resume(old)).not.toHaveProperty('hwm')
    // Two starts that this server has not heard of are in between.
    const later = { cid, fence: 9, start: 'g', past: ['b', 'e', 'f'] }
    expect(await left.resume(later)).toMatchObject({ hwm: 2, known: true })
    expect(await left.resume({ cid, fence: 9, start: 'g' })).toMatchObject({ hwm: 2 })
    // No start is the start '': that of a client that knows of none.
    expect(await left.resume({ cid, fence: 9 })).not.toHaveProperty('hwm')
    expect(sync.stats().delivery).toMatchObject({ taken: 2, fenced: 1 })
    // Its new outbox begins anew.
    const anew = await right.resume({ cid: 'out-2', fence: 1, start: 'c' })
    expect(anew).toMatchObject({ hwm: 0, known: false })
  })

  it('[DSRV-24] without a start is accepted with a fence that grows by bounded steps', async () => {
    const { connectDevice } = await startServer()
    const mac = await connectDevice('ada:mac')
    const resume = (fence: number, cid = 'out-1') => mac.resume({ cid, fence })
    expect(await resume(1_025)).not.toHaveProperty('hwm')
    expect(await resume(1_024)).toMatchObject({ known: false })
    for (const fence of [2 ** 53 - 1, 2_049, 1_023]) {
      expect(await resume(fence)).not.toHaveProperty('hwm')
    }
    expect(await resume(2_048)).toMatchObject({ known: true })
    // The owner continues, whatever others claimed.
    mac.report(1)
    await until(mac, () => mac.of('$ack').length === 1)
  })

  it('[DSRV-24] that knows the last start is accepted with any fence that is not lower', async () => {
    const { connectDevice } = await startServer()
    const mac = await connectDevice('ada:mac')
    const resume = (fence: number, start: string, past: string[]) =>
      mac.resume({ cid: 'out-1', fence, start, past })
    expect(await resume(1, 'a', [])).toMatchObject({ known: false })
    mac.report(1)
    await until(mac, () => mac.of('$ack').length === 1)
    // It was started 1,100 times without a server.
    expect(await resume(1_101, 'z', ['y', 'a'])).toMatchObject({ hwm: 1, known: true })
    expect(await resume(1_100, 'z', ['y', 'a'])).not.toHaveProperty('hwm')
    expect(await resume(2 ** 53 - 1, 'stranger', ['a'])).not.toHaveProperty('hwm')
    expect(await resume(1_102, 'last', ['z'])).toMatchObject({ hwm: 1 })
  })

  it('[DSRV-15] [DSRV-24] has its start in the log before the resume is answered', async () => {
    const log = spyOn(createMemoryLog())
    const { connectDevice } = await startServer({ log })
    const mac = await connectDevice('ada:mac')
    await mac.resume({ cid: 'out-1', fence: 1, start: 'a' })
    await mac.resume({ cid: 'out-1', fence: 1, start: 'a' })
    await mac.resume({ cid: 'out-1', fence: 1, start: 'b', past: ['a'] })
    await mac.resume({ cid: 'out-1', fence: 2, start: 'a', past: [] })
    expect(log.changes.map(({ marks }) => marks)).toMatchObject([
      [{ fence: 1, start: 'a' }],
      [{ fence: 1, start: 'b' }],
    ])
  })

  it('[DSRV-15] is settled before the answer to a resume, which marks a new outbox first', async () => {
    const held = createHeldLog()
    const log = spyOn(held)
    const { connectDevice } = await startServer({ log })
    const mac = await connectDevice('ada:mac')
    await mac.received(1)
    held.hold()
    const resumed = mac.resume(claim)
    await mac.settled()
    expect(mac.types).toEqual(['$hello'])
    expect(log.changes).toHaveLength(1)
    held.release()
    expect(await resumed).toMatchObject({ known: false })
    held.hold()
    mac.report(1)
    mac.report(2)
    await mac.settled()
    const next = await connectDevice('ada:mac')
    const answered = next.resume(claim)
    await next.settled()
    expect(next.types).toEqual(['$hello'])
    mac.report(3)
    await mac.settled()
    held.release()
    expect(await answered).toMatchObject({ hwm: 2, known: true })
    expect(next.numbered).toEqual([])
  })

  it('[DSRV-16] reaches the handlers once, after it was written, with an id', async () => {
    const held = createHeldLog()
    const seen: unknown[] = []
    const { connectDevice, sync } = await startServer(
      { log: held },
      {
        on: {
          UPDATE_PROGRESS: ({ id, client }) => {
            // The log has it by now, so that this comes after it.
            seen.push([id, sync.broadcastToUser(client.userId, 'PING')])
            throw new Error('stops nothing')
          },
        },
        onMessage: ({ type, id }) => seen.push([type, id]),
      },
    )
    const mac = await connectDevice('ada:mac')
    await mac.resume(claim)
    held.hold()
    mac.report(1)
    mac.report(1)
    await mac.settled()
    expect(seen).toEqual([])
    held.release()
    await until(mac, () => mac.numbered.length === 2)
    expect(seen).toEqual([
      ['out-1/1', 1],
      ['UPDATE_PROGRESS', 'out-1/1'],
    ])
    expect(mac.numbered.map(({ type }) => type)).toEqual(['SHOOT_PROGRESS', 'PING'])
  })
})

describe('a log that takes its time', () => {
  it('[DSRV-17] is waited for, and then given everything that waits in one change', async () => {
    const held = createHeldLog()
    const log = spyOn(held)
    const { connect, connectDevice, sync } = await startServer({ log })
    const plain = await connect('?token=ada:plain')
    const mac = await connectDevice('ada:mac')
    await mac.resume(claim)
    await plain.received(2)
    const before = log.changes.length
    held.hold()
    for (let n = 1; n <= 100; n += 1) mac.report(n)
    await mac.settled()
    expect(sync.broadcastToUser('ada', 'PING')).toBe(2)
    const published = sync.publishToUser('ada', 'PING')
    await plain.settled()
    expect(plain.frames).toHaveLength(2)
    expect(mac.of('$ack')).toEqual([])
    held.release()
    expect(await published).toEqual({ epoch: expect.any(String) as string, seq: 102 })
    await until(mac, () => mac.numbered.length === 102)
    await plain.received(104)
    expect(mac.of('$ack').at(-1)).toEqual({ cid: 'out-1', n: 100 })
    // One for what came first, one for all that came while it was being written.
    expect(log.changes.length - before).toBeLessThanOrEqual(3)
    expect(mac.of('$ack').length).toBeLessThanOrEqual(3)
  })

  it('[DSRV-18] that fails has written nothing: nobody is sent it, and clients send again', async () => {
    const errors: { code: string; cause?: unknown }[] = []
    const held = createHeldLog()
    const { connectDevice, sync } = await startServer(
      { log: held },
      { onError: (error) => errors.push(error) },
    )
    const mac = await connectDevice('ada:mac')
    await mac.resume(claim)
    mac.report(1)
    await until(mac, () => mac.of('$ack').length === 1)
    held.hold()
    held.failNext()
    mac.report(2)
    await mac.settled()
    mac.report(3)
    mac.report(4)
    await mac.settled()
    held.release()
    await until(mac, () => mac.of('$nack').length === 1)
    await mac.settled()
    expect(mac.of('$nack')).toEqual([{ cid: 'out-1', n: 2, code: 'unavailable', retry: true }])
    expect(errors).toMatchObject([{ code: 'log-failed', cause: { message: 'disk full' } }])
    for (let n = 2; n <= 4; n += 1) mac.report(n)
    await until(mac, () => mac.of('$ack').at(-1)!['n'] === 4)
    expect(mac.numbered.map(({ seq, id }) => [seq, id])).toEqual([
      [1, 'out-1/1'],
      [2, 'out-1/2'],
      [3, 'out-1/3'],
      [4, 'out-1/4'],
    ])
    held.failNext()
    sync.broadcastToUser('ada', 'PING')
    held.failNext()
    await turn()
    await expect(sync.publishToUser('ada', 'PING')).rejects.toMatchObject({ code: 'log-failed' })
    await mac.settled()
    expect(mac.numbered).toHaveLength(4)
    expect(sync.stats().delivery).toMatchObject({ logFailures: 3, taken: 4, gaps: 2 })
    // A resume that cannot be marked is answered by the next connection.
    held.failNext()
    mac.say({ type: '$resume', payload: { cid: 'new', fence: 1 } })
    expect(await mac.closed).toEqual({ code: 1011, reason: 'Unavailable' })
  })

  it('[DSRV-18] that has lost something begins anew with every client', async () => {
    const memory = createHeldLog()
    let epoch = 'first'
    const log: DeliveryLog = {
      open: async (userId) => ({ ...(await memory.open(userId)), epoch }),
      commit: (userId, change) => memory.commit(userId, change),
    }
    const { connectDevice, left, sync } = await startServer({ log })
    const mac = await connectDevice('ada:mac')
    await mac.resume(claim)
    await sync.publishToUser('ada', 'PING')
    memory.failNext()
    epoch = 'second'
    await expect(sync.publishToUser('ada', 'PING')).rejects.toMatchObject({ code: 'log-failed' })
    expect(await sync.publishToUser('ada', 'PING')).toEqual({ epoch: 'second', seq: 2 })
    expect(await mac.closed).toEqual({ code: 1011, reason: 'Unavailable' })
    await left(1)
    expect(mac.numbered.map(({ seq }) => seq)).toEqual([1])
    const back = await connectDevice('ada:mac')
    const answer = await back.resume({ ...claim, epoch: 'first', seq: 1 })
    expect(answer).toMatchObject({ why: 'epoch', epoch: 'second', hwm: 0, known: true })
  })

  it('[DSRV-18] whose queue is full accepts no more, until it has room again', async () => {
    const held = createHeldLog()
    const errors: string[] = []
    const { connectDevice, sync } = await startServer(
      { log: held, maxEntries: 5 },
      { onError: ({ code }) => errors.push(code) },
    )
    const mac = await connectDevice('ada:mac')
    await mac.resume(claim)
    held.hold()
    // What comes in one turn goes into one change, however much it is.
    const published = Array.from({ length: 8 }, () => sync.publishToUser('ada', 'PING'))
    await turn()
    published.push(...Array.from({ length: 7 }, () => sync.publishToUser('ada', 'PING')))
    const outcomesOf = Promise.allSettled(published)
    mac.report(1)
    await mac.settled()
    expect(mac.of('$nack')).toEqual([{ cid: 'out-1', n: 1, code: 'unavailable', retry: true }])
    held.release()
    const outcomes = await outcomesOf
    expect(outcomes.map(({ status }) => status)).toEqual([
      ...Array.from({ length: 8 + 5 }, () => 'fulfilled'),
      ...['rejected', 'rejected'],
    ])
    mac.report(1)
    await until(mac, () => mac.of('$ack').length === 1)
    // Once for three refusals.
    expect(errors).toEqual(['log-failed'])
  })

  it('[DSRV-18] has what handlers broadcast as they run, however much it is', async () => {
    const { connectDevice, sync } = await startServer(
      { maxEntries: 10 },
      { onMessage: ({ client }) => sync.broadcastToUser(client.userId, 'PING') },
    )
    const mac = await connectDevice('ada:mac')
    await mac.resume(claim)
    const reports = Array.from({ length: 12 }, (_, index) => index + 1)
    const type = 'UPDATE_PROGRESS'
    mac.say({
      type: 'BATCH',
      messages: reports.map((n) => ({ type, payload: progress, cid: 'out-1', n })),
    })
    await until(mac, () => mac.of('$ack').at(-1)?.['n'] === 12)
    await mac.settled()
    expect(mac.types.filter((type) => type === 'PING')).toHaveLength(12)
  })
})
