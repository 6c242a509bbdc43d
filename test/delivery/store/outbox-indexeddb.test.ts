import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import {
  createIndexedDbOutboxStore,
  type IndexedDbOutboxOptions,
  type IndexedDbParts,
  type OutboxChannel,
} from '../../../src/delivery/store/indexeddb.js'
import type { StoredOutcome } from '../../../src/delivery/store/outbox-store.js'
import { createManualClock } from '../../../src/testing/clock.js'
import { settle, until } from '../../compliance/real-time.js'
import {
  createFakeIndexedDb,
  type FakeDatabase,
  type FakeFactory,
  tablePrototype,
} from '../../storage/fake-indexeddb.js'
import { createFakeLocks } from '../../storage/fake-locks.js'
import { describeOutbox, keptMessage, record } from './outbox-compliance.js'
import { createTabs, leaseMs } from './outbox-tabs.js'

const never = new AbortController().signal
const delivered: StoredOutcome = { outcome: 'delivered' }
let places = 0
const newName = () => `place ${(places += 1)}`

interface FakeBrowser extends IndexedDbParts {
  readonly indexedDB: FakeFactory
}

function createBrowser(more: Partial<FakeBrowser> = {}): FakeBrowser {
  return {
    indexedDB: createFakeIndexedDb(),
    locks: createFakeLocks(),
    openChannel: (name) => new BroadcastChannel(name) as unknown as OutboxChannel,
    ...more,
  }
}

function open(options: Partial<IndexedDbOutboxOptions> = {}) {
  const clock = createManualClock()
  const store = createIndexedDbOutboxStore({
    name: newName(),
    leaseMs,
    clock,
    parts: createBrowser(),
    ...options,
  })
  onTestFinished(() => store.close())
  return { store, clock }
}

describeOutbox('an outbox in IndexedDB', () => createTabs(createBrowser(), newName()))

describeOutbox('an outbox in IndexedDB, without Web Locks', () =>
  createTabs(createBrowser({ locks: undefined }), newName()),
)

describe('ownership among tabs', () => {
  for (const locks of [createFakeLocks(), undefined]) {
    const how = locks === undefined ? 'without' : 'with'
    it(`[KEEP-10] passes to one of several when the owner is frozen, ${how} Web Locks`, async () => {
      const place = createTabs(createBrowser({ locks }), newName())
      const owner = place.open()
      const { fence, lost } = await owner.acquire(never)
      const thaw = await place.freeze(owner)
      const waiters = [place.open(), place.open(), place.open()]
      const granted: number[] = []
      const all = waiters.map(async (store) => {
        const owned = await store.acquire(never)
        granted.push(owned.fence)
        return { store, owned }
      })
      await place.passLease()
      await place.passLease()
      expect(granted).toEqual([fence + 1])
      const first = await Promise.race(all)
      await first.owned.write({ put: [keptMessage('a')] })
      expect(first.owned.lost.aborted).toBe(false)
      // It hears of it without writing.
      thaw()
      await until(() => lost.aborted)
      await owner.close()
      for (const waiting of all) await (await waiting).store.close()
      expect(granted).toEqual([fence + 1, fence + 2, fence + 3])
      expect(await place.leftovers()).toEqual([])
    })
  }

  it('[KEEP-10] asks for a whole lease before it takes an outbox from an owner', async () => {
    const parts = createBrowser({ locks: undefined })
    const name = newName()
    // An owner whose tab crashed, and who is therefore still in the database.
    const silent = open({ name, parts: { ...parts, openChannel: () => deaf } })
    await silent.store.acquire(never)
    const { store, clock } = open({ name, parts })
    const granted = store.acquire(never)
    const heard: string[] = []
    void granted.then(() => heard.push('granted'))
    await settle()
    for (let third = 0; third < 3; third += 1) {
      await clock.advanceAsync(leaseMs / 3 - 1)
      await settle()
      expect(heard).toEqual([])
      await clock.advanceAsync(1)
      await settle()
    }
    await clock.advanceAsync(leaseMs / 3)
    await granted
  })

  it('[KEEP-10] is given up while it is taken, and left to the next', async () => {
    const parts = createBrowser({ locks: undefined })
    const name = newName()
    const { store } = open({ name, parts })
    await store.ready()
    for (let turns = 0; turns < 12; turns += 1) {
      const controller = new AbortController()
      const waiting = store.acquire(controller.signal)
      for (let turn = 0; turn < turns; turn += 1) await new Promise((done) => setTimeout(done, 0))
      controller.abort()
      const owned = await waiting.catch(() => undefined)
      await owned?.release()
    }
    await open({ name, parts }).store.acquire(never)
  })
})

const deaf: OutboxChannel = {
  postMessage: () => undefined,
  addEventListener: () => undefined,
  close: () => undefined,
}

describe('hints among tabs', () => {
  it('[KEEP-11] that are lost delay the news by a lease at most', async () => {
    const parts = createBrowser({ openChannel: () => deaf })
    const name = newName()
    const [owner, other] = [open({ name, parts }), open({ name, parts })]
    const heard = [record(owner.store), record(other.store)]
    const owned = await owner.store.acquire(never)
    await other.store.add([keptMessage('a')])
    await owner.clock.advanceAsync(leaseMs)
    await until(() => heard[0]?.added.length === 1)
    await owned.write({ remove: [{ id: 'a', outcome: delivered }] })
    await other.clock.advanceAsync(leaseMs)
    await until(() => heard[1]?.removed.length === 1)
    expect(heard[1]?.removed).toEqual([['a', delivered]])
    // A write looks by itself.
    await other.store.add([keptMessage('b')])
    await owned.write({ remove: [{ id: 'b', outcome: delivered }] })
    expect(heard[0]?.added).toEqual(['a', 'b'])
    for (const { stop } of heard) stop()
    expect([owner.clock.pending.count, other.clock.pending.count]).toEqual([0, 0])
  })

  it('[KEEP-11] that nobody of us sent change nothing', async () => {
    const parts = createBrowser()
    const name = newName()
    const { store } = open({ name, parts })
    const heard = record(store)
    const { lost } = await store.acquire(never)
    const stranger = new BroadcastChannel(`statewire-outbox:${name}`)
    for (const data of [null, 'ask', {}, { hint: 'later' }, { hint: 'taken', fence: 'x' }]) {
      stranger.postMessage(data)
    }
    for (const hint of ['ask', 'alive', 'released', 'added', 'removed']) {
      stranger.postMessage({ hint })
    }
    await settle()
    stranger.close()
    expect(lost.aborted).toBe(false)
    expect([...heard.added, ...heard.removed]).toEqual([])
  })

  it('[KEEP-14] outcomes are kept for tabs that sleep, but not without end', async () => {
    const parts = createBrowser()
    const name = newName()
    const accepted = Array.from({ length: 1_100 }, (_, at) => keptMessage(String(at)))
    const other = open({ name, parts: { ...parts, openChannel: () => deaf } })
    const heard = record(other.store)
    await other.store.add(accepted)
    const owned = await open({ name, parts }).store.acquire(never)
    for (let at = 0; at < accepted.length; at += 100) {
      const over = accepted.slice(at, at + 100)
      await owned.write({ remove: over.map(({ id }) => ({ id, outcome: delivered })) })
    }
    await other.clock.advanceAsync(leaseMs)
    await until(() => heard.removed.length > 0)
    expect(heard.removed.map(([id]) => id)).toEqual(accepted.slice(100).map(({ id }) => id))
  })
})

describe('IndexedDB that fails', () => {
  afterEach(() => {
    vi.unstubAllGlobals()
    vi.restoreAllMocks()
  })

  it('[KEEP-13] rejects what a full disk does not take, and changes nothing', async () => {
    const { store } = open()
    await store.add([keptMessage('a')])
    const owned = await store.acquire(never)
    const full = vi.spyOn(tablePrototype, 'add').mockImplementation(() => {
      throw new DOMException('full', 'QuotaExceededError')
    })
    await expect(store.add([keptMessage('b')])).rejects.toMatchObject({
      name: 'QuotaExceededError',
    })
    const change = {
      identity: { cid: 'c' },
      put: [keptMessage('a', { key: 'k' }), keptMessage('b')],
    }
    await expect(owned.write(change)).rejects.toMatchObject({ name: 'QuotaExceededError' })
    expect(owned.lost.aborted).toBe(false)
    full.mockRestore()
    await owned.write({ put: [keptMessage('c')] })
    await owned.release()
    const next = await store.acquire(never)
    expect(next.messages).toEqual([keptMessage('a'), keptMessage('c')])
    expect(next.identity).toBeUndefined()
  })

  it('[KEEP-13] waits where it never opens', async () => {
    const request = createFakeIndexedDb().open('never', 1)
    request.addEventListener = () => undefined
    const parts = { ...createBrowser(), indexedDB: { open: () => request } }
    const clock = createManualClock()
    const store = createIndexedDbOutboxStore({ name: newName(), leaseMs, clock, parts })
    const { stop } = record(store)
    const outcomes: unknown[] = []
    for (const waiting of [store.ready(), store.add([keptMessage('a')])]) {
      void waiting.catch(() => undefined).then(() => outcomes.push('settled'))
    }
    const acquired = store.acquire(never)
    await settle()
    await clock.advanceAsync(leaseMs)
    expect(outcomes).toEqual([])
    stop()
    void store.close()
    await expect(acquired).rejects.toMatchObject({ name: 'AbortError' })
    expect(clock.pending.count).toBe(0)
  })

  it('[KEEP-13] waits while its opening is blocked', async () => {
    const parts = createBrowser()
    const name = newName()
    const factory = parts.indexedDB
    const holder = await new Promise<FakeDatabase>((resolve) => {
      const request = factory.open(`statewire-outbox:${name}`, 1)
      request.onupgradeneeded = () => {
        for (const table of ['meta', 'messages', 'outcomes']) {
          request.result.createObjectStore(table, { autoIncrement: true })
        }
      }
      request.onsuccess = () => resolve(request.result)
    })
    factory.deleteDatabase(`statewire-outbox:${name}`)
    const { store } = open({ name, parts })
    const ready = store.ready()
    const outcomes: unknown[] = []
    void ready.then(() => outcomes.push('ready'))
    await settle()
    expect(outcomes).toEqual([])
    holder.close()
    await ready
  })

  it('[KEEP-12] lets the database go, and has lost what was deleted', async () => {
    const parts = createBrowser()
    const name = newName()
    const factory = parts.indexedDB
    const { store } = open({ name, parts })
    const owned = await store.acquire(never)
    await new Promise<void>((resolve, reject) => {
      const request = factory.deleteDatabase(`statewire-outbox:${name}`)
      request.onsuccess = () => resolve()
      request.onblocked = () => reject(new Error('blocked'))
    })
    await expect(owned.write({ put: [keptMessage('a')] })).rejects.toThrow()
    expect(owned.lost.aborted).toBe(true)
    expect((await store.acquire(never)).messages).toEqual([])
  })

  it('[KEEP-13] rejects where the data is of a later version', async () => {
    const parts = createBrowser()
    const name = newName()
    await new Promise<void>((resolve) => {
      const request = parts.indexedDB.open(`statewire-outbox:${name}`, 9)
      request.onsuccess = () => {
        request.result.close()
        resolve()
      }
    })
    const { store, clock } = open({ name, parts })
    const { stop } = record(store)
    await expect(store.ready()).rejects.toMatchObject({ name: 'VersionError' })
    await expect(store.add([keptMessage('a')])).rejects.toThrow()
    await expect(store.acquire(never)).rejects.toMatchObject({ name: 'VersionError' })
    await clock.advanceAsync(leaseMs)
    stop()
    expect(clock.pending.count).toBe(0)
  })

  it('[KEEP-13] rejects where there is none, and touches nothing before it is used', async () => {
    vi.stubGlobal('indexedDB', undefined)
    const store = createIndexedDbOutboxStore({ name: newName() })
    store.watch({ added: () => undefined, removed: () => undefined })
    await expect(store.ready()).rejects.toThrow('no IndexedDB')
    await expect(store.add([keptMessage('a')])).rejects.toThrow('no IndexedDB')
    await expect(store.acquire(never)).rejects.toThrow('no IndexedDB')
    await store.close()
  })

  it('[KEEP-10] uses what the page has', async () => {
    const { indexedDB, locks } = createBrowser()
    vi.stubGlobal('indexedDB', indexedDB)
    vi.stubGlobal('navigator', { locks })
    const store = createIndexedDbOutboxStore({ name: newName() })
    await store.add([keptMessage('a')])
    expect((await store.acquire(never)).messages).toEqual([keptMessage('a')])
    await store.close()
  })

  it('[KEEP-10] refuses to be made without a name, or with a lease that is none', () => {
    for (const options of [{ name: '' }, { name: 'a', leaseMs: 0 }, { name: 'a', leaseMs: NaN }]) {
      expect(() => createIndexedDbOutboxStore(options)).toThrow(
        expect.objectContaining({ code: 'option-invalid' }) as Error,
      )
    }
  })
})
