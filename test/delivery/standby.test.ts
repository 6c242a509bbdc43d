import { immediateBatches } from 'statewire'
import type { DeliveryOptions } from 'statewire/delivery'
import { createMemoryDatabase, type Database } from 'statewire/storage'
import { describe, expect, it } from 'vitest'
import { createBench, createWorld, readMessages } from './harness.js'

const delivered = { outcome: 'delivered' }
const unknown = (reason: string): object => ({ outcome: 'unknown', reason })
const frameOf = (text: string) => JSON.stringify({ type: 'SAY', payload: { text } })

/** An owner and a standby of one outbox, both connected. */
async function createPair(delivery: DeliveryOptions = {}) {
  const world = createWorld()
  const database = createMemoryDatabase()
  const run = async (on = database.open()) => {
    const bench = createBench({ world, delivery: { ...delivery, database: on } })
    bench.sync.start()
    await world.clock.advanceAsync(0)
    return { ...bench, database: on }
  }
  const owner = await run()
  const standby = await run()
  expect(owner.sync.outbox.status.isOwner).toBe(true)
  expect(standby.sync.outbox.status.isOwner).toBe(false)
  return {
    ...world,
    database,
    run,
    owner,
    standby,
    settle: () => world.clock.advanceAsync(0),
    /** Waits until an owner that does not answer is put off. */
    takeOver: () => world.clock.advanceAsync(10_000),
  }
}

describe('a standby', () => {
  it('[OUT-9] shows what was accepted through it, and since when', async () => {
    const { standby, server, clock } = await createPair()
    server.behaviour.ignoresMessages = true
    expect(standby.sync.outbox.status.oldestAt).toBeUndefined()
    const acceptedAt = clock.epoch()
    standby.say('a')
    await clock.advanceAsync(1_000)
    standby.say('b')
    expect(standby.sync.outbox.status).toMatchObject({
      depth: 2,
      inFlight: 0,
      bytes: 2 * frameOf('a').length,
      oldestAt: acceptedAt,
      isDurable: true,
    })
    expect(standby.sync.outbox.messages()).toMatchObject([
      { payload: { text: 'a' }, acceptedAt, isTransmitted: false },
      { payload: { text: 'b' }, isTransmitted: false },
    ])
  })

  it('[OUT-5] holds as many messages as an outbox does, and as many bytes', async () => {
    const byNumber = await createPair({ maxMessages: 2 })
    const byBytes = await createPair({ maxBytes: 2 * frameOf('a').length })
    for (const { standby } of [byNumber, byBytes]) {
      const receipts = ['a', 'b', 'c'].map(standby.say)
      expect(receipts.map(({ outcome }) => outcome?.outcome)).toEqual([
        undefined,
        undefined,
        'notSent',
      ])
      expect(standby.sync.outbox.status.depth).toBe(2)
    }
  })

  it('[OUT-5] has room again when its messages are settled', async () => {
    const { standby, settle } = await createPair({ maxBytes: 2 * frameOf('a').length })
    for (const text of ['a', 'b', 'c', 'd', 'e']) {
      const receipt = standby.say(text)
      await settle()
      expect(receipt.outcome).toEqual(delivered)
    }
    expect(standby.sync.outbox.status).toMatchObject({ depth: 0, bytes: 0 })
  })

  it('[OUT-8] takes messages back, and does not know whether they were sent', async () => {
    const { standby, server, settle } = await createPair()
    server.behaviour.ignoresMessages = true
    const receipts = ['a', 'b', 'c'].map(standby.say)
    await settle()
    const changes: number[] = []
    standby.sync.outbox$.subscribe(({ depth }) => changes.push(depth))
    receipts[0]?.abort()
    const [next] = standby.sync.outbox.messages()
    expect(standby.sync.outbox.remove(next?.id ?? '')).toBe(true)
    expect(standby.sync.outbox.remove(next?.id ?? '')).toBe(false)
    standby.sync.outbox.clear()
    expect(receipts.map(({ outcome }) => outcome)).toEqual([
      unknown('aborted'),
      unknown('aborted'),
      unknown('cleared'),
    ])
    await settle()
    expect(changes.at(-1)).toBe(0)
    expect(standby.sync.outbox.messages()).toEqual([])
  })

  it('[OUT-8] sends nothing that it took back when it owns the outbox', async () => {
    const { owner, standby, server, settle, run, takeOver } = await createPair()
    owner.database.freeze()
    const pending = standby.say('pending')
    pending.abort()
    const stored = standby.say('stored')
    const stays = standby.say('stays')
    await settle()
    stored.abort()
    await takeOver()
    expect(standby.sync.outbox.status.isOwner).toBe(true)
    expect(server.texts).toEqual(['stays'])
    expect([pending, stored, stays].map(({ outcome }) => outcome)).toEqual([
      unknown('aborted'),
      unknown('aborted'),
      delivered,
    ])
    // And neither does any other.
    standby.sync.dispose()
    const next = await run()
    expect(next.sync.outbox.status).toMatchObject({ isOwner: true, depth: 0 })
  })

  it('[OUT-8] [KEEP-7] goes on when it is told the outcome of a message that it took back', async () => {
    const { standby, server, settle } = await createPair()
    standby.say('a').abort()
    await settle()
    const next = standby.say('b')
    await settle()
    expect(server.texts).toEqual(['a', 'b'])
    expect(next.outcome).toEqual(delivered)
    expect(standby.errors).toEqual([])
    expect(standby.sync.outbox.status.isDurable).toBe(true)
  })

  it('[OUT-5] is told that the outbox was full, which only its owner knows', async () => {
    const { owner, standby, server, settle } = await createPair({ maxMessages: 2 })
    server.behaviour.ignoresMessages = true
    owner.say('a')
    const receipts = ['b', 'c'].map(standby.say)
    await settle()
    expect(receipts.map(({ outcome }) => outcome)).toMatchObject([
      undefined,
      { outcome: 'notSent', reason: 'full', detail: 'The outbox is full.' },
    ])
    expect(owner.sync.outbox.status.depth).toBe(2)
  })

  it('[OUT-7] is told that its message has expired, by the timer of the owner', async () => {
    const { owner, standby, network, clock } = await createPair()
    network.peer.isUnreachable()
    owner.peer.drops()
    owner.sync.stop()
    const receipt = standby.sync.send('SAY', { text: 'a' }, { ttlMs: 1_000 })
    await clock.advanceAsync(999)
    expect(receipt.outcome).toBeUndefined()
    expect(owner.sync.outbox.status.depth).toBe(1)
    await clock.advanceAsync(1)
    expect(receipt.outcome).toMatchObject({ outcome: 'notSent', reason: 'expired' })
  })

  it('[OUT-11] settles what it has accepted as unknown when it is disposed', async () => {
    const { standby, server, settle } = await createPair()
    server.behaviour.ignoresMessages = true
    const stored = standby.say('a')
    await settle()
    const pending = standby.say('b')
    standby.sync.dispose()
    expect([stored.outcome, pending.outcome]).toEqual([unknown('disposed'), unknown('disposed')])
  })

  it('[KEEP-13] [OUT-16] resumes once its storage has been read', async () => {
    const { run, database } = await createPair()
    const slow = database.open()
    const thaw = slow.freeze()
    const { sync, settle } = await run(slow)
    expect(sync.outbox.status.delivery).toBe('resuming')
    thaw()
    await settle()
    expect(sync.outbox.status).toMatchObject({ delivery: 'live', isOwner: false })
  })

  it('[OUT-12] that is not in use owns its outbox, and sends nothing', async () => {
    const world = createWorld()
    const database = createMemoryDatabase()
    let key = 'one'
    const { sync, say, server, settle } = createBench({
      world,
      delivery: { database, key: () => key },
    })
    say('of one')
    await settle()
    key = 'two'
    sync.start()
    say('of two')
    await settle()
    expect(server.texts).toEqual(['of two'])
    expect(await readMessages(database, 'one')).toEqual([{ text: 'of one' }])
    expect(sync.outbox.status.depth).toBe(0)
  })
})

describe('an owner', () => {
  it('[OUT-16] shows the messages of others as its own until they are settled', async () => {
    const { owner, standby, server, settle } = await createPair()
    server.behaviour.ignoresMessages = true
    standby.say('a')
    const depths: number[] = []
    owner.sync.outbox$.subscribe(({ depth }) => depths.push(depth))
    await settle()
    expect(owner.sync.outbox.messages()).toMatchObject([{ payload: { text: 'a' } }])
    expect(depths.at(-1)).toBe(1)
    expect(owner.sync.outbox.counts()).toMatchObject({ accepted: 0, transmitted: 1 })
  })

  it('[OUT-11] [OUT-16] that is disposed leaves the messages of others to the next', async () => {
    const { owner, standby, server, clock } = await createPair()
    server.behaviour.ignoresMessages = true
    const receipt = standby.say('a')
    await clock.advanceAsync(0)
    owner.sync.dispose()
    await clock.advanceAsync(0)
    expect(standby.sync.outbox.status.isOwner).toBe(true)
    server.behaviour.ignoresMessages = false
    standby.sync.reconnect()
    await clock.advanceAsync(1_000)
    expect(receipt.outcome).toEqual(delivered)
  })

  it('[OUT-8] takes a message back once', async () => {
    const { owner, server, settle } = await createPair()
    server.behaviour.ignoresMessages = true
    owner.say('a')
    await settle()
    const [message] = owner.sync.outbox.messages()
    expect(owner.sync.outbox.remove(message?.id ?? '')).toBe(true)
    expect(owner.sync.outbox.remove(message?.id ?? '')).toBe(false)
  })

  it('[OUT-8] leaves nothing in the storage of a message that was taken back, whenever that was', async () => {
    for (let at = 1; at <= 6; at += 1) {
      const database = createMemoryDatabase()
      let transactions = 0
      let sayAndAbort = (): void => undefined
      const watched: Database = {
        transact(reads, change) {
          transactions += 1
          if (transactions === at) sayAndAbort()
          return database.transact(reads, change)
        },
        watch: (changed) => database.watch(changed),
        close: () => database.close(),
      }
      const { sync, say, server, clock } = createBench({ delivery: { database: watched } })
      sayAndAbort = () => say('aborted').abort()
      sync.start()
      await clock.advanceAsync(2_000)
      say('next')
      await clock.advanceAsync(2_000)
      expect(transactions).toBeGreaterThan(6)
      expect(server.texts).toEqual(['next'])
      expect(await readMessages(database)).toEqual([])
    }
  })

  it('[KEEP-10] that was put off takes no new cid', async () => {
    const world = createWorld()
    const { network, clock } = world
    network.peer.answersAnything(({ type }, socket) => {
      const data = { epoch: 'epoch-1', head: 0 }
      if (type === '$resume') socket.sendsRaw(JSON.stringify({ type: '$resumed', data }))
    })
    const database = createMemoryDatabase()
    const owner = createBench({ world, delivery: { database } })
    await clock.advanceAsync(0)
    // It is told of another copy of the outbox, and freezes when it is to write a new cid.
    owner.sync.start()
    const thaw = database.freeze()
    await clock.advanceAsync(0)
    const next = createBench({ world, delivery: { database: database.open() } })
    await clock.advanceAsync(9_000)
    expect(next.sync.outbox.status.isOwner).toBe(true)
    thaw()
    await clock.advanceAsync(1_000)
    expect(owner.sync.outbox.status).toMatchObject({ isOwner: false, isDurable: true })
    expect([owner.errors, next.errors]).toEqual([[], []])
  })

  it('[OUT-3] [KEEP-6] that was put off cannot say of a message that it is not sent', async () => {
    const { owner, network, clock } = await createPair()
    network.peer.isUnreachable()
    owner.sync.stop()
    const receipt = owner.say('a')
    await clock.advanceAsync(4_000)
    const thaw = owner.database.freeze()
    receipt.abort()
    await clock.advanceAsync(9_000)
    expect(receipt.outcome).toBeUndefined()
    thaw()
    await clock.advanceAsync(0)
    expect(receipt.outcome).toEqual(unknown('takenOver'))
  })

  it('[OUT-3] leaves nothing in the storage of a message that a handler takes back at once', async () => {
    const database = createMemoryDatabase()
    const { sync, clock } = createBench({
      delivery: { database },
      client: { batches: immediateBatches },
    })
    await clock.advanceAsync(0)
    sync.send('NOTE', { text: 'x1' })
    await clock.advanceAsync(0)
    let isArmed = true
    sync.outbox$.subscribe(() => {
      const last = sync.outbox.messages().at(-1)
      if (!isArmed || JSON.stringify(last?.payload) !== '{"text":"x22"}') return
      isArmed = false
      sync.outbox.remove(last?.id ?? '')
    })
    const receipt = sync.send('NOTE', { text: 'x22' })
    await clock.advanceAsync(0)
    expect(isArmed).toBe(false)
    expect(receipt.outcome).toMatchObject({ outcome: 'notSent', reason: 'aborted' })
    expect(await readMessages(database)).toEqual([])
    expect(sync.outbox.status.depth).toBe(0)
  })

  it('[OUT-16] [KEEP-6] that was put off shows only what was accepted through it', async () => {
    const { owner, standby, server, clock, takeOver } = await createPair()
    server.behaviour.ignoresMessages = true
    standby.say('of the standby')
    const own = owner.say('own')
    const aborted = owner.say('aborted')
    await clock.advanceAsync(0)
    aborted.abort()
    const thaw = owner.database.freeze()
    await takeOver()
    expect(standby.sync.outbox.status.isOwner).toBe(true)
    const states: boolean[] = []
    owner.sync.outbox$.subscribe(({ isOwner }) => states.push(isOwner))
    thaw()
    await clock.advanceAsync(0)
    expect(states.at(-1)).toBe(false)
    expect(owner.sync.outbox.messages().map(({ payload }) => payload)).toEqual([{ text: 'own' }])
    expect(owner.sync.outbox.status).toMatchObject({ depth: 1, inFlight: 0 })
    server.behaviour.ignoresMessages = false
    standby.sync.reconnect()
    await clock.advanceAsync(10_000)
    expect(own.outcome).toEqual(delivered)
    expect(owner.sync.outbox.status.depth).toBe(0)
  })

  it('[OUT-16] [KEEP-4] takes the outbox back from one that goes, with all that is in it', async () => {
    const { owner, standby, server, clock, takeOver } = await createPair()
    server.behaviour.ignoresMessages = true
    const receipt = owner.say('a')
    await clock.advanceAsync(0)
    const thaw = owner.database.freeze()
    await takeOver()
    thaw()
    await clock.advanceAsync(0)
    standby.sync.dispose()
    await clock.advanceAsync(0)
    expect(owner.sync.outbox.status).toMatchObject({ isOwner: true, depth: 1 })
    server.behaviour.ignoresMessages = false
    owner.sync.reconnect()
    await clock.advanceAsync(1_000)
    expect(receipt.outcome).toEqual(delivered)
    expect(server.texts).toEqual(['a'])
  })
})
