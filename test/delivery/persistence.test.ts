import { createMemoryOutboxStore } from 'statewire/storage'
import { describe, expect, it } from 'vitest'
import type { OutboxStore, OutboxWatcher } from '../../src/delivery/store/outbox-store.js'
import { createBench, createWorld } from './harness.js'

const delivered = { outcome: 'delivered' }

/** Clients, one after the other or at once, on one place and in one world. */
function createPlace() {
  const world = createWorld()
  const place = createMemoryOutboxStore()
  return {
    world,
    ...world,
    place,
    run() {
      const handle = place.open()
      return { handle, ...createBench({ world, delivery: { store: () => handle } }) }
    },
  }
}

describe('an outbox with a storage', () => {
  it('[OUT-14] survives a crash: what was said to be durable is sent by the next run', async () => {
    const { run, server, settle } = withSettle(createPlace())
    const first = run()
    const receipts = [first.say('a'), first.say('b')]
    await settle()
    expect(await Promise.all(receipts.map(({ durable }) => durable))).toEqual([true, true])
    expect(first.sync.outbox.status).toMatchObject({ depth: 2, isDurable: true, isOwner: true })
    first.handle.crash()
    const second = run()
    await settle()
    expect(second.sync.outbox.messages().map(({ payload }) => payload)).toEqual([
      { text: 'a' },
      { text: 'b' },
    ])
    second.sync.start()
    second.say('c')
    await settle()
    expect(server.texts).toEqual(['a', 'b', 'c'])
    second.handle.crash()
    const third = run()
    await settle()
    expect(third.sync.outbox.status.depth).toBe(0)
  })

  it('[OUT-14] [DLV-11] is not sent twice where it had been transmitted before the crash', async () => {
    const { run, server, settle } = withSettle(createPlace())
    const first = run()
    first.sync.start()
    await settle()
    server.behaviour.losesAcks = true
    first.say('a')
    await settle()
    expect(server.texts).toEqual(['a'])
    first.handle.crash()
    first.peer.drops()
    server.behaviour.losesAcks = false
    const second = run()
    second.sync.start()
    await settle()
    const receipt = second.say('b')
    await settle()
    expect(server.texts).toEqual(['a', 'b'])
    expect(receipt.outcome).toEqual(delivered)
    expect(second.sync.outbox.counts()).toMatchObject({ delivered: 2, retransmitted: 0 })
  })

  it('[OUT-3] [OUT-8] is not found by the next run where it was reported as not sent', async () => {
    const { run, settle } = withSettle(createPlace())
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
    first.handle.crash()
    const second = run()
    await settle()
    expect(second.sync.outbox.messages().map(({ payload }) => payload)).toEqual([
      { text: 'stored' },
    ])
  })

  it('[OUT-11] is left for the next run by a dispose', async () => {
    const { run, server, settle } = withSettle(createPlace())
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
    const { run, server, settle } = withSettle(createPlace())
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
    const { run, server, settle } = withSettle(createPlace())
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
    owner.handle.crash()
    await settle()
    expect(follower.sync.outbox.status.isOwner).toBe(true)
    await settle()
    expect(server.texts.filter((text) => text === 'taken')).toHaveLength(1)
    expect(server.texts.filter((text) => text === 'waiting')).toHaveLength(1)
    expect(waiting.outcome).toEqual(delivered)
  })

  it('[OUT-14] is not sent before it is persisted, even if the outbox is owned before that', async () => {
    const world = createWorld()
    const place = createMemoryOutboxStore()
    const handle = place.open()
    let keep: () => void = () => undefined
    const held = new Promise<void>((resolve) => {
      keep = resolve
    })
    const store: OutboxStore = {
      ...handle,
      add: (messages) => held.then(() => handle.add(messages)),
    }
    const { say, sync, server, settle } = createBench({ world, delivery: { store: () => store } })
    const receipt = say('a')
    sync.start()
    await settle()
    expect(sync.outbox.status).toMatchObject({ isOwner: true, depth: 1, delivery: 'live' })
    expect(server.texts).toEqual([])
    keep()
    await settle()
    expect(server.texts).toEqual(['a'])
    expect(receipt.outcome).toEqual(delivered)
    // Persisted once, it is settled once.
    handle.crash()
    const { messages } = await place.open().acquire(new AbortController().signal)
    expect(messages).toEqual([])
  })

  it('[OUT-16] settles what its next owner tells before the last one knows of it', async () => {
    const world = createWorld()
    const handle = createMemoryOutboxStore().open()
    const watchers: OutboxWatcher[] = []
    const store: OutboxStore = {
      ...handle,
      watch(watcher) {
        watchers.push(watcher)
        return handle.watch(watcher)
      },
    }
    const { say, sync, server, settle } = createBench({ world, delivery: { store: () => store } })
    await settle()
    const [gone, stays] = [say('gone'), say('stays')]
    await settle()
    expect(sync.outbox.status.isOwner).toBe(true)
    const { id = '' } = sync.outbox.messages()[0] ?? {}
    for (const watcher of watchers) watcher.removed(id, { outcome: 'delivered' })
    expect(gone.outcome).toEqual(delivered)
    sync.start()
    await settle()
    expect(stays.outcome).toEqual(delivered)
    expect(server.texts).toEqual(['stays'])
  })

  it('[OUT-16] does no harm in the hands of an owner that thaws', async () => {
    const { run, server, settle, clock } = withSettle(createPlace())
    const frozen = run()
    await settle()
    const next = run()
    frozen.sync.start()
    next.sync.start()
    await settle()
    server.behaviour.ignoresMessages = true
    const receipt = frozen.say('a')
    await settle()
    frozen.handle.loseOwnership()
    await settle()
    expect(next.sync.outbox.status.isOwner).toBe(true)
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
  const broken: Record<string, OutboxStore> = {
    throws: createBroken(() => {
      throw new Error('canary')
    }),
    rejects: createBroken(() => Promise.reject(new Error('canary'))),
    hangs: createBroken(() => new Promise(() => undefined)),
  }

  it.each(Object.entries(broken))(
    '[OUT-15] is replaced by memory, and said to be, where it %s',
    async (_, store) => {
      const world = createWorld()
      const bench = createBench({ world, delivery: { store: () => store } })
      const receipts = [bench.say('a'), bench.say('b')]
      bench.sync.start()
      await world.clock.advanceAsync(20_000)
      expect(await Promise.all(receipts.map(({ durable }) => durable))).toEqual([false, false])
      expect(bench.sync.outbox.status).toMatchObject({ isDurable: false, isOwner: true })
      expect(world.server.texts).toEqual(['a', 'b'])
      expect(receipts.map(({ outcome }) => outcome)).toEqual([delivered, delivered])
      expect(bench.errors.map(({ code }) => code)).toContain('storage-failed')
      expect(JSON.stringify(bench.errors.map(({ message }) => message))).not.toContain('canary')
    },
  )

  it('[OUT-15] is reported where it cannot even be opened', async () => {
    const { sync, say, server, errors, settle } = createBench({
      delivery: {
        store() {
          throw new Error('no')
        },
      },
    })
    sync.start()
    const receipt = say('a')
    await settle()
    expect(errors).toMatchObject([{ code: 'storage-failed' }])
    expect(await receipt.durable).toBe(false)
    expect(server.texts).toEqual(['a'])
  })
})

function createBroken<T>(act: () => Promise<T>): OutboxStore {
  const fail = act as () => Promise<never>
  return { ready: fail, add: fail, acquire: fail, watch: () => () => undefined, close: fail }
}

// Everything in memory is done in a few turns of the promise queue.
function withSettle<P extends { readonly clock: { advanceAsync(ms: number): Promise<void> } }>(
  place: P,
) {
  return {
    ...place,
    async settle(): Promise<void> {
      for (let turn = 0; turn < 5; turn += 1) await place.clock.advanceAsync(0)
    },
  }
}
