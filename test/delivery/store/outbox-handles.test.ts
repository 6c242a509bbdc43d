import { describe, expect, it } from 'vitest'
import { createFlaky, createFlakyStandby, createPlace, delivered, message } from './place.js'

describe('a handle', () => {
  it('[KEEP-1] counts the owners of a cid from 1', async () => {
    const place = createPlace()
    const fences: (number | undefined)[] = []
    for (let times = 0; times < 3; times += 1) {
      const { store, outbox } = await place.own()
      fences.push(outbox.identity.fence)
      if (times === 2) fences.push((await store.renew())?.fence)
      await store.close()
    }
    expect(fences).toEqual([1, 2, 3, 1])
  })

  it('[KEEP-4] owns the outbox once, however often it asks', async () => {
    const place = createPlace()
    const { store, told } = place.open()
    store.acquire()
    store.acquire()
    await place.settle()
    store.acquire()
    await place.clock.advanceAsync(30_000)
    expect(told).toEqual(['owned'])
    const standby = place.open()
    standby.store.acquire()
    standby.store.acquire()
    await place.clock.advanceAsync(30_000)
    await store.close()
    await place.clock.advanceAsync(30_000)
    expect(standby.told).toEqual(['owned'])
  })

  it('[KEEP-5] accepts nothing once it is closed', async () => {
    const place = createPlace()
    const { store } = await place.own()
    await store.close()
    expect(await store.add(message('late'))).toBe(false)
    await place.settle()
    expect(await place.find()).toEqual([])
  })

  it('[KEEP-6] is told that it was put off, also when it writes nothing', async () => {
    const place = createPlace()
    const frozen = await place.own()
    const thaw = frozen.database.freeze()
    await place.own()
    thaw()
    await place.settle()
    expect(frozen.told).toEqual(['owned', 'lost'])
  })

  it('[KEEP-10] takes no new cid where it is put off meanwhile', async () => {
    const place = createPlace()
    const frozen = await place.own()
    const thaw = frozen.database.freeze()
    const renewed = frozen.store.renew()
    const next = await place.own()
    thaw()
    expect(await renewed).toBeUndefined()
    expect(next.outbox.identity.cid).toBe(frozen.outbox.identity.cid)
  })

  it('[KEEP-10] [KEEP-16] takes a new cid in memory', async () => {
    const place = createPlace()
    const { flaky, wrapped } = createFlaky(place.database.open())
    flaky.mode = 'rejects'
    const { store, owned } = place.open(wrapped)
    store.acquire()
    void store.add(message('a'))
    await place.settle()
    const renewed = await store.renew()
    expect(renewed).toMatchObject({ fence: 1, numbered: 0, past: [] })
    expect(renewed?.cid).not.toBe(owned[0]?.identity.cid)
  })

  it('[KEEP-13] that is a standby stores no cursor', async () => {
    const place = createPlace()
    const owner = await place.own()
    const standby = place.open()
    owner.store.setCursor({ epoch: 'e', seq: 5 })
    standby.store.setCursor({ epoch: 'e', seq: 1 })
    await place.clock.advanceAsync(1_000)
    await Promise.all([owner.store.close(), standby.store.close()])
    expect(await place.open().opened).toEqual({ epoch: 'e', seq: 5 })
  })
})

describe('outcomes', () => {
  it('[KEEP-8] are counted over all owners', async () => {
    const place = createPlace()
    const standby = place.open()
    const ids = Array.from({ length: 1_200 }, (_, at) => `m${at}`)
    const first = await place.own()
    await Promise.all(ids.map((id) => standby.store.add(message(id))))
    await place.settle()
    const thaw = standby.database.freeze()
    await Promise.all(ids.slice(0, 600).map((id) => first.store.remove(id, delivered)))
    await first.store.close()
    const second = await place.own()
    await Promise.all(ids.slice(600).map((id) => second.store.remove(id, delivered)))
    thaw()
    await place.settle()
    expect(standby.told).toEqual(ids.slice(200).map((id) => `removed ${id} delivered`))
  })

  it('[KEEP-8] of what the owner itself accepted take no place', async () => {
    const place = createPlace()
    const [owner, standby] = [await place.own(), place.open()]
    await standby.store.add(message('a'))
    await place.settle()
    const thaw = standby.database.freeze()
    const ids = Array.from({ length: 1_000 }, (_, at) => `m${at}`)
    await Promise.all(ids.map((id) => owner.store.add(message(id))))
    await Promise.all(['a', ...ids].map((id) => owner.store.remove(id, delivered)))
    thaw()
    await place.settle()
    expect(standby.told).toEqual(['removed a delivered'])
  })
})

/** Adds a message through a database that commits each write, and says that it failed. */
async function addUncertainly(place: ReturnType<typeof createPlace>) {
  const database = place.database.open()
  const failing = { rejects: true }
  const adding = place.open({
    transact: async (reads, change) => {
      let hasWrites = false as boolean
      const result = await database.transact(reads, (found) => {
        const made = change(found)
        hasWrites = (made.writes ?? []).length > 0
        return made
      })
      if (hasWrites && failing.rejects) throw new Error('the disk went away')
      return result
    },
    watch: (changed) => database.watch(changed),
    close: () => database.close(),
  })
  void adding.store.add(message('a'))
  await place.settle()
  const owner = place.open()
  owner.store.acquire()
  await place.settle()
  expect(owner.owned[0]?.messages).toEqual([message('a')])
  return { adding, owner, failing }
}

describe('a message whose write failed, and was made all the same', () => {
  it('[KEEP-7] is told to the owner once, also when it opened the outbox meanwhile', async () => {
    const place = createPlace()
    const { owner } = await addUncertainly(place)
    await place.clock.advanceAsync(250)
    expect(owner.told).toEqual(['owned'])
  })

  it('[KEEP-7] is not added again once it is settled', async () => {
    const place = createPlace()
    const { adding, owner, failing } = await addUncertainly(place)
    failing.rejects = false
    await owner.store.remove('a', delivered)
    await place.clock.advanceAsync(250)
    expect(adding.told).toEqual(['removed a delivered'])
    expect(owner.told).toEqual(['owned'])
  })

  it('[KEEP-7] is not added again from memory by the next owner', async () => {
    const place = createPlace()
    const { adding, owner, failing } = await addUncertainly(place)
    await place.clock.advanceAsync(4_000)
    expect(adding.told).toEqual(['owned'])
    failing.rejects = false
    await owner.store.remove('a', delivered)
    await owner.store.close()
    adding.store.acquire()
    await place.clock.advanceAsync(6_000)
    expect(adding.told).toEqual(['owned', 'removed a delivered', 'owned'])
    await adding.store.close()
    expect(await place.find()).toEqual([])
  })
})

describe('memory', () => {
  it('[KEEP-16] keeps what it sends from a transaction that was held up', async () => {
    const { place, owner, flaky, standby } = await createFlakyStandby()
    flaky.mode = 'hangs'
    void standby.store.add(message('b'))
    await place.clock.advanceAsync(13_000)
    expect(standby.told).toEqual(['owned'])
    flaky.mode = 'works'
    flaky.resume()
    await place.clock.advanceAsync(60_000)
    expect(owner.told).toEqual(['owned', 'added a'])
    // The database works, and what is in this outbox is not in it.
    expect(standby.store.isDurable).toBe(false)
  })
})
