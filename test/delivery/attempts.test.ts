import { getEventListeners } from 'node:events'
import { createMemoryDatabase, type Database } from 'statewire/storage'
import { describe, expect, it } from 'vitest'
import { createBench, createWorld } from './harness.js'

const delivered = { outcome: 'delivered' }

describe('the URL of an attempt', () => {
  it.each([
    ['ws://server.test/ws', 'ws://server.test/ws?caps=1'],
    ['ws://server.test/ws?a=b', 'ws://server.test/ws?a=b&caps=1'],
    ['ws://server.test/ws?caps=1&a=b', 'ws://server.test/ws?caps=1&a=b'],
  ])('[DLV-1] from %s is %s', async (url, requested) => {
    const { sync, network, settle } = createBench({ client: { url } })
    sync.start()
    await settle()
    expect(network.attempts.map((attempt) => attempt.url)).toEqual([requested])
  })
})

describe('a key', () => {
  it('[OUT-12] that is the same leaves an attempt alone', async () => {
    const { sync, network, settle } = createBench()
    network.peer.onNextAttempt().staysSilent()
    sync.start()
    await settle()
    sync.connect()
    sync.connect()
    await settle()
    expect(network.attempts).toHaveLength(1)
  })

  it('[OUT-13] stays as it was where the app cannot tell it', async () => {
    let isBroken = false
    const { sync, say, server, errors, settle } = createBench({
      delivery: {
        key() {
          if (isBroken) throw new Error('key')
          return 'one'
        },
      },
    })
    const receipt = say('a')
    isBroken = true
    sync.start()
    await settle()
    expect(receipt.outcome).toEqual(delivered)
    expect(server.texts).toEqual(['a'])
    expect(errors.map(({ code }) => code)).toContain('handler-threw')
  })

  it('[DLV-10] [OUT-12] that is the same leaves the wait of a refusal alone', async () => {
    const { sync, say, server, peer, clock } = createBench()
    sync.start()
    await clock.advanceAsync(0)
    server.behaviour.refuse = () => ({ code: 'busy', retry: true })
    say('a')
    // Refused at 0, 1 and 3 s, so that the next try is at 7 s.
    await clock.advanceAsync(3_000)
    expect(server.refusals).toHaveLength(3)
    peer.drops()
    await clock.advanceAsync(3_999)
    expect(sync.outbox.status.delivery).toBe('live')
    expect(server.refusals).toHaveLength(3)
    await clock.advanceAsync(1)
    expect(server.refusals).toHaveLength(4)
  })
})

describe('a receipt', () => {
  it('[OUT-8] leaves nothing on its signal once it is settled', async () => {
    const { signal } = new AbortController()
    const { sync, settle } = createBench()
    const receipt = sync.send('SAY', { text: 'a' }, { signal })
    expect(getEventListeners(signal, 'abort')).toHaveLength(1)
    sync.start()
    await settle()
    expect(receipt.outcome).toEqual(delivered)
    expect(getEventListeners(signal, 'abort')).toEqual([])
  })

  it('[OUT-11] [OUT-2] takes nothing back after its client was disposed', async () => {
    const world = createWorld()
    const database = createMemoryDatabase()
    const first = createBench({ world, delivery: { database } })
    await first.settle()
    const receipt = first.say('a')
    await first.settle()
    first.sync.dispose()
    receipt.abort()
    await first.settle()
    const second = createBench({ world, delivery: { database } })
    second.sync.start()
    await second.settle()
    expect(receipt.outcome).toEqual({ outcome: 'unknown', reason: 'disposed' })
    expect(world.server.texts).toEqual(['a'])
  })

  it('[OUT-14] is not durable where its message was taken back before it was stored', async () => {
    const { say, settle } = createBench({ delivery: { database: createMemoryDatabase() } })
    await settle()
    const receipt = say('a')
    receipt.abort()
    await settle()
    expect(receipt.outcome).toMatchObject({ outcome: 'notSent', reason: 'aborted' })
    expect(await receipt.durable).toBe(false)
  })
})

describe('an answer that is lost with its connection', () => {
  /** A world with latency, and a client that sent `a`, whose acknowledgement is lost. */
  async function sendWithLatency() {
    const world = createWorld(10)
    const database = createMemoryDatabase()
    const bench = createBench({ world, delivery: { database } })
    bench.sync.start()
    await world.clock.advanceAsync(100)
    world.server.behaviour.losesAcks = true
    const receipt = bench.say('a')
    await world.clock.advanceAsync(100)
    world.server.behaviour.losesAcks = false
    return { ...bench, ...world, world, database, receipt }
  }

  /** Drops the connection when the server has heard where the client stands, and not answered. */
  async function loseAnswer({
    server,
    clock,
    network,
  }: Awaited<ReturnType<typeof sendWithLatency>>) {
    const { length } = server.resumes
    while (server.resumes.length === length) await clock.advanceAsync(1)
    network.peer.drops()
    await clock.advanceAsync(10_000)
  }

  it('[DLV-12] does not hide that the server has another memory by now', async () => {
    const bench = await sendWithLatency()
    bench.server.forgets()
    bench.peer.drops()
    await loseAnswer(bench)
    expect(bench.receipt.outcome).toEqual({ ...delivered, possibleDuplicate: true })
    expect(bench.server.taken.map(({ text }) => text)).toEqual(['a', 'a'])
  })

  it('[KEEP-12] does not hide that rows may have been lost', async () => {
    const bench = await sendWithLatency()
    const { world, database, server, clock } = bench
    database.crash()
    bench.peer.drops()
    const on = database.open()
    const damaged: Database = {
      transact: (reads, change) =>
        on.transact(reads, (found) => change({ ...found, history: 'another' })),
      watch: (changed) => on.watch(changed),
      close: () => on.close(),
    }
    const next = createBench({ world, delivery: { database: damaged } })
    await clock.advanceAsync(10_000)
    expect(next.sync.outbox.status).toMatchObject({ isOwner: true, inFlight: 0, depth: 1 })
    next.sync.start()
    await loseAnswer(bench)
    expect(server.taken.map(({ text }) => text)).toEqual(['a', 'a'])
    expect(next.sync.outbox.status.depth).toBe(0)
  })
})

it('[KEEP-16] a standby without a storage sends nothing that the storage had', async () => {
  const world = createWorld()
  const { clock, server } = world
  const database = createMemoryDatabase()
  const owner = createBench({ world, delivery: { database } })
  await clock.advanceAsync(0)
  const on = database.open()
  let isBroken = false
  const flaky: Database = {
    transact: (reads, change) =>
      isBroken ? Promise.reject(new Error('broken')) : on.transact(reads, change),
    watch: (changed) => on.watch(changed),
    close: () => on.close(),
  }
  const standby = createBench({ world, delivery: { database: flaky } })
  standby.sync.start()
  await clock.advanceAsync(0)
  const stored = standby.say('stored')
  await clock.advanceAsync(0)
  isBroken = true
  const unstored = standby.say('unstored')
  await clock.advanceAsync(5_000)
  expect(standby.sync.outbox.status).toMatchObject({ isOwner: true, isDurable: false })
  expect(server.texts).toEqual(['unstored'])
  expect([stored.outcome, unstored.outcome]).toEqual([undefined, delivered])
  owner.sync.start()
  await clock.advanceAsync(0)
  expect(server.texts).toEqual(['unstored', 'stored'])
})
