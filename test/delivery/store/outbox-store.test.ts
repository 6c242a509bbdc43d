import type { Database } from 'statewire/storage'
import { describe, expect, it } from 'vitest'
import { createFlaky, createFlakyStandby, createPlace, delivered, message } from './place.js'

/** Counts the transactions of a database that wrote something. */
function countWrites(database: Database): {
  readonly database: Database
  readonly count: () => number
} {
  let count = 0
  const counting: Database = {
    transact: (reads, change) =>
      database.transact(reads, (found) => {
        const made = change(found)
        if ((made.writes ?? []).length > 0) count += 1
        return made
      }),
    watch: (changed) => database.watch(changed),
    close: () => database.close(),
  }
  return { database: counting, count: () => count }
}

describe('a stored outbox', () => {
  it('[KEEP-1] has a random cid, and keeps it', async () => {
    const { own } = createPlace()
    const first = await own()
    expect(first.outbox).toMatchObject({ messages: [], isRenewed: false })
    await first.store.close()
    const second = await own()
    expect(second.outbox.identity.cid).toBe(first.outbox.identity.cid)
    expect(second.outbox.identity.fence).toBeGreaterThan(first.outbox.identity.fence)
  })

  it('[KEEP-2] has what was added, unchanged, in the order of acceptance', async () => {
    const place = createPlace()
    const [first, second] = [place.open(), place.open()]
    const full = message('b', { payload: { a: [1, null] }, expiresAt: 7, priority: -1, key: 'k' })
    expect(await first.store.add(message('a'))).toBe(true)
    expect(await second.store.add(full)).toBe(true)
    const owner = await place.own()
    await Promise.all([owner.store.add(message('c')), owner.store.add(message('d'))])
    owner.database.crash()
    const next = await place.own()
    expect(next.outbox.messages).toEqual([message('a'), full, message('c'), message('d')])
  })

  it('[KEEP-3] writes what comes in one turn in one transaction', async () => {
    const place = createPlace()
    const { database, count } = countWrites(place.database.open())
    const { store, owned } = place.open(database)
    store.acquire()
    await place.settle()
    expect(owned).toHaveLength(1)
    const before = count()
    const adds = ['a', 'b', 'c'].map((id) => store.add(message(id)))
    const changed = store.put([message('a', { sent: { n: 1, epoch: 'e' } })], 1)
    const removed = store.remove('b', delivered)
    expect(await Promise.all([...adds, changed, removed])).toEqual([
      ...[true, true, true],
      ...['stored', 'stored'],
    ])
    expect(count() - before).toBe(1)
    await store.close()
    const next = await place.own()
    expect(next.outbox.messages).toEqual([
      message('a', { sent: { n: 1, epoch: 'e' } }),
      message('c'),
    ])
    expect(next.outbox.identity.numbered).toBe(1)
  })

  it('[KEEP-4] passes on at once when it is released, and after the lease when its owner is gone', async () => {
    const place = createPlace()
    const owner = await place.own()
    const next = place.open()
    next.store.acquire()
    await place.clock.advanceAsync(60_000)
    expect(next.told).toEqual([])
    await owner.store.close()
    await place.settle()
    expect(next.told).toEqual(['owned'])
    const last = place.open()
    last.store.acquire()
    await place.settle()
    next.database.crash()
    await place.clock.advanceAsync(10_000)
    expect(last.told).toEqual(['owned'])
  })

  it('[KEEP-5] closes within 3 s, and leaves no timer behind', async () => {
    const place = createPlace()
    const owner = await place.own()
    const standby = place.open()
    standby.store.acquire()
    await place.settle()
    owner.store.setCursor({ epoch: 'e', seq: 1 })
    const added = owner.store.add(message('a'))
    await Promise.all([owner.store.close(), standby.store.close()])
    expect(await added).toBe(true)
    expect(place.clock.pending.count).toBe(0)
    expect(await place.find()).toEqual(['a'])
    const frozen = await place.own()
    frozen.database.freeze()
    let isClosed = false
    void frozen.store.add(message('b'))
    void frozen.store.close().then(() => {
      isClosed = true
    })
    await place.clock.advanceAsync(3_000)
    expect(isClosed).toBe(true)
    await place.clock.advanceAsync(60_000)
    expect(place.clock.pending.count).toBe(0)
    expect(await frozen.store.add(message('c'))).toBe(false)
  })

  it('[KEEP-6] refuses what a former owner changes, and takes what it had accepted', async () => {
    const place = createPlace()
    const frozen = await place.own()
    await frozen.store.add(message('a'))
    const thaw = frozen.database.freeze()
    const writes = [frozen.store.add(message('b')), frozen.store.remove('a', delivered)]
    const next = await place.own()
    expect(next.outbox.messages).toEqual([message('a')])
    thaw()
    expect(await writes[1]).toBe('lost')
    expect(await writes[0]).toBe(true)
    expect(frozen.told).toEqual(['owned', 'lost'])
    expect(await frozen.store.remove('a', delivered)).toBe('lost')
    expect(await frozen.store.put([message('a')], 1)).toBe('lost')
    expect(await frozen.store.renew()).toBeUndefined()
    await place.settle()
    expect(next.told).toEqual(['owned', 'added b'])
    await next.store.close()
    expect(await place.find()).toEqual(['a', 'b'])
  })

  it('[KEEP-7] tells the owner what others add, and others what became of it', async () => {
    const place = createPlace()
    const [owner, standby, bystander] = [await place.own(), place.open(), place.open()]
    await standby.store.add(message('a'))
    await owner.store.add(message('own'))
    await place.settle()
    expect(owner.told).toEqual(['owned', 'added a'])
    await owner.store.remove('a', delivered)
    await owner.store.remove('own', delivered)
    await place.settle()
    expect(standby.told).toEqual(['removed a delivered'])
    expect(bystander.told).toEqual([])
    await standby.store.add(message('b'))
    await place.settle()
    const thaw = standby.database.freeze()
    await owner.store.remove('b', delivered)
    await owner.store.close()
    thaw()
    standby.store.acquire()
    await place.settle()
    expect(standby.told).toEqual(['removed a delivered', 'removed b delivered', 'owned'])
  })

  it('[KEEP-8] stores the last 1,000 outcomes', async () => {
    const place = createPlace()
    const [owner, standby] = [await place.own(), place.open()]
    const ids = Array.from({ length: 1_100 }, (_, at) => `m${at}`)
    await Promise.all(ids.map((id) => standby.store.add(message(id))))
    await place.settle()
    const thaw = standby.database.freeze()
    await Promise.all(ids.map((id) => owner.store.remove(id, delivered)))
    thaw()
    await place.settle()
    expect(standby.told).toEqual(ids.slice(100).map((id) => `removed ${id} delivered`))
  })

  it('[KEEP-9] has a new start each time, and those that a server may know', async () => {
    const place = createPlace()
    const starts: string[] = []
    for (let times = 0; times < 40; times += 1) {
      const { outbox, store } = await place.own()
      const { start, past } = outbox.identity
      expect(past).toEqual(
        starts.length <= 32 ? starts : [...starts.slice(0, 31), ...starts.slice(-1)],
      )
      starts.unshift(start)
      await store.close()
    }
    expect(new Set(starts).size).toBe(40)
    const answered = await place.own()
    answered.store.noteAnswered()
    await answered.store.close()
    const next = await place.own()
    expect(next.outbox.identity.past).toEqual([answered.outbox.identity.start])
  })

  it('[KEEP-10] takes a new cid when it is asked to', async () => {
    const place = createPlace()
    const { store, outbox } = await place.own()
    await store.put([], 7)
    const renewed = await store.renew()
    expect(renewed).toMatchObject({ numbered: 0, past: [], start: outbox.identity.start })
    expect(renewed?.cid).not.toBe(outbox.identity.cid)
    await store.close()
    const next = await place.own()
    expect(next.outbox.identity).toMatchObject({ cid: renewed?.cid, numbered: 0 })
  })

  it('[KEEP-12] takes a new cid and keeps its messages when rows may be lost', async () => {
    const place = createPlace()
    const first = await place.own()
    await first.store.add(message('a'))
    await first.store.close()
    const damaged: Database = {
      transact: (reads, change) =>
        place.database.transact(reads, (found) => change({ ...found, history: 'another' })),
      watch: () => () => undefined,
      close: () => Promise.resolve(),
    }
    const { store, owned } = place.open(damaged)
    store.acquire()
    await place.settle()
    expect(owned).toMatchObject([{ isRenewed: true, messages: [message('a')] }])
    expect(owned[0]?.identity.cid).not.toBe(first.outbox.identity.cid)
    expect(owned[0]?.identity.past).toEqual([])
  })

  it('[KEEP-13] stores a cursor within a second', async () => {
    const place = createPlace()
    const { store, database } = await place.own()
    for (let seq = 1; seq <= 5; seq += 1) store.setCursor({ epoch: 'e', seq })
    await place.clock.advanceAsync(1_000)
    database.crash()
    expect(await place.open().opened).toEqual({ epoch: 'e', seq: 5 })
  })
})

/** An owner whose database can be told to fail. */
async function createFlakyOwner() {
  const place = createPlace()
  const { flaky, wrapped } = createFlaky(place.database.open())
  const handle = place.open(wrapped)
  handle.store.acquire()
  await place.settle()
  await handle.store.add(message('a'))
  return { place, flaky, ...handle }
}

describe('a storage that does not work for a while', () => {
  it('[KEEP-14] is replaced by memory, tried again, and told of once', async () => {
    const { place, flaky, store, reports } = await createFlakyOwner()
    flaky.mode = 'rejects'
    const results = [store.add(message('b')), store.put([message('a')], 1)]
    await place.settle()
    expect(await Promise.all(results)).toEqual([false, 'memory'])
    expect(store.isDurable).toBe(false)
    expect(await store.add(message('c'))).toBe(false)
    expect(await store.remove('a', delivered)).toBe('memory')
    // Never stored, so that nobody finds it.
    expect(await store.remove('c', delivered)).toBe('stored')
    await place.clock.advanceAsync(60_000)
    expect(reports.map(({ code, message: text }) => ({ code, text }))).toEqual([
      {
        code: 'storage-failed',
        text: "The outbox's storage failed (Error ENOSPC); memory is used until it works again.",
      },
    ])
    // After 0.25, 0.5, 1, 2, 4, 8, 16 and 30 s.
    expect(flaky.attempts).toBeLessThan(16)
    flaky.mode = 'works'
    await place.clock.advanceAsync(30_000)
    expect(store.isDurable).toBe(true)
    expect(await store.add(message('d'))).toBe(true)
    await store.close()
    expect(await place.find()).toEqual(['b', 'd'])
  })

  it('[KEEP-14] is told of again when it fails again', async () => {
    const { place, flaky, store, reports } = await createFlakyOwner()
    for (let times = 1; times <= 2; times += 1) {
      flaky.mode = 'rejects'
      await store.add(message(`m${times}`))
      flaky.mode = 'works'
      await place.clock.advanceAsync(250)
      expect(store.isDurable).toBe(true)
      expect(reports).toHaveLength(times)
    }
  })

  it('[KEEP-15] counts as failed while it hangs', async () => {
    const { place, flaky, store, reports } = await createFlakyOwner()
    flaky.mode = 'hangs'
    const added = store.add(message('b'))
    await place.clock.advanceAsync(9_999)
    expect(reports).toEqual([])
    await place.clock.advanceAsync(1)
    expect(await added).toBe(false)
    expect(reports[0]?.message).toContain('hangs')
    flaky.mode = 'works'
    flaky.resume()
    await place.settle()
    expect(store.isDurable).toBe(true)
    await store.close()
    expect(await place.find()).toEqual(['a', 'b'])
  })

  it('[KEEP-15] gets the same time once more after a sleep', async () => {
    const { place, flaky, store, reports } = await createFlakyOwner()
    flaky.mode = 'hangs'
    void store.add(message('b'))
    await place.settle()
    place.clock.jump(3_600_000)
    await place.clock.advanceAsync(9_000)
    expect(reports).toEqual([])
    await place.clock.advanceAsync(1_000)
    expect(reports).toHaveLength(1)
  })

  it.each(['rejects', 'hangs'] as const)(
    '[KEEP-16] gives an outbox in memory to whom it never worked for, where it %s',
    async (mode) => {
      const place = createPlace()
      const { flaky, wrapped } = createFlaky(place.database.open())
      flaky.mode = mode
      const { store, owned, opened } = place.open(wrapped)
      store.acquire()
      void store.add(message('a'))
      await place.clock.advanceAsync(mode === 'hangs' ? 3_000 : 0)
      expect(await opened).toBeUndefined()
      expect(owned).toMatchObject([{ messages: [], isRenewed: false }])
      expect(store.isDurable).toBe(false)
      // Numbers of this outbox mean nothing to the stored one.
      expect(await store.put([message('a', { sent: { n: 1, epoch: 'e' } })], 1)).toBe('memory')
      flaky.mode = 'works'
      flaky.resume()
      await place.clock.advanceAsync(10_000)
      expect(owned).toHaveLength(2)
      expect(store.isDurable).toBe(true)
      await store.close()
      const next = await place.own()
      expect(next.outbox.messages).toEqual([message('a')])
    },
  )

  it('[KEEP-16] leaves a standby its messages only after 3 s', async () => {
    const { place, owner, flaky, standby } = await createFlakyStandby()
    flaky.mode = 'rejects'
    await standby.store.add(message('b'))
    await place.clock.advanceAsync(2_999)
    expect(standby.owned).toEqual([])
    await place.clock.advanceAsync(1)
    expect(standby.owned).toMatchObject([{ messages: [] }])
    flaky.mode = 'works'
    await place.clock.advanceAsync(60_000)
    // Another handle owns the stored outbox, and would send it a second time.
    expect(owner.told).toEqual(['owned', 'added a'])
  })

  it('[KEEP-17] leaves the owner in memory, and tells, when its rows are lost', async () => {
    const place = createPlace()
    const [owner, standby] = [await place.own(), place.open()]
    standby.store.acquire()
    await standby.store.add(message('a'))
    await place.settle()
    place.database.clear()
    await place.settle()
    expect(await owner.store.add(message('b'))).toBe(false)
    expect(owner.told).toEqual(['owned', 'added a', 'gone'])
    expect(standby.told).toEqual(['owned', 'gone'])
    for (const { store, reports } of [owner, standby]) {
      expect(store.isDurable).toBe(false)
      expect(reports.map(({ message: text }) => text)).toEqual([
        "The outbox's storage has lost its data; memory is used until it works again.",
      ])
      expect(await store.remove('b', delivered)).toBe('memory')
      await store.close()
    }
    expect(place.clock.pending.count).toBe(0)
  })
})
