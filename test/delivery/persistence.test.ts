import { createMemoryDatabase, type Database } from 'statewire/storage'
import { describe, expect, it } from 'vitest'
import { createBench, createWorld, readMessages } from './harness.js'

const delivered = { outcome: 'delivered' }

/** Clients, one after the other or at once, on one place and in one world. */
function createPlace() {
  const world = createWorld()
  const place = createMemoryDatabase()
  return {
    world,
    ...world,
    place,
    run() {
      const database = place.open()
      return { database, ...createBench({ world, delivery: { database } }) }
    },
    settle: () => world.clock.advanceAsync(0),
    /** Waits until an owner that does not answer is put off. */
    takeOver: () => world.clock.advanceAsync(10_000),
  }
}

describe('an outbox with a storage', () => {
  it('[OUT-14] survives a crash: what was said to be durable is sent by the next run', async () => {
    const { run, server, settle, takeOver } = createPlace()
    const first = run()
    const receipts = [first.say('a'), first.say('b')]
    await settle()
    expect(await Promise.all(receipts.map(({ durable }) => durable))).toEqual([true, true])
    expect(first.sync.outbox.status).toMatchObject({ depth: 2, isDurable: true, isOwner: true })
    first.database.crash()
    const second = run()
    await takeOver()
    expect(second.sync.outbox.messages().map(({ payload }) => payload)).toEqual([
      { text: 'a' },
      { text: 'b' },
    ])
    second.sync.start()
    second.say('c')
    await settle()
    expect(server.texts).toEqual(['a', 'b', 'c'])
    second.database.crash()
    const third = run()
    await takeOver()
    expect(third.sync.outbox.status.depth).toBe(0)
  })

  it('[OUT-14] [DLV-11] is not sent twice where it had been transmitted before the crash', async () => {
    const { run, server, settle, takeOver } = createPlace()
    const first = run()
    first.sync.start()
    await settle()
    server.behaviour.losesAcks = true
    first.say('a')
    await settle()
    expect(server.texts).toEqual(['a'])
    first.database.crash()
    first.peer.drops()
    server.behaviour.losesAcks = false
    const second = run()
    second.sync.start()
    await takeOver()
    const receipt = second.say('b')
    await settle()
    expect(server.texts).toEqual(['a', 'b'])
    expect(receipt.outcome).toEqual(delivered)
    expect(second.sync.outbox.counts()).toMatchObject({ delivered: 2, retransmitted: 0 })
  })

  it('[OUT-14] [DLV-11] is sent again in the order of its numbers after a crash', async () => {
    const { run, server, settle, takeOver } = createPlace()
    server.behaviour.ignoresMessages = true
    const first = run()
    for (const [at, text] of ['low', 'high', 'middle'].entries()) {
      first.sync.send('SAY', { text }, { priority: [0, 2, 1][at] ?? 0 })
    }
    first.sync.start()
    await settle()
    expect(first.sync.outbox.status.inFlight).toBe(3)
    first.database.crash()
    first.peer.drops()
    server.behaviour.ignoresMessages = false
    const second = run()
    await takeOver()
    second.sync.start()
    await settle()
    expect(server.texts).toEqual(['high', 'middle', 'low'])
    expect(second.sync.outbox.status.depth).toBe(0)
  })

  it('[OUT-3] [OUT-8] is not found by the next run where it was reported as not sent', async () => {
    const { run, settle, takeOver } = createPlace()
    const first = run()
    await settle()
    const aborted = first.say('aborted')
    const stored = first.say('stored')
    await settle()
    aborted.abort()
    // Told only when it has left the storage.
    expect(aborted.outcome).toBeUndefined()
    await settle()
    expect(aborted.outcome).toMatchObject({ outcome: 'notSent', reason: 'aborted' })
    expect(stored.outcome).toBeUndefined()
    first.database.crash()
    const second = run()
    await takeOver()
    expect(second.sync.outbox.messages().map(({ payload }) => payload)).toEqual([
      { text: 'stored' },
    ])
  })

  it('[OUT-11] is left for the next run by a dispose', async () => {
    const { run, server, settle } = createPlace()
    const first = run()
    const receipt = first.say('a')
    await settle()
    first.sync.dispose()
    expect(receipt.outcome).toEqual({ outcome: 'unknown', reason: 'disposed' })
    await settle()
    const second = run()
    second.sync.start()
    await settle()
    expect(server.texts).toEqual(['a'])
  })

  it('[OUT-16] is sent by one of several clients, whoever accepted what', async () => {
    const { run, server, settle } = createPlace()
    const owner = run()
    await settle()
    const follower = run()
    owner.sync.start()
    follower.sync.start()
    await settle()
    expect(owner.sync.outbox.status.isOwner).toBe(true)
    expect(follower.sync.outbox.status.isOwner).toBe(false)
    const receipts = [owner.say('a'), follower.say('b'), owner.say('c')]
    await settle()
    expect([...server.texts].sort()).toEqual(['a', 'b', 'c'])
    expect(receipts.map(({ outcome }) => outcome)).toEqual([delivered, delivered, delivered])
    expect(follower.sync.outbox.counts().transmitted).toBe(0)
    expect(follower.heard).toEqual(server.texts)
  })

  it('[OUT-16] is taken over when its owner goes, and nothing is sent twice', async () => {
    const { run, server, settle, takeOver } = createPlace()
    const owner = run()
    await settle()
    const follower = run()
    owner.sync.start()
    await settle()
    server.behaviour.losesAcks = true
    owner.say('taken')
    await settle()
    server.behaviour.losesAcks = false
    const waiting = follower.say('waiting')
    follower.sync.start()
    await settle()
    owner.database.crash()
    await takeOver()
    expect(follower.sync.outbox.status.isOwner).toBe(true)
    expect(server.texts.filter((text) => text === 'taken')).toHaveLength(1)
    expect(server.texts.filter((text) => text === 'waiting')).toHaveLength(1)
    expect(waiting.outcome).toEqual(delivered)
  })

  it('[OUT-14] is not sent before it is stored, even if the outbox is owned before that', async () => {
    const { world, place } = createPlace()
    const database = place.open()
    const { say, sync, server, settle } = createBench({ world, delivery: { database } })
    sync.start()
    await settle()
    expect(sync.outbox.status).toMatchObject({ isOwner: true, delivery: 'live' })
    const thaw = database.freeze()
    const receipt = say('a')
    await settle()
    expect(sync.outbox.status.depth).toBe(1)
    expect(server.texts).toEqual([])
    thaw()
    await settle()
    expect(server.texts).toEqual(['a'])
    expect(receipt.outcome).toEqual(delivered)
    // Stored once, it is settled once.
    expect(await readMessages(place)).toEqual([])
  })

  it('[OUT-16] does no harm in the hands of an owner that thaws', async () => {
    const { run, server, settle, takeOver, clock } = createPlace()
    const frozen = run()
    await settle()
    const next = run()
    frozen.sync.start()
    next.sync.start()
    await settle()
    server.behaviour.ignoresMessages = true
    const receipt = frozen.say('a')
    await settle()
    const thaw = frozen.database.freeze()
    await takeOver()
    expect(next.sync.outbox.status.isOwner).toBe(true)
    thaw()
    await settle()
    expect(frozen.sync.outbox.status.isOwner).toBe(false)
    server.behaviour.ignoresMessages = false
    frozen.say('b')
    next.say('c')
    await clock.advanceAsync(20_000)
    expect([...server.texts].sort()).toEqual(['a', 'b', 'c'])
    expect(receipt.outcome).toEqual(delivered)
  })
})

describe('a storage that does not work', () => {
  it.each(['throws', 'rejects', 'hangs'] as const)(
    '[OUT-15] is replaced by memory, and said to be, where it %s',
    async (how) => {
      const bench = createBench({ delivery: { database: createBroken(how) } })
      const receipts = [bench.say('a'), bench.say('b')]
      bench.sync.start()
      await bench.clock.advanceAsync(20_000)
      expect(await Promise.all(receipts.map(({ durable }) => durable))).toEqual([false, false])
      expect(bench.sync.outbox.status).toMatchObject({ isDurable: false, isOwner: true })
      expect(bench.server.texts).toEqual(['a', 'b'])
      expect(receipts.map(({ outcome }) => outcome)).toEqual([delivered, delivered])
      expect(bench.errors.map(({ code }) => code)).toEqual(['storage-failed'])
      expect(JSON.stringify(bench.errors.map(({ message }) => message))).not.toContain('canary')
    },
  )
})

function createBroken(how: 'throws' | 'rejects' | 'hangs'): Database {
  return {
    transact() {
      const error = new Error('canary')
      if (how === 'throws') throw error
      return how === 'rejects' ? Promise.reject(error) : new Promise(() => undefined)
    },
    watch: () => () => undefined,
    close: () => Promise.resolve(),
  }
}
