import { createSyncClient, type SendOutcome } from 'statewire'
import { createDelivery } from 'statewire/delivery'
import { describe, expect, it } from 'vitest'
import { chat, createBench, createWorld } from './harness.js'

const delivered = { outcome: 'delivered' }
const notSent = (reason: string): unknown => expect.objectContaining({ outcome: 'notSent', reason })

describe('accepting', () => {
  it('[OUT-1] [OUT-4] takes messages in every state, and sends them in order', async () => {
    const bench = createBench()
    const { sync, peer, clock, server, settle } = bench
    const receipts = [bench.say('disconnected')]
    peer.onNextAttempt().staysSilent()
    sync.start()
    await settle()
    expect(sync.status.state).toBe('connecting')
    receipts.push(bench.say('connecting'))
    await clock.advanceAsync(10_000)
    expect(sync.status.state).toBe('reconnecting')
    receipts.push(bench.say('reconnecting'))
    peer.onNextAttempt().refuses(1008)
    await clock.advanceAsync(1_000)
    expect(sync.status.state).toBe('failed')
    receipts.push(bench.say('failed'))
    sync.connect()
    await settle()
    expect(sync.status.state).toBe('connected')
    receipts.push(bench.say('connected'))
    await settle()
    const all = ['disconnected', 'connecting', 'reconnecting', 'failed', 'connected']
    expect(server.texts).toEqual(all)
    expect(receipts.map(({ outcome }) => outcome)).toEqual(all.map(() => delivered))
  })

  it('[OUT-2] gives receipts that settle once, and never reject', async () => {
    const { sync, say, settle } = createBench()
    const receipt = say('a')
    expect(receipt).toMatchObject({ type: 'SAY', outcome: undefined })
    expect(await receipt.durable).toBe(false)
    sync.start()
    await settle()
    receipt.abort()
    expect(await receipt.settled).toEqual(delivered)
    expect(receipt.outcome).toEqual(delivered)
  })

  it('[OUT-2] refuses at once what is invalid, or JSON cannot hold', () => {
    const { sync } = createBench()
    expect(sync.send('SAY', { text: 5 as never }).outcome).toEqual(notSent('invalid'))
    expect(sync.send('UNHEARD' as 'BYE').outcome).toEqual(notSent('invalid'))
    expect(sync.outbox.status.depth).toBe(0)
  })

  it('[OUT-4] does not let what is sent on connect overtake what waits', async () => {
    const { sync, say, server, settle } = createBench()
    say('waiting')
    sync.status$.subscribe(({ state }) => {
      if (state === 'connected') say('on connect')
    })
    sync.outbox$.subscribe(({ delivery }) => {
      if (delivery === 'live' && server.texts.length === 0) say('on live')
    })
    sync.start()
    await settle()
    expect(server.texts.slice(0, 2)).toEqual(['waiting', 'on connect'])
  })

  it('[OUT-4] sends larger priorities first', async () => {
    const { sync, server, settle } = createBench({
      outbox: { NOTE: { priority: -1 } },
    })
    sync.send('NOTE', { text: 'n' })
    sync.send('SAY', { text: 'a' })
    sync.send('SAY', { text: 'urgent' }, { priority: 5 })
    sync.send('SAY', { text: 'b' })
    expect(sync.outbox.messages().map(({ payload }) => payload)).toEqual([
      { text: 'urgent' },
      { text: 'a' },
      { text: 'b' },
      { text: 'n' },
    ])
    sync.start()
    await settle()
    expect(server.texts).toEqual(['urgent', 'a', 'b', 'n'])
  })
})

describe('bounds', () => {
  it('[OUT-5] [OUT-3] refuses the newest where there is no room, by number', async () => {
    const { sync, say, server, settle } = createBench({ delivery: { maxMessages: 2 } })
    say('a')
    say('b')
    expect(say('c').outcome).toEqual(notSent('full'))
    sync.start()
    await settle()
    expect(server.texts).toEqual(['a', 'b'])
    expect(say('d').outcome).toBeUndefined()
  })

  it('[OUT-5] refuses the newest where there is no room, by bytes as on the wire', () => {
    const frame = JSON.stringify({ type: 'SAY', payload: { text: 'ä' } })
    const maxBytes = 2 * new TextEncoder().encode(frame).byteLength
    const { sync, say } = createBench({ delivery: { maxBytes } })
    say('ä')
    say('ä')
    expect(sync.outbox.status.bytes).toBe(maxBytes)
    expect(say('').outcome).toEqual(notSent('full'))
  })

  it('[OUT-5] lets the oldest of no larger priority go, where the rule says so', async () => {
    const { sync, settle, server } = createBench({
      delivery: { maxMessages: 3 },
      outbox: { SAY: { whenFull: 'dropOldest' } },
    })
    const urgent = sync.send('SAY', { text: 'urgent' }, { priority: 1 })
    const a = sync.send('SAY', { text: 'a' })
    const b = sync.send('SAY', { text: 'b' })
    const c = sync.send('SAY', { text: 'c' })
    expect([urgent, a, b, c].map(({ outcome }) => outcome)).toEqual([
      undefined,
      notSent('dropped'),
      undefined,
      undefined,
    ])
    expect(sync.send('SAY', { text: 'low' }, { priority: -1 }).outcome).toEqual(notSent('full'))
    sync.start()
    await settle()
    expect(server.texts).toEqual(['urgent', 'b', 'c'])
  })

  it('[OUT-5] drops nothing for a message that does not fit all the same', () => {
    const { sync, say } = createBench({
      delivery: { maxBytes: 100 },
      outbox: { SAY: { whenFull: 'dropOldest' } },
    })
    const a = say('a')
    expect(say('x'.repeat(200)).outcome).toEqual(notSent('full'))
    expect(a.outcome).toBeUndefined()
    expect(sync.outbox.status.depth).toBe(1)
  })
})

describe('waiting', () => {
  it('[OUT-6] [OUT-3] keeps the latest of a key, in its own place', async () => {
    const { sync, say, server, settle } = createBench()
    const x1 = sync.send('NOTE', { text: 'x1' })
    const y1 = sync.send('NOTE', { text: 'y1' })
    say('between')
    const x2 = sync.send('NOTE', { text: 'x2' })
    expect(x1.outcome).toEqual(notSent('replaced'))
    expect([y1.outcome, x2.outcome]).toEqual([undefined, undefined])
    expect(sync.outbox.messages().map(({ payload }) => payload)).toEqual([
      { text: 'y1' },
      { text: 'between' },
      { text: 'x2' },
    ])
    sync.start()
    await settle()
    expect(server.texts).toEqual(['y1', 'between', 'x2'])
  })

  it('[OUT-6] leaves one alone that has a number', async () => {
    const { sync, server, settle } = createBench()
    server.behaviour.ignoresMessages = true
    sync.start()
    await settle()
    const x1 = sync.send('NOTE', { text: 'x1' })
    await settle()
    const x2 = sync.send('NOTE', { text: 'x2' })
    await settle()
    expect([x1.outcome, x2.outcome]).toEqual([undefined, undefined])
    expect(sync.outbox.status).toMatchObject({ depth: 2, inFlight: 2 })
  })

  it('[OUT-7] [OUT-3] lets a message expire at its time, by one timer', async () => {
    const { sync, clock, server } = createBench({ outbox: { NOTE: { ttlMs: 50 } } })
    const long = sync.send('SAY', { text: 'long' }, { ttlMs: 300 })
    const short = sync.send('SAY', { text: 'short' }, { ttlMs: 100 })
    const ruled = sync.send('NOTE', { text: 'ruled' })
    const endless = sync.send('SAY', { text: 'endless' })
    expect(clock.pending.count).toBe(1)
    await clock.advanceAsync(49)
    expect(ruled.outcome).toBeUndefined()
    await clock.advanceAsync(1)
    expect(ruled.outcome).toEqual(notSent('expired'))
    await clock.advanceAsync(50)
    expect(short.outcome).toEqual(notSent('expired'))
    expect(clock.pending.count).toBe(1)
    await clock.advanceAsync(200)
    expect(long.outcome).toEqual(notSent('expired'))
    expect(clock.pending.count).toBe(0)
    sync.start()
    await clock.advanceAsync(0)
    expect(server.texts).toEqual(['endless'])
    expect(await endless.settled).toEqual(delivered)
  })

  it('[OUT-7] does not call off one that was transmitted', async () => {
    const { sync, clock, peer, server } = createBench()
    server.behaviour.losesAcks = true
    sync.start()
    await clock.advanceAsync(0)
    const receipt = sync.send('SAY', { text: 'a' }, { ttlMs: 100 })
    peer.drops()
    await clock.advanceAsync(500)
    expect(receipt.outcome).toBeUndefined()
    await clock.advanceAsync(500)
    expect(receipt.outcome).toEqual(delivered)
    expect(server.texts).toEqual(['a'])
  })

  it('[OUT-8] [OUT-3] takes back what was not transmitted', async () => {
    const { sync, say, server, settle } = createBench()
    const controller = new AbortController()
    const byReceipt = say('by receipt')
    const bySignal = sync.send('SAY', { text: 'by signal' }, { signal: controller.signal })
    const byId = say('by id')
    const stays = say('stays')
    byReceipt.abort()
    controller.abort()
    const [first] = sync.outbox.messages()
    expect(sync.outbox.remove(first?.id ?? '')).toBe(true)
    expect(sync.outbox.remove(first?.id ?? '')).toBe(false)
    for (const { outcome } of [byReceipt, bySignal, byId]) {
      expect(outcome).toEqual(notSent('aborted'))
    }
    const { signal } = controller
    expect(sync.send('SAY', { text: 'late' }, { signal }).outcome).toEqual(notSent('aborted'))
    sync.start()
    await settle()
    expect(server.texts).toEqual(['stays'])
    expect(stays.outcome).toEqual(delivered)
  })

  it('[OUT-8] does not know what becomes of what was transmitted, and does not send it again', async () => {
    const { sync, say, clock, peer, server } = createBench()
    sync.start()
    await clock.advanceAsync(0)
    server.behaviour.ignoresMessages = true
    const before = say('before')
    const aborted = say('aborted')
    const after = say('after')
    await clock.advanceAsync(0)
    aborted.abort()
    expect(aborted.outcome).toEqual({ outcome: 'unknown', reason: 'aborted' })
    expect(sync.outbox.messages().map(({ payload }) => payload)).toEqual([
      { text: 'before' },
      { text: 'after' },
    ])
    server.behaviour.ignoresMessages = false
    peer.drops()
    await clock.advanceAsync(1_000)
    expect(server.texts).toEqual(['before', 'after'])
    expect([before.outcome, after.outcome]).toEqual([delivered, delivered])
  })

  it('[OUT-8] clears all: what waited and what was on its way', async () => {
    const { sync, say, server, settle } = createBench()
    server.behaviour.ignoresMessages = true
    server.behaviour.window = 1
    sync.start()
    await settle()
    const onItsWay = say('a')
    const waiting = say('b')
    sync.outbox.clear()
    expect(onItsWay.outcome).toEqual({ outcome: 'unknown', reason: 'cleared' })
    expect(waiting.outcome).toEqual(notSent('cleared'))
    expect(sync.outbox.messages()).toEqual([])
  })
})

describe('what can be seen', () => {
  it('[OUT-9] is depth, bytes, what is in flight, and since when', async () => {
    const { sync, say, clock, server } = createBench()
    const seen: unknown[] = []
    sync.outbox$.subscribe(({ depth, inFlight, delivery }) =>
      seen.push([depth, inFlight, delivery]),
    )
    server.behaviour.ignoresMessages = true
    say('a')
    say('b')
    await clock.advanceAsync(5)
    const frame = JSON.stringify({ type: 'SAY', payload: { text: 'a' } })
    expect(sync.outbox.status).toEqual({
      depth: 2,
      inFlight: 0,
      bytes: 2 * frame.length,
      oldestAt: clock.epoch() - 5,
      isOwner: true,
      isDurable: false,
      delivery: 'offline',
    })
    expect(sync.getSnapshot().outbox).toEqual(sync.outbox.status)
    sync.start()
    await clock.advanceAsync(0)
    expect(sync.outbox.messages()).toMatchObject([
      { type: 'SAY', payload: { text: 'a' }, acceptedAt: clock.epoch() - 5, isTransmitted: true },
      { type: 'SAY', payload: { text: 'b' }, isTransmitted: true },
    ])
    expect(seen[0]).toEqual([0, 0, 'offline'])
    expect(seen.at(-1)).toEqual([2, 2, 'live'])
    expect(sync.outbox.counts()).toMatchObject({ accepted: 2, transmitted: 2, delivered: 0 })
  })

  it('[OUT-9] is what it is now for who looks, or subscribes, late', () => {
    const { sync, say } = createBench()
    say('a')
    expect(sync.getSnapshot().outbox.depth).toBe(1)
    expect(sync.getSnapshot()).toBe(sync.getSnapshot())
    say('b')
    const depths: number[] = []
    sync.outbox$.subscribe(({ depth }) => depths.push(depth))
    say('c')
    sync.subscribe(({ outbox }) => depths.push(outbox.depth))
    expect(depths.slice(0, 1)).toEqual([2])
    expect(sync.getSnapshot().outbox.depth).toBe(2)
  })

  it('[OUT-9] is nothing for a client without delivery', () => {
    const sync = createSyncClient(chat, { url: 'ws://server.test/ws' })
    expect(sync.outbox.status).toMatchObject({ depth: 0, delivery: 'none' })
    expect(sync.outbox.messages()).toEqual([])
    expect(sync.outbox.remove('x')).toBe(false)
    sync.outbox.clear()
    expect(sync.outbox.counts().accepted).toBe(0)
    sync.dispose()
  })
})

describe('flow', () => {
  it('[OUT-10] keeps to the smaller window of both sides', async () => {
    const { sync, say, server, settle } = createBench({ delivery: { window: 3 } })
    server.behaviour.ignoresMessages = true
    for (let at = 0; at < 10; at += 1) say(`${at}`)
    sync.start()
    await settle()
    expect(sync.outbox.status).toMatchObject({ depth: 10, inFlight: 3 })
    server.behaviour.window = 2
    server.behaviour.ignoresMessages = false
    sync.reconnect()
    await settle()
    expect(server.texts).toHaveLength(10)
    expect(sync.outbox.status).toMatchObject({ depth: 0, inFlight: 0 })
  })

  it('[OUT-10] waits while the socket is full, and goes on when it is not', async () => {
    const { sync, clock, peer, server } = createBench({ client: { maxBufferedBytes: 200 } })
    sync.start()
    await clock.advanceAsync(0)
    peer.stopsReading()
    const receipts = Array.from({ length: 10 }, (_, at) => sync.send('SAY', { text: `${at}` }))
    await clock.advanceAsync(0)
    const { inFlight, depth } = sync.outbox.status
    expect(depth).toBe(10)
    expect(inFlight).toBeGreaterThan(1)
    expect(sync.outbox.counts().transmitted).toBeLessThan(inFlight)
    peer.readsAgain()
    await clock.advanceAsync(25 * 10)
    expect(server.texts).toEqual(receipts.map((_, at) => `${at}`))
    expect(receipts.every(({ outcome }) => outcome?.outcome === 'delivered')).toBe(true)
  })
})

describe('the end', () => {
  it('[OUT-11] of a stop keeps what waits', async () => {
    const { sync, say, server, settle } = createBench()
    sync.start()
    await settle()
    sync.stop()
    const receipt = say('kept')
    await settle()
    expect(sync.outbox.status).toMatchObject({ depth: 1, delivery: 'offline' })
    sync.start()
    await settle()
    expect(receipt.outcome).toEqual(delivered)
    expect(server.texts).toEqual(['kept'])
  })

  it('[OUT-11] of the client settles what waits, and leaves no timer', async () => {
    const { sync, say, clock, server } = createBench()
    server.behaviour.ignoresMessages = true
    server.behaviour.window = 1
    sync.start()
    await clock.advanceAsync(0)
    const onItsWay = say('a')
    const waiting = sync.send('SAY', { text: 'b' }, { ttlMs: 60_000 })
    sync.dispose()
    expect(onItsWay.outcome).toEqual({ outcome: 'unknown', reason: 'disposed' })
    expect(waiting.outcome).toEqual(notSent('disposed'))
    expect(say('c').outcome).toEqual(notSent('disposed'))
    await clock.advanceAsync(2_000)
    expect(clock.pending.count).toBe(0)
  })

  it('[OUT-11] of the client by a rule of its own outbox refuses the message that the rule was asked about', () => {
    const { sync } = createBench({
      outbox: {
        NOTE: {
          keepLatestBy() {
            sync.dispose()
            return 'key'
          },
        },
      },
    })
    expect(sync.send('NOTE', { text: 'a' }).outcome).toEqual({
      outcome: 'notSent',
      reason: 'disposed',
      detail: 'The client has been disposed.',
    })
  })

  it('[OUT-12] keeps the outboxes of keys apart', async () => {
    let key = 'staging'
    const { sync, say, server, settle } = createBench({ delivery: { key: () => key } })
    const waiting = say('for staging')
    key = 'production'
    sync.start()
    await settle()
    say('for production')
    await settle()
    expect(server.texts).toEqual(['for production'])
    expect(waiting.outcome).toBeUndefined()
    expect(sync.outbox.status.depth).toBe(0)
    key = 'staging'
    sync.reconnect({ url: 'ws://staging.test/ws' })
    await settle()
    expect(server.texts).toEqual(['for production', 'for staging'])
    expect(waiting.outcome).toEqual(delivered)
  })
})

it.each([true, false])(
  '[OUT-12] sends nothing of another key to a server that is being left (plain: %s)',
  async (isPlain) => {
    let key = 'staging'
    const { sync, say, clock, peer, server } = createBench({ delivery: { key: () => key } })
    server.behaviour.isPlain = isPlain
    const forStaging = say('for staging')
    key = 'production'
    sync.start()
    await clock.advanceAsync(2_000)
    const before = peer.messages.length
    key = 'staging'
    // Connected already, so it stays with what it is connected to.
    sync.connect()
    say('for production')
    await clock.advanceAsync(0)
    expect(server.texts.concat(server.plain)).toEqual(['for production'])
    const { socket } = peer
    sync.reconnect({ url: 'ws://staging.test/ws' })
    expect(socket?.received.length).toBe(before + 1)
    await clock.advanceAsync(2_000)
    expect(server.texts.concat(server.plain)).toEqual(['for production', 'for staging'])
    expect(forStaging.outcome?.outcome).toBe(isPlain ? 'sent' : 'delivered')
  },
)

describe('options', () => {
  const bad = [
    [{ maxMessages: 0 }, 'maxMessages'],
    [{ maxBytes: 1.5 }, 'maxBytes'],
    [{ window: Number.NaN }, 'window'],
    [{ greetingMs: -1 }, 'greetingMs'],
    [{ answerTimeoutMs: 0 }, 'answerTimeoutMs'],
    [{ answerTimeoutMs: Number.NaN }, 'delivery.answerTimeoutMs'],
    [{ leaseMs: 0 }, 'leaseMs'],
    [{ leaseMs: Number.NaN }, 'delivery.leaseMs'],
    [{ key: 'x' }, 'key'],
    [{ database: {} }, 'database'],
    [{ makeId: 5 }, 'makeId'],
  ] as const

  it.each(bad)('[OUT-13] %j is refused, and named', (options, name) => {
    expect(() => createDelivery(options as never)).toThrow(
      expect.objectContaining({
        code: 'option-invalid',
        message: expect.stringContaining(name) as string,
      }),
    )
  })

  const badRules = [
    [{ ttlMs: -5 }, 'outbox.SAY.ttlMs'],
    [{ priority: Number.NaN }, 'outbox.SAY.priority'],
    [{ whenFull: 'never' }, 'outbox.SAY.whenFull'],
    [{ keepLatestBy: 'id' }, 'outbox.SAY.keepLatestBy'],
  ] as const

  it.each(badRules)('[OUT-13] a rule of the protocol that is %j is refused', (rule, name) => {
    expect(() => createBench({ outbox: { SAY: rule as never } })).toThrow(
      expect.objectContaining({
        code: 'protocol-invalid',
        message: expect.stringContaining(name) as string,
      }),
    )
  })

  it('[OUT-13] refuses what is no delivery', () => {
    const options = { url: 'ws://server.test/ws', delivery: {} as never }
    expect(() => createSyncClient(chat, options)).toThrow(/delivery/)
  })

  it('[OUT-13] reports a key and a keepLatestBy that throw, and goes on', async () => {
    const { sync, errors, server, settle } = createBench({
      delivery: {
        key() {
          throw new Error('key')
        },
      },
      outbox: {
        SAY: {
          keepLatestBy() {
            throw new Error('latest')
          },
        },
      },
    })
    sync.send('SAY', { text: 'a' })
    sync.send('SAY', { text: 'b' })
    sync.start()
    await settle()
    expect(server.texts).toEqual(['a', 'b'])
    expect(errors.map(({ code }) => code)).toContain('handler-threw')
    expect(errors.length).toBeGreaterThanOrEqual(3)
  })
})

it('[OUT-2] settles every receipt, whatever handlers of outcomes do', async () => {
  const world = createWorld()
  const { sync, say, settle } = createBench({ world })
  const outcomes: SendOutcome[] = []
  const first = say('a')
  void first.settled.then((outcome) => {
    outcomes.push(outcome)
    void say('b').settled.then((next) => outcomes.push(next))
  })
  sync.start()
  await settle()
  expect(outcomes).toEqual([delivered, delivered])
})

describe('batches', () => {
  it('[OUT-17] hold what is sent in one turn, in order, but for the first', async () => {
    const { sync, server, peer, settle } = createBench()
    sync.start()
    await settle()
    const before = peer.messages.length
    const receipts = Array.from({ length: 150 }, (_, at) => sync.send('SAY', { text: `${at}` }))
    expect(peer.messages.length - before).toBe(1)
    await settle()
    expect(server.texts).toEqual(receipts.map((_, at) => `${at}`))
    const frames = new Set(peer.messages.slice(before).map(({ raw }) => raw))
    expect([...frames].map((raw) => raw.toString().startsWith('{"type":"BATCH"'))).toEqual([
      false,
      true,
      true,
      true,
    ])
    expect(receipts.every(({ outcome }) => outcome?.outcome === 'delivered')).toBe(true)
  })

  it('[OUT-17] are no larger than 64 KiB, nor than the server takes', async () => {
    for (const maxBytes of [5_000, 1_000_000]) {
      const { sync, server, peer, settle } = createBench()
      server.behaviour.maxBytes = maxBytes
      sync.start()
      await settle()
      for (let at = 0; at < 60; at += 1) sync.send('SAY', { text: 'x'.repeat(3_000) })
      await settle()
      expect(server.texts).toHaveLength(60)
      const sizes = peer.messages.map(({ raw }) => raw.length)
      expect(Math.max(...sizes)).toBeLessThanOrEqual(Math.min(maxBytes, 65_536))
      expect(Math.max(...sizes)).toBeGreaterThan(Math.min(maxBytes, 65_536) * 0.6)
    }
  })

  it('[OUT-17] are not made for a plain server', async () => {
    const { sync, server, peer, clock } = createBench()
    server.behaviour.isPlain = true
    for (let at = 0; at < 10; at += 1) sync.send('SAY', { text: `${at}` })
    sync.start()
    await clock.advanceAsync(2_000)
    expect(server.plain).toHaveLength(10)
    expect(new Set(peer.messages.map(({ raw }) => raw)).size).toBe(10)
  })

  it('[OUT-17] are not made where the envelope has none', async () => {
    const world = createWorld()
    const { batch: _, ...toServer } = chat.envelope.toServer
    const { sync, server, peer, settle } = createBench({
      world,
      envelope: { ...chat.envelope, toServer },
    })
    sync.start()
    await settle()
    for (let at = 0; at < 10; at += 1) sync.send('SAY', { text: `${at}` })
    await settle()
    expect(server.texts).toHaveLength(10)
    expect(peer.messages.every(({ raw }) => !raw.toString().includes('BATCH'))).toBe(true)
  })
})
