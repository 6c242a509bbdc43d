import { type LogEntry, defineProtocol } from 'statewire'
import { createMemoryDatabase } from 'statewire/storage'
import { describe, expect, it } from 'vitest'
import { chat, createBench, createWorld, type World } from './harness.js'

const delivered = { outcome: 'delivered' }

/** A frame of the server. */
function frame(type: string, data: object): string {
  return JSON.stringify({ type, data })
}

/** Answers each `$resume` in a world with these frames alone. */
function answerWith({ network }: World, ...frames: string[]): unknown[] {
  const resumes: unknown[] = []
  network.peer.answersAnything(({ type, data }, socket) => {
    if (type !== '$resume') return
    resumes.push(data)
    for (const raw of frames) socket.sendsRaw(raw)
  })
  return resumes
}

describe('before the answer', () => {
  it('[DLV-6] a numbered message is dropped, and nothing is missing for that', async () => {
    const { sync, server, peer, heard, settle } = createBench()
    server.behaviour.ignoresResume = true
    sync.start()
    await settle()
    const said = { type: 'SAID', data: { id: '1', text: 'early' }, seq: 1, epoch: server.epoch }
    peer.sendsRaw(JSON.stringify(said))
    await settle()
    expect(heard).toEqual([])
    expect(sync.outbox.counts()).toMatchObject({ gaps: 0, duplicates: 0 })
    expect(server.resumes).toHaveLength(1)
  })

  it('[DLV-6] a numbered message is dropped on a later connection too', async () => {
    const { sync, server, peer, heard, clock } = createBench()
    sync.start()
    await clock.advanceAsync(0)
    server.says('a')
    await clock.advanceAsync(0)
    server.behaviour.ignoresResume = true
    peer.drops()
    await clock.advanceAsync(1_000)
    const said = { type: 'SAID', data: { id: '2', text: 'early' }, seq: 2, epoch: server.epoch }
    peer.sendsRaw(JSON.stringify(said))
    await clock.advanceAsync(0)
    expect(heard).toEqual(['a'])
  })

  it('[KEEP-13] nothing is said until the stored cursor has been read', async () => {
    const database = createMemoryDatabase()
    const thaw = database.freeze()
    const { sync, server, settle } = createBench({ delivery: { database } })
    sync.start()
    await settle()
    expect(sync.outbox.status.delivery).toBe('resuming')
    expect(server.resumes).toEqual([])
    thaw()
    await settle()
    expect(sync.outbox.status.delivery).toBe('live')
  })

  it('[KEEP-13] a cursor of another protocol counts for nothing where the server has the state', async () => {
    const world = createWorld()
    const database = createMemoryDatabase()
    const stateless = defineProtocol({ receive: chat.receive, send: chat.send })
    const before = createBench({ world, protocol: stateless, delivery: { database } })
    before.sync.start()
    await world.clock.advanceAsync(0)
    world.server.says('a')
    await world.clock.advanceAsync(0)
    before.sync.dispose()
    await world.clock.advanceAsync(0)
    const { sync, texts, settle } = createBench({ world, delivery: { database } })
    sync.start()
    await settle()
    expect(texts()).toEqual(['a'])
  })
})

describe('the answer', () => {
  it('[DLV-18] that gives a snapshot and no position opens nothing', async () => {
    const world = createWorld()
    answerWith(world, frame('$snapshot', { epoch: 'epoch-1', seq: 0, state: [] }))
    const { sync, say, errors, server, settle } = createBench({ world })
    sync.start()
    const receipt = say('a')
    await settle()
    expect(sync.status.state).toBe('connected')
    expect([receipt.outcome, server.texts, errors]).toEqual([undefined, [], []])
  })

  it('[DLV-11] may leave out what was refused', async () => {
    const world = createWorld()
    const reset = { why: 'new', epoch: 'epoch-1', head: 0, hwm: 0, known: false }
    const snapshot = { epoch: 'epoch-1', seq: 0, state: [] }
    answerWith(world, frame('$reset', reset), frame('$snapshot', snapshot))
    const { sync, say, settle } = createBench({ world })
    sync.start()
    say('a')
    await settle()
    expect(sync.outbox.status).toMatchObject({ delivery: 'live', inFlight: 1 })
  })

  it('[DLV-11] tells what was refused, and by which code', async () => {
    const { sync, say, server, peer, clock } = createBench()
    sync.start()
    await clock.advanceAsync(0)
    server.behaviour.losesAcks = true
    server.behaviour.refuse = (text) => (text === 'b' ? { code: 'rude', retry: false } : undefined)
    const receipts = [say('a'), say('b')]
    await clock.advanceAsync(0)
    server.behaviour.losesAcks = false
    peer.drops()
    await clock.advanceAsync(1_000)
    expect(receipts.map(({ outcome }) => outcome)).toEqual([
      delivered,
      { outcome: 'refused', code: 'rude' },
    ])
  })

  it('[KEEP-10] that refuses the new cid too is the end of it on this connection', async () => {
    const world = createWorld()
    const entries: LogEntry[] = []
    const log = (entry: LogEntry): void => void entries.push(entry)
    const resumes = answerWith(world, frame('$resumed', { epoch: 'epoch-1', head: 0 }))
    const { sync, say, peer, clock } = createBench({ world, client: { log } })
    sync.start()
    const receipt = say('a')
    await clock.advanceAsync(0)
    const cids = (): number =>
      new Set(resumes.map((said) => (said as { readonly cid: string }).cid)).size
    expect([resumes.length, cids()]).toEqual([2, 2])
    expect(entries.filter(({ event }) => event === 'outbox.renewed')).toMatchObject([
      { level: 'warn', part: 'delivery' },
    ])
    peer.drops()
    await clock.advanceAsync(1_000)
    expect([resumes.length, cids()]).toEqual([4, 3])
    expect(receipt.outcome).toBeUndefined()
  })

  it('[KEEP-1] [OUT-16] to what was said before the outbox was owned does not cost the cid', async () => {
    const world = createWorld(10)
    const { clock, server } = world
    const database = createMemoryDatabase()
    const run = () => {
      const bench = createBench({ world, delivery: { database: database.open() } })
      bench.sync.start()
      return bench
    }
    const owner = run()
    await clock.advanceAsync(100)
    owner.say('a')
    const standby = run()
    await clock.advanceAsync(100)
    server.saysUnheard('lost')
    server.says('after')
    // It has found the gap, and the answer is on its way when the outbox becomes its own.
    await clock.advanceAsync(15)
    owner.sync.dispose()
    const receipt = standby.say('b')
    await clock.advanceAsync(1_000)
    expect(receipt.outcome).toEqual(delivered)
    expect(new Set(server.taken.map(({ cid }) => cid)).size).toBe(1)
    expect(server.breaches).toEqual([])
  })
})

it('[DLV-10] what the server says of another outbox changes nothing', async () => {
  const world = createWorld()
  const database = createMemoryDatabase()
  const [owner, standby] = [database, database.open()].map((on) => {
    const bench = createBench({ world, delivery: { database: on } })
    bench.sync.start()
    return bench
  })
  await world.clock.advanceAsync(0)
  expect(standby?.sync.outbox.status.isOwner).toBe(false)
  world.server.behaviour.ignoresMessages = true
  const receipt = owner?.say('a')
  await world.clock.advanceAsync(0)
  world.server.mutters()
  await world.clock.advanceAsync(0)
  expect(receipt?.outcome).toBeUndefined()
  expect(owner?.sync.outbox.status).toMatchObject({ delivery: 'live', inFlight: 1 })
  expect(standby?.sync.status.state).toBe('connected')
  expect([owner?.errors, standby?.errors]).toEqual([[], []])
})
