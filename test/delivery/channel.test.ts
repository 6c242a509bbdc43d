import type { ConnectionStatus } from 'statewire'
import { kull } from 'statewire/kull'
import { createDelivery } from 'statewire/delivery'
import { createSyncClient } from 'statewire'
import { createFakeTransport, createManualClock } from 'statewire/testing'
import { describe, expect, it } from 'vitest'
import { chat, createBench } from './harness.js'

const delivered = { outcome: 'delivered' }

/** A connected bench with one message whose acknowledgement is lost. */
async function sendWithoutAck() {
  const bench = createBench()
  bench.sync.start()
  await bench.clock.advanceAsync(0)
  bench.server.behaviour.losesAcks = true
  const onItsWay = bench.say('on its way')
  await bench.clock.advanceAsync(0)
  bench.server.behaviour.losesAcks = false
  return { ...bench, onItsWay }
}

const types = (frames: readonly { readonly type: string | undefined }[]) =>
  frames.map(({ type }) => type)

describe('negotiation', () => {
  it('[DLV-1] says so in the query, and leaves the rest of it as it was', async () => {
    const clock = createManualClock()
    const network = createFakeTransport({ clock, protocol: kull })
    const sync = createSyncClient(kull, {
      url: 'ws://server.test/ws?a=b',
      credentials: { userId: 'u', deviceId: 'D:1' },
      transport: network,
      clock,
      delivery: createDelivery(),
    })
    sync.connect()
    await clock.advanceAsync(0)
    const url = network.attempts[0]?.url
    expect(url).toBe('ws://server.test/ws?a=b&token=u:D:1&caps=1')
    sync.dispose()
  })

  it('[DLV-2] [DLV-3] takes a server that speaks first without a greeting for a plain one', async () => {
    const { sync, say, server, peer, settle } = createBench()
    server.behaviour.isPlain = true
    const receipts = [say('a'), say('b')]
    sync.start()
    await settle()
    expect(sync.outbox.status.delivery).toBe('greeting')
    expect(types(peer.messages)).toEqual([])
    peer.sends('SAID', { id: '1', text: 'hello' })
    await settle()
    expect(sync.outbox.status.delivery).toBe('plain')
    expect(server.plain).toEqual(['a', 'b'])
    expect(receipts.map(({ outcome }) => outcome)).toEqual([
      { outcome: 'sent' },
      { outcome: 'sent' },
    ])
    expect(say('c').outcome).toEqual({ outcome: 'sent' })
  })

  it('[OUT-9] [DLV-3] publishes each state of delivery, without any message', async () => {
    const { sync, server, peer, clock } = createBench()
    server.behaviour.isPlain = true
    const states: string[] = []
    sync.outbox$.subscribe(({ delivery }) => states.push(delivery))
    sync.start()
    await clock.advanceAsync(2_000)
    peer.drops()
    await clock.advanceAsync(0)
    expect(states.filter((state, at) => state !== states[at - 1])).toEqual([
      'offline',
      'greeting',
      'plain',
      'offline',
    ])
    sync.dispose()
  })

  it('[DLV-2] [DLV-3] waits 2 s for a silent one, and only once for each address', async () => {
    const { sync, say, server, peer, clock } = createBench()
    server.behaviour.isPlain = true
    sync.start()
    const first = say('a')
    await clock.advanceAsync(1_999)
    expect(first.outcome).toBeUndefined()
    await clock.advanceAsync(1)
    expect(first.outcome).toEqual({ outcome: 'sent' })
    peer.drops()
    await clock.advanceAsync(1_000)
    expect(say('b').outcome).toEqual({ outcome: 'sent' })
    sync.reconnect({ url: 'ws://another.test/ws' })
    await clock.advanceAsync(1_999)
    const third = say('c')
    expect(third.outcome).toBeUndefined()
    await clock.advanceAsync(1)
    expect(third.outcome).toEqual({ outcome: 'sent' })
  })

  it('[DLV-4] lets a late greeting upgrade the connection, and remembers that', async () => {
    const { sync, say, server, peer, clock } = createBench()
    server.behaviour.isPlain = true
    sync.start()
    await clock.advanceAsync(2_000)
    expect(say('plain').outcome).toEqual({ outcome: 'sent' })
    const hello = { v: 1, epoch: server.epoch, head: 0, first: 1, maxBytes: 1e6, idleMs: 3e4 }
    peer.sendsRaw(JSON.stringify({ type: '$hello', data: { ...hello, window: 16 } }))
    await clock.advanceAsync(0)
    expect(sync.outbox.status.delivery).toBe('live')
    const receipt = say('acknowledged')
    await clock.advanceAsync(0)
    expect(receipt.outcome).toEqual(delivered)
    server.behaviour.isPlain = false
    peer.drops()
    const next = say('next')
    await clock.advanceAsync(1_000)
    expect(next.outcome).toEqual(delivered)
  })

  it('[DLV-5] sends nothing else before it was told where it stands', async () => {
    const { sync, say, server, peer, settle } = createBench()
    server.behaviour.ignoresResume = true
    say('a')
    sync.start()
    await settle()
    say('b')
    expect(types(peer.messages)).toEqual(['$resume'])
    expect(sync.outbox.status.delivery).toBe('resuming')
  })
})

describe('what comes in', () => {
  it('[DLV-6] applies each message once, in order, and resumes after a gap', async () => {
    const { sync, server, heard, settle } = createBench()
    sync.start()
    await settle()
    server.says('a')
    server.says('b')
    server.repeats(2)
    await settle()
    expect(heard).toEqual(['a', 'b'])
    server.saysUnheard('lost')
    server.says('after')
    await settle()
    expect(heard).toEqual(['a', 'b', 'lost', 'after'])
    expect(sync.outbox.counts()).toMatchObject({ duplicates: 2, gaps: 1, resumed: 1, reset: 1 })
  })

  it('[DLV-6] comes after all where it was missed', async () => {
    const { sync, server, heard, texts, peer, clock } = createBench()
    sync.start()
    await clock.advanceAsync(0)
    server.says('before')
    await clock.advanceAsync(0)
    peer.drops()
    server.says('while away 1')
    server.says('while away 2')
    await clock.advanceAsync(1_000)
    server.says('after')
    await clock.advanceAsync(0)
    const all = ['before', 'while away 1', 'while away 2', 'after']
    expect(heard).toEqual(all)
    expect(texts()).toEqual(all)
    expect(sync.outbox.counts()).toMatchObject({ resumed: 1, reset: 1 })
    expect(server.resumes.at(-1)).toMatchObject({ epoch: 'epoch-1', seq: 1 })
  })

  it('[DLV-6] applies a message without a number as it comes', async () => {
    const { sync, peer, heard, settle } = createBench()
    sync.start()
    await settle()
    peer.sends('SAID', { id: 'x', text: 'unnumbered' })
    await settle()
    expect(heard).toEqual(['unnumbered'])
  })

  it('[DLV-7] counts a message as applied if it cannot be read, or is unknown', async () => {
    const { sync, peer, server, heard, settle } = createBench()
    sync.start()
    await settle()
    const { epoch } = server
    const send = (frame: object): void => peer.sendsRaw(JSON.stringify({ ...frame, epoch }))
    send({ type: 'SAID', data: 5, seq: 1 })
    send({ type: 'HOLOGRAM', data: 5, seq: 2 })
    send({ type: 'SAID', data: { id: '3', text: 'third' }, seq: 3 })
    await settle()
    expect(heard).toEqual(['third'])
    expect(sync.outbox.counts().gaps).toBe(0)
  })

  it('[DLV-8] becomes the server’s state where too much was missed', async () => {
    const { sync, server, heard, texts, peer, clock } = createBench()
    sync.start()
    await clock.advanceAsync(0)
    server.says('a')
    await clock.advanceAsync(0)
    peer.drops()
    for (const text of ['b', 'c', 'd']) server.says(text)
    server.trims(1)
    await clock.advanceAsync(1_000)
    expect(heard).toEqual(['a'])
    expect(texts()).toEqual(['a', 'b', 'c', 'd'])
    server.says('e')
    await clock.advanceAsync(0)
    expect(texts()).toEqual(['a', 'b', 'c', 'd', 'e'])
    expect(sync.outbox.counts()).toMatchObject({ reset: 2, resumed: 0 })
  })

  it('[DLV-8] leaves the state alone, and goes on, where the server gives none', async () => {
    const { sync, server, texts, peer, clock } = createBench()
    server.behaviour.hasState = false
    sync.start()
    await clock.advanceAsync(0)
    server.says('a')
    await clock.advanceAsync(0)
    peer.drops()
    for (const text of ['b', 'c', 'd']) server.says(text)
    server.trims(2)
    await clock.advanceAsync(1_000)
    expect(texts()).toEqual(['a', 'c', 'd'])
  })

  it('[DLV-8] is the state of a new memory after the server lost its own', async () => {
    const { sync, server, texts, peer, clock } = createBench()
    sync.start()
    await clock.advanceAsync(0)
    server.says('old')
    await clock.advanceAsync(0)
    server.forgets()
    server.says('new')
    peer.drops()
    await clock.advanceAsync(1_000)
    expect(texts()).toEqual(['new'])
    expect(sync.outbox.counts().reset).toBe(2)
  })

  it('[DLV-9] is forgotten by a stop, and stays after a disconnect', async () => {
    const { sync, server, heard, texts, settle } = createBench()
    sync.start()
    await settle()
    server.says('a')
    await settle()
    sync.disconnect()
    server.says('b')
    sync.connect()
    await settle()
    expect(heard).toEqual(['a', 'b'])
    sync.stop()
    expect(texts()).toEqual([])
    sync.start()
    await settle()
    expect(server.resumes.at(-1)).not.toHaveProperty('seq')
    expect(texts()).toEqual(['a', 'b'])
    expect(heard).toEqual(['a', 'b'])
  })

  it('[DLV-9] is forgotten by a stop that a handler makes while a snapshot is applied', async () => {
    const { sync, server, texts, peer, settle } = createBench()
    server.says('a')
    sync.start()
    await settle()
    const subscription = sync.on('SAID').subscribe(() => {
      subscription.unsubscribe()
      sync.stop()
    })
    // In one read of the socket: the open batch is published by the snapshot.
    peer.sendsRaw(JSON.stringify({ type: 'SAID', data: { id: 'x', text: 'x' } }))
    const { epoch, head } = server
    peer.sendsRaw(
      JSON.stringify({ type: '$snapshot', data: { epoch, seq: head, state: [['b', 'b']] } }),
    )
    await settle()
    expect(sync.status.state).toBe('disconnected')
    expect(texts()).toEqual([])
    sync.start()
    await settle()
    expect(texts()).toEqual(['a'])
  })
})

describe('what goes out', () => {
  it('[DLV-10] is delivered with its acknowledgement, once', async () => {
    const { sync, say, server, settle } = createBench()
    sync.start()
    await settle()
    const receipts = Array.from({ length: 300 }, (_, at) => say(`${at}`))
    await settle()
    expect(server.texts).toEqual(receipts.map((_, at) => `${at}`))
    expect(receipts.every(({ outcome }) => outcome?.outcome === 'delivered')).toBe(true)
    expect(sync.outbox.counts()).toMatchObject({ transmitted: 300, retransmitted: 0 })
  })

  it('[DLV-10] is refused for good with a code, and the rest goes on', async () => {
    const { sync, say, server, settle } = createBench()
    server.behaviour.refuse = (text) => (text === 'b' ? { code: 'rude', retry: false } : undefined)
    sync.start()
    const receipts = ['a', 'b', 'c'].map(say)
    await settle()
    expect(receipts.map(({ outcome }) => outcome)).toEqual([
      delivered,
      { outcome: 'refused', code: 'rude' },
      delivered,
    ])
    expect(server.texts).toEqual(['a', 'c'])
  })

  it('[DLV-10] waits where it is refused for now, longer each time, and keeps its order', async () => {
    const { sync, say, server, clock } = createBench()
    server.behaviour.refuse = (text) => (text === 'b' ? { code: 'busy', retry: true } : undefined)
    sync.start()
    const receipts = ['a', 'b', 'c'].map(say)
    await clock.advanceAsync(0)
    expect(server.texts).toEqual(['a'])
    const times: number[] = []
    let count = sync.outbox.counts().transmitted
    for (let second = 1; second <= 100; second += 1) {
      await clock.advanceAsync(1_000)
      const { transmitted } = sync.outbox.counts()
      if (transmitted > count) times.push(second)
      count = transmitted
    }
    expect(times).toEqual([1, 3, 7, 15, 31, 61, 91])
    server.behaviour.refuse = () => undefined
    await clock.advanceAsync(30_000)
    expect(server.texts).toEqual(['a', 'b', 'c'])
    expect(receipts.map(({ outcome }) => outcome)).toEqual([delivered, delivered, delivered])
  })

  it('[DLV-11] is settled by what the server says after a reconnect, or sent again', async () => {
    const { sync, say, server, peer, clock } = createBench()
    sync.start()
    await clock.advanceAsync(0)
    server.behaviour.losesAcks = true
    const taken = [say('taken 1'), say('taken 2')]
    await clock.advanceAsync(0)
    server.behaviour.ignoresMessages = true
    const lost = say('lost')
    await clock.advanceAsync(0)
    server.behaviour.ignoresMessages = false
    server.behaviour.losesAcks = false
    peer.drops()
    const waiting = say('waiting')
    await clock.advanceAsync(1_000)
    expect(server.texts).toEqual(['taken 1', 'taken 2', 'lost', 'waiting'])
    for (const { outcome } of [...taken, lost, waiting]) expect(outcome).toEqual(delivered)
    expect(sync.outbox.counts()).toMatchObject({ transmitted: 5, retransmitted: 1 })
  })

  it('[DLV-11] is refused after all where the refusal was lost with its connection', async () => {
    const { sync, say, server, peer, clock } = createBench()
    server.behaviour.refuse = () => ({ code: 'rude', retry: false })
    sync.start()
    await clock.advanceAsync(0)
    peer.goesSilent()
    const receipt = say('a')
    await clock.advanceAsync(0)
    // It arrives, and the answer does not.
    peer.speaksAgain()
    peer.drops()
    await clock.advanceAsync(1_000)
    expect(receipt.outcome).toEqual({ outcome: 'refused', code: 'rude' })
    expect(server.texts).toEqual([])
  })

  it('[DLV-12] says that it may be there twice, where the server has lost its memory', async () => {
    const { say, server, peer, clock, onItsWay } = await sendWithoutAck()
    server.forgets()
    peer.drops()
    const waiting = say('waiting')
    await clock.advanceAsync(1_000)
    expect(onItsWay.outcome).toEqual({ outcome: 'delivered', possibleDuplicate: true })
    expect(waiting.outcome).toEqual(delivered)
  })

  it('[DLV-12] says so where it has lost its memory of this client alone', async () => {
    const { server, peer, clock, onItsWay } = await sendWithoutAck()
    server.forgetsClients()
    peer.drops()
    await clock.advanceAsync(1_000)
    expect(onItsWay.outcome).toEqual({ outcome: 'delivered', possibleDuplicate: true })
    expect(server.texts).toEqual(['on its way', 'on its way'])
  })

  it('[DLV-13] is refused before it is sent where it is larger than the server takes', async () => {
    const { sync, say, server, peer, settle } = createBench()
    server.behaviour.maxBytes = 200
    sync.start()
    const receipts = [say('a'), say('x'.repeat(200)), say('c')]
    await settle()
    expect(receipts.map(({ outcome }) => outcome)).toEqual([
      delivered,
      { outcome: 'refused', code: 'too-large' },
      delivered,
    ])
    expect(peer.messages.every(({ raw }) => raw.length < 200)).toBe(true)
  })

  it.each([true, false])(
    '[DLV-13] is refused where the socket would never take it (plain: %s)',
    async (isPlain) => {
      const { sync, say, server, clock } = createBench({ client: { maxBufferedBytes: 300 } })
      server.behaviour.isPlain = isPlain
      sync.start()
      const receipts = [say('a'), say('x'.repeat(300)), say('c')]
      await clock.advanceAsync(3_000)
      const outcome = isPlain ? 'sent' : 'delivered'
      expect(receipts.map(({ outcome }) => outcome)).toEqual([
        { outcome },
        { outcome: 'refused', code: 'too-large' },
        { outcome },
      ])
    },
  )

  it('[DLV-13] is refused where the server closes with 1009, the largest alone', async () => {
    const { sync, say, server, peer, clock } = createBench()
    sync.start()
    await clock.advanceAsync(0)
    server.behaviour.ignoresMessages = true
    const receipts = [say('a'), say('large'.repeat(50)), say('c')]
    await clock.advanceAsync(0)
    server.behaviour.ignoresMessages = false
    peer.closes(1009)
    await clock.advanceAsync(1_000)
    expect(receipts.map(({ outcome }) => outcome)).toEqual([
      delivered,
      { outcome: 'refused', code: 'too-large' },
      delivered,
    ])
    expect(server.texts).toEqual(['a', 'c'])
  })
})

describe('signs of life', () => {
  it('[DLV-14] tell of a last message that was lost', async () => {
    const { sync, server, heard, peer, settle } = createBench()
    sync.start()
    await settle()
    server.says('a')
    server.saysUnheard('last')
    server.beats()
    await settle()
    expect(heard).toEqual(['a', 'last'])
    expect(types(peer.messages)).toContain('$pong')
    expect(sync.outbox.counts()).toMatchObject({ gaps: 1, resumed: 1 })
    server.beats()
    await settle()
    expect(sync.outbox.counts()).toMatchObject({ gaps: 1 })
  })

  it('[DLV-15] hold new messages back before a server goes, and space the return', async () => {
    const { sync, say, server, peer, clock } = createBench()
    sync.start()
    await clock.advanceAsync(0)
    server.behaviour.losesAcks = true
    const onItsWay = say('on its way')
    server.behaviour.losesAcks = false
    server.drains(5_000)
    await clock.advanceAsync(0)
    const waiting = say('waiting')
    await clock.advanceAsync(0)
    expect(sync.outbox.status).toMatchObject({ delivery: 'draining', depth: 2 })
    expect(server.texts).toEqual(['on its way'])
    peer.closes(1001)
    await clock.advanceAsync(4_999)
    expect(sync.status).toMatchObject({
      state: 'reconnecting',
      cause: { closeCode: 1001, returnAfterMs: 5_000 },
    } satisfies Partial<
      Record<keyof Extract<ConnectionStatus, { state: 'reconnecting' }>, unknown>
    >)
    await clock.advanceAsync(1)
    expect(sync.status.state).toBe('connected')
    expect([onItsWay.outcome, waiting.outcome]).toEqual([delivered, delivered])
  })

  it('[DLV-15] still lets acknowledgements be heard while a server drains', async () => {
    const { sync, say, server, peer, settle } = createBench()
    sync.start()
    await settle()
    server.behaviour.losesAcks = true
    const receipt = say('a')
    await settle()
    server.drains(1_000)
    await settle()
    const cid = (server.resumes[0] as { cid: string }).cid
    peer.sendsRaw(JSON.stringify({ type: '$ack', data: { cid, n: 1 } }))
    await settle()
    expect(receipt.outcome).toEqual(delivered)
  })

  it('[DLV-15] leave a server that drains and does not close', async () => {
    const { sync, say, server, clock } = createBench()
    sync.start()
    await clock.advanceAsync(0)
    server.drains(3_000)
    const waiting = say('waiting')
    await clock.advanceAsync(14_999)
    expect(sync.status.state).toBe('connected')
    await clock.advanceAsync(1)
    expect(sync.status).toMatchObject({ state: 'reconnecting', cause: { code: 'answer-timeout' } })
    await clock.advanceAsync(3_000)
    expect(waiting.outcome).toEqual(delivered)
  })

  it('[DLV-16] are owed: no answer to where we stand ends the connection', async () => {
    const { sync, server, clock } = createBench()
    server.behaviour.ignoresResume = true
    sync.start()
    await clock.advanceAsync(14_999)
    expect(sync.status.state).toBe('connected')
    await clock.advanceAsync(1)
    expect(sync.status).toMatchObject({
      state: 'reconnecting',
      cause: { code: 'answer-timeout', afterMs: 15_000 },
    })
    server.behaviour.ignoresResume = false
    await clock.advanceAsync(1_000)
    expect(sync.outbox.status.delivery).toBe('live')
  })

  it('[DLV-16] are owed: a message that is not acknowledged ends the connection', async () => {
    const { sync, say, server, clock } = createBench()
    sync.start()
    await clock.advanceAsync(0)
    say('acknowledged')
    await clock.advanceAsync(10_000)
    server.behaviour.losesAcks = true
    const receipt = say('a')
    await clock.advanceAsync(14_999)
    expect(sync.status.state).toBe('connected')
    server.behaviour.losesAcks = false
    await clock.advanceAsync(1)
    expect(sync.status).toMatchObject({ state: 'reconnecting', cause: { code: 'answer-timeout' } })
    await clock.advanceAsync(1_000)
    expect(receipt.outcome).toEqual(delivered)
    await clock.advanceAsync(60_000)
    expect(sync.status.state).toBe('connected')
  })

  it('[DLV-16] are not missed by a timer that fires late', async () => {
    const { sync, say, server, clock } = createBench()
    sync.start()
    await clock.advanceAsync(0)
    server.behaviour.losesAcks = true
    say('a')
    await clock.advanceAsync(0)
    clock.jump(20_000)
    await clock.advanceAsync(0)
    expect(sync.status.state).toBe('connected')
    await clock.advanceAsync(15_000)
    expect(sync.status).toMatchObject({ state: 'reconnecting', cause: { code: 'answer-timeout' } })
  })

  it('[DLV-18] leaves control frames alone that it does not know, or cannot read', async () => {
    const { sync, say, peer, errors, settle } = createBench()
    const unknown: unknown[] = []
    const invalid: unknown[] = []
    sync.unknown$.subscribe((message) => unknown.push(message))
    sync.invalid$.subscribe((frame) => invalid.push(frame))
    sync.start()
    await settle()
    for (const data of [undefined, null, 5, {}, { cid: 5, n: 'x' }, { cid: 'x', n: -1 }]) {
      for (const type of ['$ack', '$nack', '$hello', '$resumed', '$snapshot', '$ping', '$what']) {
        peer.sendsRaw(JSON.stringify({ type, data }))
      }
    }
    await settle()
    expect(sync.status.state).toBe('connected')
    const receipt = say('a')
    await settle()
    expect(receipt.outcome).toEqual(delivered)
    expect([unknown, invalid, errors]).toEqual([[], [], []])
  })
})

it('[DLV-17] [KULL-16] knows by the roster at once who has left', async () => {
  const clock = createManualClock()
  const network = createFakeTransport({ clock, protocol: kull })
  const { peer } = network
  const sync = createSyncClient(kull, {
    url: 'ws://server.test/ws',
    credentials: { userId: 'u', deviceId: 'me' },
    transport: network,
    clock,
    delivery: createDelivery(),
  })
  const hello = { v: 1, epoch: 'e', head: 0, first: 1, maxBytes: 1e6, idleMs: 3e4, window: 9 }
  const control = (type: string, data?: object): void =>
    peer.sendsRaw(JSON.stringify({ type, data }))
  const here = (...devices: string[]): void => {
    for (const deviceId of devices) peer.sends('DEVICE_CONNECTED', { deviceId })
  }
  peer.accepts(() => {
    control('$hello', hello)
    here('me')
  })
  peer.answersAnything(({ type, data }) => {
    if (type !== '$resume') return
    const standing = { epoch: 'e', head: 0, hwm: 0, known: true, refused: [] }
    if ((data as { seq?: number }).seq === undefined) {
      control('$reset', { why: 'new', ...standing })
      control('$snapshot', { epoch: 'e', seq: 0 })
      here('me', 'phone', 'phone', 'tablet')
    } else {
      control('$resumed', standing)
      here('me', 'phone')
    }
    control('$roster')
  })
  sync.start()
  await clock.advanceAsync(0)
  const devices = (): unknown =>
    [...sync.state.connectedDevices.values()].map(({ deviceId, sockets, isConfirmed }) => [
      deviceId,
      sockets,
      isConfirmed,
    ])
  expect(devices()).toEqual([
    ['me', 1, true],
    ['phone', 2, true],
    ['tablet', 1, true],
  ])
  peer.drops()
  await clock.advanceAsync(1_000)
  expect(devices()).toEqual([
    ['me', 1, true],
    ['phone', 1, true],
  ])
  sync.dispose()
})

it('[DLV-19] [CLI-12] shows an inspector what decides, and no payload', async () => {
  const seen: unknown[] = []
  const ids = new Set<string>()
  const { sync, say, peer, clock } = createBench({
    client: {
      inspect(event) {
        seen.push(event)
        ids.add((event.actorRef as unknown as { id: string }).id)
      },
    },
  })
  sync.start()
  await clock.advanceAsync(0)
  say('canary')
  await clock.advanceAsync(0)
  peer.drops()
  say('canary')
  await clock.advanceAsync(1_000)
  expect([...ids]).toEqual(
    expect.arrayContaining(['connection', 'coordinator', 'outbox', 'delivery']),
  )
  // The published state is an actor of its own, and holds what was heard.
  const events = seen
    .map((event) => (event as { event?: { type: string } }).event)
    .filter((event) => /^(outbox|channel|server)\./.test(event?.type ?? ''))
  expect(events.length).toBeGreaterThan(4)
  expect(JSON.stringify(events)).not.toContain('canary')
})

it('[OUT-6] [KULL-16] keeps of Kull’s progress the latest of each shoot', async () => {
  const clock = createManualClock()
  const network = createFakeTransport({ clock, protocol: kull })
  const sync = createSyncClient(kull, {
    url: 'ws://server.test/ws',
    credentials: { userId: 'u', deviceId: 'me' },
    transport: network,
    clock,
    delivery: createDelivery(),
  })
  const progress = (shootId: string, processedCount: number) =>
    sync.send('UPDATE_PROGRESS', { shootId, status: 'processing', processedCount, totalCount: 9 })
  const old = progress('a', 1)
  progress('b', 1)
  progress('a', 2)
  expect(old.outcome).toMatchObject({ outcome: 'notSent', reason: 'replaced' })
  sync.start()
  await clock.advanceAsync(2_000)
  expect(network.peer.messages.map(({ data }) => data)).toMatchObject([
    { shootId: 'b', processedCount: 1 },
    { shootId: 'a', processedCount: 2 },
  ])
  sync.dispose()
})

it('[DLV-3] sends to a plain Kull server as without delivery', async () => {
  const { sync, server, settle } = createBench()
  server.behaviour.isPlain = true
  sync.send('BYE')
  sync.start()
  await settle()
  expect(chat.envelope.toServer.seal('BYE', undefined)).toEqual({ type: 'BYE' })
})
