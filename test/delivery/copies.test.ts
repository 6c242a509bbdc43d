import { defineProtocol, type Resync } from 'statewire'
import { createMemoryDatabase, type Database } from 'statewire/storage'
import * as z from 'zod'
import { describe, expect, it } from 'vitest'
import { noDelivery } from '../../src/delivery/port.js'
import { createBench, createWorld, readMessages } from './harness.js'

const delivered = { outcome: 'delivered' }

/** Clients on databases of one world. */
function createRuns() {
  const world = createWorld()
  return {
    ...world,
    run(database: Database) {
      const bench = createBench({ world, delivery: { database } })
      bench.sync.start()
      return bench
    },
  }
}

describe('a copied outbox', () => {
  it('[KEEP-10] is noticed, and both copies deliver what they accept', async () => {
    const { run, clock, server } = createRuns()
    const database = createMemoryDatabase()
    const before = run(database)
    before.say('before')
    await clock.advanceAsync(0)
    before.sync.dispose()
    await clock.advanceAsync(0)
    const copies = [run(database), run(database.copy())]
    const receipts = []
    for (let round = 0; round < 12; round += 1) {
      receipts.push(...copies.map(({ say }, at) => say(`${at}/${round}`)))
      await clock.advanceAsync(round % 3 === 0 ? 20_000 : 0)
    }
    await clock.advanceAsync(60_000)
    expect(receipts.map(({ outcome }) => outcome?.outcome)).toEqual(receipts.map(() => 'delivered'))
    expect([...server.texts].sort()).toEqual(
      ['before', ...receipts.map((_, at) => `${at % 2}/${Math.floor(at / 2)}`)].sort(),
    )
    expect(new Set(server.taken.map(({ cid }) => cid)).size).toBe(2)
    expect(server.breaches).toEqual([])
  })

  it('[KEEP-1] [KEEP-10] keeps its new cid', async () => {
    const { run, clock, server } = createRuns()
    const database = createMemoryDatabase()
    const original = run(database)
    original.say('a')
    await clock.advanceAsync(0)
    const copied = database.copy()
    original.sync.dispose()
    await clock.advanceAsync(0)
    // A start that the copy knows nothing of.
    run(database)
    await clock.advanceAsync(1_000)
    for (const text of ['b', 'c', 'd']) {
      const copy = run(copied.open())
      await clock.advanceAsync(10_000)
      copy.say(text)
      await clock.advanceAsync(0)
      copy.sync.dispose()
      await clock.advanceAsync(0)
    }
    expect(server.texts).toEqual(['a', 'b', 'c', 'd'])
    const [old, ...renewed] = server.taken.map(({ cid }) => cid)
    expect(new Set(renewed).size).toBe(1)
    expect(renewed).not.toContain(old)
  })

  it('[KEEP-10] is noticed where it was copied while in use', async () => {
    const { run, clock, server } = createRuns()
    const database = createMemoryDatabase()
    const original = run(database)
    await clock.advanceAsync(0)
    const first = original.say('first')
    await clock.advanceAsync(0)
    expect(first.outcome).toEqual(delivered)
    const copy = run(database.copy())
    const receipts = [copy.say('of the copy'), original.say('of the original')]
    await clock.advanceAsync(60_000)
    expect(receipts.map(({ outcome }) => outcome?.outcome)).toEqual(['delivered', 'delivered'])
    expect([...server.texts].sort()).toEqual(['first', 'of the copy', 'of the original'])
  })

  it('[KEEP-10] sends from a backup that is some starts old', async () => {
    const { run, clock, server } = createRuns()
    const database = createMemoryDatabase()
    const first = run(database)
    first.say('a')
    await clock.advanceAsync(0)
    first.sync.dispose()
    await clock.advanceAsync(0)
    const backup = database.copy()
    for (const text of ['b', 'c', 'd']) {
      const later = run(database)
      later.say(text)
      await clock.advanceAsync(0)
      later.sync.dispose()
      await clock.advanceAsync(0)
    }
    const restored = run(backup)
    const receipt = restored.say('e')
    await clock.advanceAsync(1_000)
    expect(receipt.outcome).toEqual(delivered)
    expect(server.texts).toEqual(['a', 'b', 'c', 'd', 'e'])
  })

  it('[KEEP-11] is noticed where the storage has lost the last numbers', async () => {
    const { run, clock, server } = createRuns()
    const database = createMemoryDatabase()
    const first = run(database)
    await clock.advanceAsync(0)
    const backup = database.copy()
    first.say('a')
    first.say('b')
    await clock.advanceAsync(0)
    // The same start: only the number tells.
    database.crash()
    first.peer.drops()
    const second = run(backup)
    await clock.advanceAsync(10_000)
    const receipt = second.say('c')
    await clock.advanceAsync(1_000)
    expect(receipt.outcome).toEqual(delivered)
    expect(server.texts).toEqual(['a', 'b', 'c'])
    expect(new Set(server.taken.map(({ cid }) => cid)).size).toBe(2)
  })

  it('[KEEP-10] says which messages may have arrived twice', async () => {
    const { run, clock, server } = createRuns()
    const database = createMemoryDatabase()
    const original = run(database)
    await clock.advanceAsync(0)
    server.behaviour.losesAcks = true
    const receipt = original.say('a')
    await clock.advanceAsync(0)
    server.behaviour.losesAcks = false
    // The copy connects first with what both have.
    const copy = run(database.copy())
    await clock.advanceAsync(10_000)
    original.peer.drops()
    await clock.advanceAsync(60_000)
    expect(receipt.outcome).toEqual({ ...delivered, possibleDuplicate: true })
    expect(copy.sync.outbox.status.depth).toBe(0)
    expect(server.texts).toEqual(['a', 'a'])
  })
})

describe('a database that is lost', () => {
  it('[KEEP-17] costs nothing that was accepted', async () => {
    const { run, clock, network, server } = createRuns()
    network.peer.isUnreachable()
    const database = createMemoryDatabase()
    const { say, sync, errors } = run(database)
    const stored = Array.from({ length: 10 }, (_, at) => say(`stored ${at}`))
    await clock.advanceAsync(0)
    expect(await Promise.all(stored.map(({ durable }) => durable))).not.toContain(false)
    database.clear()
    const later = Array.from({ length: 10 }, (_, at) => say(`later ${at}`))
    await clock.advanceAsync(0)
    expect(sync.outbox.status).toMatchObject({ depth: 20, isDurable: false })
    server.accepts()
    await clock.advanceAsync(60_000)
    expect(server.texts).toHaveLength(20)
    expect([...stored, ...later].map(({ outcome }) => outcome)).toEqual(
      Array.from({ length: 20 }, () => delivered),
    )
    expect(errors.map(({ code }) => code)).toEqual(['storage-failed'])
    expect(sync.outbox.status.isDurable).toBe(false)
  })

  it('[KEEP-17] leaves no receipt of a standby open', async () => {
    const { run, clock, network } = createRuns()
    network.peer.isUnreachable()
    const database = createMemoryDatabase()
    run(database)
    await clock.advanceAsync(0)
    const standby = run(database.open())
    const receipt = standby.say('a')
    await clock.advanceAsync(0)
    database.clear()
    await clock.advanceAsync(10_000)
    expect(receipt.outcome).toEqual({ outcome: 'unknown', reason: 'takenOver' })
    expect(standby.sync.outbox.status).toMatchObject({ isDurable: false, isOwner: true })
  })
})

const feed = defineProtocol({
  receive: { SAID: z.object({ id: z.string(), text: z.string() }) },
  send: { SAY: z.object({ text: z.string() }) },
  backoff: { stepsMs: [1_000], jitter: 'none', maxAttempts: Number.POSITIVE_INFINITY },
})

describe('a cursor', () => {
  it('[KEEP-13] brings what was sent while the process was gone', async () => {
    const world = createWorld()
    world.server.behaviour.hasState = false
    const database = createMemoryDatabase()
    const runFeed = () => {
      const bench = createBench({ world, protocol: feed, delivery: { database } })
      bench.sync.start()
      return bench
    }
    const first = runFeed()
    await world.clock.advanceAsync(0)
    world.server.says('heard')
    await world.clock.advanceAsync(0)
    first.sync.dispose()
    await world.clock.advanceAsync(0)
    world.server.says('missed')
    const second = runFeed()
    await world.clock.advanceAsync(0)
    expect(first.heard).toEqual(['heard'])
    expect(second.heard).toEqual(['missed'])
  })

  it("[KEEP-13] of an earlier run is not used where the state is the server's", async () => {
    const { run, clock, server } = createRuns()
    const database = createMemoryDatabase()
    const first = run(database)
    await clock.advanceAsync(0)
    server.says('a')
    await clock.advanceAsync(0)
    first.sync.dispose()
    await clock.advanceAsync(0)
    const second = run(database)
    await clock.advanceAsync(0)
    expect(second.texts()).toEqual(['a'])
  })
})

describe('resync$', () => {
  function listen(bench: ReturnType<typeof createBench>): Resync['reason'][] {
    const reasons: Resync['reason'][] = []
    bench.sync.resync$.subscribe(({ reason }) => reasons.push(reason))
    return reasons
  }

  it('[DLV-21] tells that the server could not continue, but not of the first connection', async () => {
    const bench = createBench()
    const reasons = listen(bench)
    bench.sync.start()
    await bench.settle()
    bench.server.says('a')
    await bench.settle()
    bench.peer.drops()
    await bench.clock.advanceAsync(1_000)
    expect(reasons).toEqual([])
    bench.server.forgets()
    bench.peer.drops()
    await bench.clock.advanceAsync(1_000)
    expect(reasons).toEqual(['epoch'])
    bench.server.says('b')
    bench.peer.drops()
    for (const text of ['c', 'd', 'e']) bench.server.says(text)
    bench.server.trims(1)
    await bench.clock.advanceAsync(1_000)
    expect(reasons).toEqual(['epoch', 'trimmed'])
    bench.sync.stop()
    bench.sync.start()
    await bench.settle()
    expect(reasons).toHaveLength(2)
  })

  it('[DLV-21] tells of each connection to a plain server but the first', async () => {
    for (const client of [{}, { delivery: noDelivery as never }]) {
      const bench = createBench({ client })
      bench.server.behaviour.isPlain = true
      const reasons = listen(bench)
      bench.sync.start()
      await bench.clock.advanceAsync(5_000)
      expect(reasons).toEqual([])
      bench.peer.drops()
      await bench.clock.advanceAsync(5_000)
      expect(reasons).toEqual(['plain'])
      bench.sync.stop()
      bench.sync.start()
      await bench.clock.advanceAsync(5_000)
      expect(reasons).toEqual(['plain'])
    }
  })
})

it('[KEEP-14] [OUT-15] one failing request makes nothing but a pause', async () => {
  const { run, clock, server } = createRuns()
  const database = createMemoryDatabase()
  let failures = 0
  const flaky: Database = {
    transact: (reads, change) =>
      failures-- > 0 ? Promise.reject(new Error('one request')) : database.transact(reads, change),
    watch: (changed) => database.watch(changed),
    close: () => database.close(),
  }
  const { say, sync } = run(flaky)
  await clock.advanceAsync(0)
  failures = 1
  server.behaviour.ignoresMessages = true
  const first = say('a')
  await clock.advanceAsync(0)
  expect(await first.durable).toBe(false)
  expect(sync.outbox.status.isDurable).toBe(false)
  await clock.advanceAsync(1_000)
  expect(sync.outbox.status.isDurable).toBe(true)
  expect(await say('b').durable).toBe(true)
  expect(await readMessages(database)).toEqual([{ text: 'a' }, { text: 'b' }])
})
