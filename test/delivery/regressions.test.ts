import { immediateBatches } from 'statewire'
import { createMemoryDatabase } from 'statewire/storage'
import { createFakeTransport, createManualClock } from 'statewire/testing'
import { describe, expect, it } from 'vitest'
import { chat, createBench, readMessages } from './harness.js'
import { createModelServer } from './model-server.js'

const delivered = { outcome: 'delivered' }
const aborted = { outcome: 'notSent', reason: 'aborted' }
const expired = { outcome: 'notSent', reason: 'expired' }

/** A live client whose socket takes one frame more and then no other, until the peer reads. */
async function createBlocked() {
  const bench = createBench({ client: { maxBufferedBytes: 100 } })
  bench.sync.start()
  await bench.settle()
  bench.peer.stopsReading()
  const first = bench.say('first')
  return { ...bench, first }
}

describe('messages with a number that was not used', () => {
  it('[OUT-8] are taken back as what was never transmitted, and the others close up', async () => {
    const { first, say, server, peer, clock } = await createBlocked()
    const [second, third] = [say('second'), say('third')]
    second.abort()
    expect(second.outcome).toMatchObject(aborted)
    peer.readsAgain()
    await clock.advanceAsync(25)
    expect(server.texts).toEqual(['first', 'third'])
    expect([first.outcome, third.outcome]).toEqual([delivered, delivered])
    expect(server.breaches).toEqual([])
  })

  it('[OUT-7] expire', async () => {
    const { sync, say, server, peer, clock } = await createBlocked()
    const second = sync.send('SAY', { text: 'second' }, { ttlMs: 1_000 })
    const third = say('third')
    await clock.advanceAsync(1_000)
    expect(second.outcome).toMatchObject(expired)
    peer.readsAgain()
    await clock.advanceAsync(25)
    expect(server.texts).toEqual(['first', 'third'])
    expect(third.outcome).toEqual(delivered)
  })

  it('[OUT-7] expire after their connection has gone', async () => {
    const { sync, peer, network, clock } = await createBlocked()
    const second = sync.send('SAY', { text: 'second' }, { ttlMs: 5_000 })
    network.peer.isUnreachable()
    peer.drops()
    await clock.advanceAsync(5_000)
    expect(second.outcome).toMatchObject(expired)
  })

  it('[OUT-11] are not sent where the client is disposed', async () => {
    const { first, say, sync, settle } = await createBlocked()
    const second = say('second')
    sync.dispose()
    await settle()
    expect(first.outcome).toMatchObject({ outcome: 'unknown', reason: 'disposed' })
    expect(second.outcome).toMatchObject({ outcome: 'notSent', reason: 'disposed' })
  })
})

describe('expiry', () => {
  it('[OUT-7] comes before what a late timer would send', async () => {
    const { sync, server, peer, clock } = await createBlocked()
    const second = sync.send('SAY', { text: 'second' }, { ttlMs: 1_000 })
    peer.readsAgain()
    // The socket is asked again after 25 ms, and both timers fire an hour late.
    clock.jump(3_600_000)
    await clock.advanceAsync(0)
    expect(second.outcome).toMatchObject(expired)
    expect(server.texts).toEqual(['first'])
  })

  it('[OUT-7] [OUT-12] is looked for anew when a key comes back', async () => {
    let key = 'one'
    const { sync, server, clock } = createBench({ delivery: { key: () => key } })
    const receipt = sync.send('SAY', { text: 'a' }, { ttlMs: 10_000 })
    key = 'two'
    sync.start()
    await clock.advanceAsync(20_000)
    expect(receipt.outcome).toBeUndefined()
    key = 'one'
    sync.reconnect()
    await clock.advanceAsync(0)
    expect(receipt.outcome).toMatchObject(expired)
    expect(server.texts).toEqual([])
    const next = sync.send('SAY', { text: 'b' }, { ttlMs: 10_000 })
    await clock.advanceAsync(0)
    expect(next.outcome).toEqual(delivered)
  })
})

describe('another key', () => {
  it('[OUT-12] says nothing on the connection that was made for the one before', async () => {
    let key = 'one'
    const { sync, say, server, network, clock } = createBench({ delivery: { key: () => key } })
    say('of one')
    server.behaviour.isPlain = true
    key = 'two'
    sync.start()
    say('of two')
    await clock.advanceAsync(2_000)
    expect(server.plain).toEqual(['of two'])
    key = 'one'
    // From inside an emission too, where the connection goes only after it.
    sync.reconnect()
    expect(network.peer.messages.map(({ data }) => data)).toEqual([{ text: 'of two' }])
    await clock.advanceAsync(0)
    expect(network.peer.messages.map(({ attempt }) => attempt)).toEqual([1, 2])
  })

  it('[OUT-12] [DLV-11] finds what was transmitted under the key before as it was left', async () => {
    let key = 'one'
    const { sync, say, server, clock } = createBench({ delivery: { key: () => key } })
    sync.start()
    await clock.advanceAsync(0)
    server.behaviour.losesAcks = true
    const receipt = say('of one')
    await clock.advanceAsync(0)
    server.behaviour.losesAcks = false
    for (const next of ['two', 'one']) {
      key = next
      sync.reconnect()
      await clock.advanceAsync(0)
    }
    expect(receipt.outcome).toEqual(delivered)
    expect(server.texts).toEqual(['of one'])
  })

  it('[OUT-12] begins an attempt anew where `connect` finds it', async () => {
    let key = 'one'
    const { sync, say, server, network, settle } = createBench({ delivery: { key: () => key } })
    sync.start()
    say('of one')
    key = 'two'
    sync.connect()
    say('of two')
    await settle()
    expect(network.attempts).toHaveLength(2)
    expect(server.texts).toEqual(['of two'])
    sync.connect()
    await settle()
    expect(network.attempts).toHaveLength(2)
  })
})

describe('a channel that changes', () => {
  it('[DLV-4] [DLV-11] keeps the numbers of what was transmitted while the server seems plain', async () => {
    const { sync, say, server, peer, clock } = createBench({ client: { maxBufferedBytes: 100 } })
    sync.start()
    await clock.advanceAsync(0)
    server.behaviour.losesAcks = true
    // Two of them are too many for the socket.
    const texts = ['a', 'b'].map((letter) => letter.repeat(30))
    const receipts = texts.map(say)
    await clock.advanceAsync(0)
    expect(server.texts).toEqual(texts)
    server.behaviour.losesAcks = false
    server.behaviour.isPlain = true
    peer.drops()
    await clock.advanceAsync(1_000)
    peer.stopsReading()
    await clock.advanceAsync(2_000)
    expect(receipts.map(({ outcome }) => outcome)).toEqual([{ outcome: 'sent' }, undefined])
    peer.readsAgain()
    server.greets()
    await clock.advanceAsync(0)
    expect(server.texts).toEqual(texts)
    expect(receipts[1]?.outcome).toEqual(delivered)
  })

  it('[DLV-10] waits as long for a server that is busy when it has to resume', async () => {
    const { sync, say, server, clock } = createBench()
    sync.start()
    await clock.advanceAsync(0)
    server.behaviour.refuse = () => ({ code: 'busy', retry: true })
    const receipt = say('a')
    await clock.advanceAsync(0)
    expect(server.refusals).toHaveLength(1)
    server.saysUnheard('b')
    server.says('c')
    await clock.advanceAsync(999)
    expect(server.resumes).toHaveLength(2)
    expect(server.refusals).toHaveLength(1)
    server.behaviour.refuse = () => undefined
    await clock.advanceAsync(1)
    expect(receipt.outcome).toEqual(delivered)
  })

  it('[DLV-15] transmits nothing where the drain comes before the answer', async () => {
    const { sync, say, server, peer, clock } = createBench()
    server.behaviour.ignoresResume = true
    sync.start()
    await clock.advanceAsync(0)
    peer.sendsRaw('{"type":"$drain","data":{"afterMs":5000}}')
    peer.sendsRaw(
      '{"type":"$reset","data":{"why":"new","epoch":"epoch-1","head":0,"hwm":0,"known":false,"refused":[]}}',
    )
    peer.sendsRaw('{"type":"$snapshot","data":{"epoch":"epoch-1","seq":0,"state":[]}}')
    const receipt = say('a')
    await clock.advanceAsync(0)
    expect(sync.outbox.status).toMatchObject({ delivery: 'draining', inFlight: 0 })
    server.behaviour.ignoresResume = false
    peer.closes(1012)
    await clock.advanceAsync(30_000)
    expect(receipt.outcome).toEqual(delivered)
  })

  it('[DLV-2] waits anew for a greeting where its timer fires late', async () => {
    const { sync, say, server, clock } = createBench()
    server.behaviour.isPlain = true
    sync.start()
    await clock.advanceAsync(0)
    const receipt = say('a')
    clock.jump(20_000)
    expect(sync.outbox.status.delivery).toBe('greeting')
    server.greets()
    await clock.advanceAsync(0)
    expect(receipt.outcome).toEqual(delivered)
    expect(server.plain).toEqual([])
  })

  it('[DLV-12] knows of a loss from the numbers where it was not told', async () => {
    const clock = createManualClock()
    const network = createFakeTransport({ clock, protocol: chat, latencyMs: 10 })
    const server = createModelServer(network)
    const { sync, say, peer } = createBench({ world: { clock, network, server } })
    sync.start()
    say('a')
    await clock.advanceAsync(100)
    server.behaviour.losesAcks = true
    const receipt = say('b')
    await clock.advanceAsync(100)
    expect(server.texts).toEqual(['a', 'b'])
    server.behaviour.losesAcks = false
    server.forgetsClients()
    peer.drops()
    // It greets, hears where the client stands, and its answer is lost with the connection.
    await clock.advanceAsync(1_010 + 10 + 10 + 5)
    expect(server.resumes).toHaveLength(2)
    peer.drops()
    await clock.advanceAsync(2_000)
    expect(server.texts).toEqual(['a', 'b', 'b'])
    expect(receipt.outcome).toEqual({ ...delivered, possibleDuplicate: true })
  })
})

describe('what is taken back', () => {
  it('[OUT-8] is not sent by who finds it in the storage only then', async () => {
    const database = createMemoryDatabase()
    const { sync, say, server, settle } = createBench({ delivery: { database } })
    sync.start()
    const [early, other] = [say('early'), say('other')]
    early.abort()
    await settle()
    expect(early.outcome).toEqual({ outcome: 'unknown', reason: 'aborted' })
    expect(other.outcome).toEqual(delivered)
    expect(server.texts).toEqual(['other'])
    sync.dispose()
    await settle()
    expect(await readMessages(database)).toEqual([])
  })

  it('[OUT-8] is not sent where a handler takes it back while others are numbered anew', async () => {
    const { sync, say, server, peer, clock } = createBench({
      client: { batches: immediateBatches },
    })
    sync.start()
    await clock.advanceAsync(0)
    server.behaviour.ignoresMessages = true
    const [first, second] = [say('a'), say('b')]
    await clock.advanceAsync(0)
    first.abort()
    let isArmed = false
    sync.outbox$.subscribe(({ depth }) => {
      if (isArmed && depth === 1) second.abort()
    })
    isArmed = true
    server.behaviour.ignoresMessages = false
    peer.drops()
    await clock.advanceAsync(2_000)
    expect([first.outcome, second.outcome]).toEqual([
      { outcome: 'unknown', reason: 'aborted' },
      { outcome: 'unknown', reason: 'aborted' },
    ])
    expect(server.texts).toEqual([])
    expect(sync.outbox.status.depth).toBe(0)
  })
})
