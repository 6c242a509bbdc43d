import { createMemoryDatabase } from 'statewire/storage'
import { describe, expect, it } from 'vitest'
import { chat, createBench, createWorld } from './harness.js'

const delivered = { outcome: 'delivered' }

/** A live client whose messages `losesAcks` took: the server has them, and has not said so. */
async function createUnacknowledged(...texts: string[]) {
  const bench = createBench()
  const { sync, say, server, peer, clock } = bench
  sync.start()
  await clock.advanceAsync(0)
  server.behaviour.losesAcks = true
  const receipts = texts.map(say)
  await clock.advanceAsync(0)
  server.behaviour.losesAcks = false
  const { cid } = server.resumes[0] as { readonly cid: string }
  const tell = (type: string, data: object): void => {
    peer.sendsRaw(JSON.stringify({ type, data: { cid, ...data } }))
  }
  return { ...bench, receipts, tell }
}

/** A live client whose socket takes one frame more and then no other, with four messages. */
async function createFull() {
  const bench = createBench({ client: { maxBufferedBytes: 100 } })
  bench.sync.start()
  await bench.settle()
  bench.peer.stopsReading()
  const receipts = ['first', 'second', 'third', 'fourth'].map(bench.say)
  await bench.settle()
  return { ...bench, receipts }
}

describe('a refusal', () => {
  it('[DLV-10] is of the message whose number it has', async () => {
    const { receipts, tell, settle } = await createUnacknowledged('a', 'b', 'c')
    tell('$nack', { n: 2, code: 'rude', retry: false })
    await settle()
    expect(receipts.map(({ outcome }) => outcome)).toEqual([
      undefined,
      { outcome: 'refused', code: 'rude' },
      undefined,
    ])
  })

  it('[DLV-10] [DLV-18] of a number that no message has changes nothing', async () => {
    const { say, sync, receipts, tell, settle } = await createUnacknowledged('a')
    tell('$nack', { n: 9, code: 'rude', retry: false })
    tell('$ack', { n: 1 })
    const next = say('b')
    await settle()
    expect([...receipts, next].map(({ outcome }) => outcome)).toEqual([delivered, delivered])
    expect(sync.status.state).toBe('connected')
  })

  it('[DLV-10] for now is not of the messages before, which the server has', async () => {
    const { say, server, clock, receipts } = await createUnacknowledged('a')
    server.behaviour.refuse = () => ({ code: 'busy', retry: true })
    const refused = say('b')
    await clock.advanceAsync(0)
    server.behaviour.refuse = () => undefined
    await clock.advanceAsync(1_000)
    expect(server.texts).toEqual(['a', 'b'])
    expect([...receipts, refused].map(({ outcome }) => outcome)).toEqual([delivered, delivered])
    expect(server.breaches).toEqual([])
  })

  it('[DLV-10] for now holds back what is sent later', async () => {
    const { sync, say, server, clock } = createBench()
    sync.start()
    await clock.advanceAsync(0)
    server.behaviour.refuse = () => ({ code: 'busy', retry: true })
    say('a')
    await clock.advanceAsync(0)
    const { transmitted } = sync.outbox.counts()
    say('b')
    await clock.advanceAsync(500)
    // Another channel, on which the wait goes on.
    server.saysUnheard('lost')
    server.says('after')
    await clock.advanceAsync(0)
    say('c')
    await clock.advanceAsync(499)
    expect(sync.outbox.counts().transmitted).toBe(transmitted)
    server.behaviour.refuse = () => undefined
    await clock.advanceAsync(1)
    expect(server.texts.filter((text) => text.length === 1)).toEqual(['a', 'b', 'c'])
  })

  it('[DLV-13] by a close with 1009 needs no message in flight', async () => {
    const { sync, say, peer, clock } = createBench()
    sync.start()
    await clock.advanceAsync(0)
    peer.closes(1009)
    const receipt = say('a')
    await clock.advanceAsync(60_000)
    expect(receipt.outcome).toEqual(delivered)
  })
})

describe('a socket that is full', () => {
  it('[OUT-8] leaves the messages before the one that is taken back as they are', async () => {
    const { receipts, server, peer, clock } = await createFull()
    receipts[2]?.abort()
    peer.readsAgain()
    await clock.advanceAsync(50)
    expect(server.texts).toEqual(['first', 'second', 'fourth'])
    expect(server.breaches).toEqual([])
  })

  it('[OUT-9] has nothing in flight, after it has gone, but what it took', async () => {
    const { sync, peer, network, settle } = await createFull()
    network.peer.isUnreachable()
    peer.drops()
    await settle()
    expect(sync.outbox.status).toMatchObject({ depth: 4, inFlight: 1 })
    expect(sync.outbox.messages().map(({ isTransmitted }) => isTransmitted)).toEqual([
      true,
      false,
      false,
      false,
    ])
  })
})

describe('a plain server', () => {
  /** A message that a server took, and did not acknowledge, before it became plain. */
  async function createTurnedPlain() {
    const bench = await createUnacknowledged('taken')
    bench.server.behaviour.isPlain = true
    return bench
  }

  it('[OUT-8] is sent nothing that was taken back', async () => {
    const { server, peer, clock, receipts, sync } = await createTurnedPlain()
    receipts[0]?.abort()
    peer.drops()
    await clock.advanceAsync(5_000)
    expect(sync.outbox.status).toMatchObject({ delivery: 'plain', depth: 0 })
    expect(server.plain).toEqual([])
  })

  it('[DLV-3] [OUT-9] is sent what was transmitted before, and that is counted', async () => {
    const { server, peer, clock, receipts, sync } = await createTurnedPlain()
    peer.drops()
    await clock.advanceAsync(5_000)
    expect(server.plain).toEqual(['taken'])
    expect(receipts[0]?.outcome).toEqual({ outcome: 'sent' })
    expect(sync.outbox.counts()).toMatchObject({ transmitted: 2, retransmitted: 1 })
  })

  it('[DLV-13] is sent a message as large as the socket takes', async () => {
    const maxBufferedBytes = 300
    const { sync, say, server, clock } = createBench({ client: { maxBufferedBytes } })
    server.behaviour.isPlain = true
    const room =
      maxBufferedBytes - JSON.stringify(chat.envelope.toServer.seal('SAY', { text: '' })).length
    const receipts = [say('x'.repeat(room)), say('x'.repeat(room + 1))]
    sync.start()
    await clock.advanceAsync(5_000)
    expect(receipts.map(({ outcome }) => outcome)).toEqual([
      { outcome: 'sent' },
      { outcome: 'refused', code: 'too-large' },
    ])
  })

  it('[OUT-2] refuses a message that the envelope does not take any more', async () => {
    let isBroken = false
    const { toServer } = chat.envelope
    const { sync, say, server, clock } = createBench({
      envelope: {
        ...chat.envelope,
        toServer: {
          ...toServer,
          seal(type, payload, meta) {
            if (isBroken && type === 'SAY') throw new Error('broken')
            return toServer.seal(type, payload, meta)
          },
        },
      },
    })
    server.behaviour.isPlain = true
    const receipt = say('a')
    const other = sync.send('NOTE', { text: 'b' })
    isBroken = true
    sync.start()
    await clock.advanceAsync(2_000)
    expect(receipt.outcome).toEqual({ outcome: 'refused', code: 'invalid' })
    expect(other.outcome).toEqual({ outcome: 'sent' })
  })
})

describe('a message of a standby', () => {
  it.each([true, false])(
    '[OUT-8] [KEEP-7] that its owner takes back in flight has an unknown outcome (plain: %s)',
    async (isPlain) => {
      const world = createWorld()
      const { clock, server } = world
      const database = createMemoryDatabase()
      const owner = createBench({ world, delivery: { database } })
      owner.sync.start()
      await clock.advanceAsync(0)
      const standby = createBench({ world, delivery: { database: database.open() } })
      server.behaviour.ignoresMessages = true
      const receipt = standby.say('a')
      await clock.advanceAsync(0)
      const [message] = owner.sync.outbox.messages()
      expect(owner.sync.outbox.remove(message?.id ?? '')).toBe(true)
      server.behaviour.ignoresMessages = false
      server.behaviour.isPlain = isPlain
      owner.peer.drops()
      await clock.advanceAsync(5_000)
      expect(receipt.outcome).toEqual({ outcome: 'unknown', reason: 'aborted' })
      expect([...server.texts, ...server.plain]).toEqual([])
    },
  )
})

describe('a number', () => {
  it('[OUT-14] is not used while it is being written, whatever is sent meanwhile', async () => {
    const world = createWorld()
    const database = createMemoryDatabase()
    const { sync, say, server, settle } = createBench({ world, delivery: { database } })
    say('a')
    await settle()
    sync.start()
    const thaw = database.freeze()
    await settle()
    say('b')
    await settle()
    expect(sync.outbox.status).toMatchObject({ delivery: 'live', inFlight: 1 })
    expect(server.texts).toEqual([])
    thaw()
    await settle()
    expect(server.texts).toEqual(['a', 'b'])
  })

  it('[OUT-16] [KEEP-6] is not given to a message that another owner has to send', async () => {
    const world = createWorld()
    const database = createMemoryDatabase()
    const run = (on = database.open()) => {
      const bench = createBench({ world, delivery: { database: on } })
      bench.sync.start()
      return { ...bench, database: on }
    }
    const frozen = run()
    await world.clock.advanceAsync(0)
    const thaw = frozen.database.freeze()
    const receipt = frozen.say('a')
    const next = run()
    await world.clock.advanceAsync(9_000)
    expect(next.sync.outbox.status.isOwner).toBe(true)
    thaw()
    await world.clock.advanceAsync(1_000)
    expect(world.server.texts).toEqual(['a'])
    expect(receipt.outcome).toEqual(delivered)
  })

  it('[KEEP-11] that the storage has lost is noticed, also when it is one of several', async () => {
    const world = createWorld()
    const { clock, server } = world
    const database = createMemoryDatabase()
    const first = createBench({ world, delivery: { database } })
    first.sync.start()
    await clock.advanceAsync(0)
    first.say('a')
    await clock.advanceAsync(0)
    const backup = database.copy()
    first.say('b')
    await clock.advanceAsync(0)
    database.crash()
    first.peer.drops()
    const second = createBench({ world, delivery: { database: backup } })
    second.sync.start()
    await clock.advanceAsync(10_000)
    second.say('c')
    await clock.advanceAsync(1_000)
    expect(server.texts).toEqual(['a', 'b', 'c'])
    expect(new Set(server.taken.map(({ cid }) => cid)).size).toBe(2)
  })

  it('[KEEP-10] of the old cid is forgotten, also where the answer to the new one was lost', async () => {
    const world = createWorld(10)
    const { clock, network, server } = world
    const database = createMemoryDatabase()
    const original = createBench({ world, delivery: { database } })
    original.sync.start()
    await clock.advanceAsync(100)
    server.behaviour.losesAcks = true
    const receipt = original.say('a')
    await clock.advanceAsync(100)
    server.behaviour.losesAcks = false
    const { socket } = original.peer
    const copy = createBench({ world, delivery: { database: database.copy() } })
    copy.sync.start()
    await clock.advanceAsync(10_000)
    const { length } = server.resumes
    socket?.drops()
    // It is refused as a copy, says its new cid, and the answer is lost with the connection.
    while (server.resumes.length < length + 2) await clock.advanceAsync(1)
    network.peer.drops()
    await clock.advanceAsync(10_000)
    expect(receipt.outcome).toEqual({ ...delivered, possibleDuplicate: true })
    expect(server.texts).toEqual(['a', 'a'])
  })
})
