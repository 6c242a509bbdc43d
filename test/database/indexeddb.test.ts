import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import type { Database, Read } from '../../src/database/database.js'
import {
  createIndexedDbDatabase,
  type IndexedDbOptions,
  type IndexedDbParts,
} from '../../src/database/indexeddb.js'
import { acquireLease } from '../../src/database/lease.js'
import { createManualClock } from '../../src/testing/clock.js'
import { settle, until } from '../compliance/real-time.js'
import { createFakeIndexedDb, type FakeFactory, tablePrototype } from '../storage/fake-indexeddb.js'
import { createFakeLocks } from '../storage/fake-locks.js'
import { describeDatabase } from './compliance.js'

const never = new AbortController().signal
const pollMs = 5_000
let places = 0
const newName = () => `place ${(places += 1)}`

interface FakeBrowser extends IndexedDbParts {
  readonly indexedDB: FakeFactory
}

function createBrowser(more: Partial<FakeBrowser> = {}): FakeBrowser {
  return {
    indexedDB: createFakeIndexedDb(),
    locks: createFakeLocks(),
    openChannel: (name) => new BroadcastChannel(name),
    ...more,
  }
}

function open(options: Partial<IndexedDbOptions> = {}) {
  const clock = createManualClock()
  const name = newName()
  const database = createIndexedDbDatabase({ name, clock, parts: createBrowser(), ...options })
  onTestFinished(() => database.close())
  return { database, clock }
}

function openPair(parts = createBrowser()) {
  const name = newName()
  return [open({ name, parts }), open({ name, parts })] as const
}

const read = (database: Database, ...reads: Read[]) =>
  database.transact(reads, (found) => ({ result: found }))

const put = (database: Database, key: string, value: string | undefined, table = 'a') =>
  database.transact([], () => ({ writes: [{ table, key, value }], result: undefined }))

const all: Read = { table: 'a' }

/** Opens the database behind the adapter's back, as another version of the page does. */
function openVersion(factory: FakeFactory, name: string, version: number): Promise<() => void> {
  return new Promise((resolve, reject) => {
    const request = factory.open(name, version)
    request.onsuccess = () => resolve(() => request.result.close())
    request.onblocked = () => reject(new Error('blocked'))
  })
}

function remove(factory: FakeFactory, name: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = factory.deleteDatabase(name)
    request.onsuccess = () => resolve()
    request.onblocked = () => reject(new Error('blocked'))
  })
}

/** Counts the calls of a watcher. */
function watch(database: Database) {
  const heard = { count: 0, stop: () => undefined as void }
  heard.stop = database.watch(() => {
    heard.count += 1
  })
  return heard
}

afterEach(() => {
  vi.unstubAllGlobals()
  vi.restoreAllMocks()
})

describe('a database in IndexedDB', () => {
  it('[DB-20] gives its tabs the same rows, by table and in the order of their keys', async () => {
    const [first, second] = openPair()
    for (const key of ['b', 'a', '', 'a\u{10000}', 'a\uffff'])
      await put(first.database, key, `${key}!`)
    await put(first.database, 'a', 'of another table', 'b')
    await put(first.database, 'b', undefined)
    const reads: Read[] = [all, { ...all, after: 'a' }, { ...all, key: 'a' }, { ...all, key: 'x' }]
    const { rows } = await read(second.database, ...reads)
    // As JavaScript compares texts.
    const keys = ['', 'a', 'a\u{10000}', 'a\uffff']
    expect(rows.map((found) => found.map(({ key }) => key))).toEqual([
      keys,
      keys.slice(2),
      ['a'],
      [],
    ])
    expect(rows[2]).toEqual([{ key: 'a', value: 'a!' }])
  })

  it('[DB-20] makes transactions wholly, one at a time, in the order of the calls', async () => {
    const [first, second] = openPair()
    const add = ({ database }: typeof first, text: string) =>
      database.transact([{ ...all, key: 'n' }], ({ rows: [rows] }) => {
        const value = `${rows?.[0]?.value ?? ''}${text}`
        return { writes: [{ table: 'a', key: 'n', value }], result: value }
      })
    const results = Promise.all([
      add(first, '1'),
      add(second, 'x'),
      add(first, '2'),
      add(first, '3'),
    ])
    await results
    const { rows } = await read(second.database, all)
    expect(rows[0]?.[0]?.value.replace('x', '')).toBe('123')
    const failure = new Error('no')
    const failing = first.database.transact([all], () => {
      throw failure
    })
    await expect(failing).rejects.toBe(failure)
    expect(await read(second.database, all)).toMatchObject({ rows })
  })

  it('[DB-20] completes what was asked before it is closed, and rejects what comes later', async () => {
    const [first, second] = openPair()
    const heard = watch(second.database)
    watch(first.database)
    const writing = put(first.database, 'a', '1')
    const closing = first.database.close()
    await expect(put(first.database, 'b', '1')).rejects.toThrow('was closed')
    await expect(first.database.lock?.('x', never)).rejects.toThrow('was closed')
    await Promise.all([writing, closing, first.database.close()])
    await until(() => heard.count > 0)
    expect((await read(second.database, all)).rows[0]).toHaveLength(1)
    expect(first.clock.pending.count).toBe(0)
  })

  it('[DB-21] tells other tabs after each transaction that wrote, and not its own', async () => {
    const [first, second] = openPair()
    const heard = [watch(first.database), watch(second.database)]
    await put(first.database, 'a', '1')
    await until(() => heard[1]?.count === 1)
    await read(first.database, all)
    await settle()
    expect(heard.map(({ count }) => count)).toEqual([0, 1])
    for (const { stop } of heard) stop()
    await put(first.database, 'a', '2')
    await settle()
    expect(heard.map(({ count }) => count)).toEqual([0, 1])
    expect([first.clock.pending.count, second.clock.pending.count]).toEqual([0, 0])
  })

  it('[DB-21] finds what was written by polling where hints are lost or cannot be sent', async () => {
    const deaf = {
      postMessage: throwing,
      addEventListener: () => undefined,
      close: () => undefined,
    }
    for (const openChannel of [() => deaf, throwing]) {
      const [first, second] = openPair(createBrowser({ openChannel }))
      const heard = watch(second.database)
      await put(first.database, 'a', '1')
      await second.clock.advanceAsync(pollMs - 1)
      expect(heard.count).toBe(0)
      await second.clock.advanceAsync(1)
      expect(heard.count).toBe(1)
      await second.clock.advanceAsync(pollMs)
      expect(heard.count).toBe(2)
    }
  })

  it('[DB-21] takes a forged hint for no more than a hint', async () => {
    const name = newName()
    const { database } = open({ name })
    const before = await read(database, all)
    const heard = watch(database)
    const stranger = new BroadcastChannel(`statewire-database:${name}`)
    for (const data of [null, 'changed', { rows: [] }]) stranger.postMessage(data)
    await until(() => heard.count === 3)
    stranger.close()
    expect(await read(database, all)).toEqual(before)
  })
})

function throwing(): never {
  throw new Error('not here')
}

describe('a lock in IndexedDB’s tabs', () => {
  it('[DB-22] passes on when it is released, when its tab closes, and not before', async () => {
    const [first, second] = openPair()
    const held = await first.database.lock?.('x', never)
    const granted: string[] = []
    const next = second.database.lock?.('x', never)
    void next?.then(() => granted.push('second'))
    await settle()
    expect(granted).toEqual([])
    held?.()
    await next
    const last = first.database.lock?.('x', never)
    await second.database.close()
    await last
    expect(granted).toEqual(['second'])
  })

  it('[DB-22] ends the wait when its signal aborts, and holds nothing when its tab closed', async () => {
    const [first, second] = openPair()
    const held = await first.database.lock?.('x', never)
    const controller = new AbortController()
    const aborted = second.database.lock?.('x', controller.signal)
    controller.abort()
    await expect(aborted).rejects.toMatchObject({ name: 'AbortError' })
    const closed = second.database.lock?.('x', never)
    await second.database.close()
    held?.()
    await expect(closed).rejects.toThrow('was closed')
    await first.database.lock?.('x', never)
  })

  it('[DB-22] is not there without Web Locks; ownership is by lease alone', async () => {
    const [first, second] = openPair(createBrowser({ locks: undefined }))
    expect(first.database.lock).toBeUndefined()
    const options = { table: 'owner', leaseMs: 10_000, signal: never }
    const owner = await acquireLease({ ...options, ...first })
    const waiting = acquireLease({ ...options, ...second })
    await owner.release()
    expect((await waiting).fence).toBe(owner.fence + 1)
  })

  it('[DB-22] lets a standby follow at once an owner whose tab is gone', async () => {
    const parts = createBrowser()
    const [first, second] = openPair(parts)
    const options = { table: 'owner', leaseMs: 10_000, signal: never }
    const owner = await acquireLease({ ...options, ...first })
    const waiting = acquireLease({ ...options, ...second })
    await settle()
    // The locks of a tab end with it, and nothing is written.
    await first.database.close()
    expect((await waiting).fence).toBe(owner.fence + 1)
  })
})

describe('IndexedDB that is changed from outside', () => {
  it('[DB-23] lets itself be deleted, and then has another history and no rows', async () => {
    const name = newName()
    const parts = createBrowser()
    const { database } = open({ name, parts })
    await put(database, 'a', '1')
    const before = await read(database, all)
    await remove(parts.indexedDB, name)
    const after = await read(database, all)
    expect(after.rows).toEqual([[]])
    expect(after.history).not.toBe(before.history)
    expect((await read(open({ name, parts }).database, all)).history).toBe(after.history)
  })

  it('[DB-23] keeps its history while it is closed and opened', async () => {
    const name = newName()
    const parts = createBrowser()
    const { database } = open({ name, parts })
    const { history } = await read(database)
    expect(history).toMatch(/^[\da-f-]{36}$/)
    await database.close()
    expect((await read(open({ name, parts }).database)).history).toBe(history)
  })

  it('[DB-23] lets itself be upgraded, and then rejects', async () => {
    const name = newName()
    const parts = createBrowser()
    const { database } = open({ name, parts })
    await put(database, 'a', '1')
    const close = await openVersion(parts.indexedDB, name, 2)
    await expect(put(database, 'b', '1')).rejects.toMatchObject({ name: 'VersionError' })
    close()
    await expect(read(database, all)).rejects.toMatchObject({ name: 'VersionError' })
  })

  it('[DB-23] opens again when the browser closed the connection without a word', async () => {
    const name = newName()
    const factory = createFakeIndexedDb()
    const opened: { close(): void }[] = []
    const indexedDB: FakeFactory = {
      deleteDatabase: (place) => factory.deleteDatabase(place),
      open(place, version) {
        const request = factory.open(place, version)
        request.onsuccess = () => opened.push(request.result)
        return request
      },
    }
    const { database } = open({ name, parts: createBrowser({ indexedDB }) })
    await put(database, 'a', '1')
    opened[0]?.close()
    await expect(put(database, 'b', '1')).rejects.toMatchObject({ name: 'InvalidStateError' })
    await put(database, 'c', '1')
    const { rows } = await read(database, all)
    expect(rows[0]?.map(({ key }) => key)).toEqual(['a', 'c'])
  })
})

describe('IndexedDB that fails', () => {
  it('[DB-24] rejects what a full disk does not take, and changes nothing', async () => {
    const { database } = open()
    await put(database, 'a', '1')
    const full = vi.spyOn(tablePrototype, 'put').mockImplementation(() => {
      throw new DOMException('full', 'QuotaExceededError')
    })
    const writing = database.transact([], () => ({
      writes: [
        { table: 'a', key: 'a', value: undefined },
        { table: 'a', key: 'b', value: '1' },
      ],
      result: undefined,
    }))
    await expect(writing).rejects.toMatchObject({ name: 'QuotaExceededError' })
    full.mockRestore()
    expect((await read(database, all)).rows).toEqual([[{ key: 'a', value: '1' }]])
    await put(database, 'b', '1')
  })

  it('[DB-24] rejects where it is missing or forbidden, and touches nothing before it is used', async () => {
    vi.stubGlobal('indexedDB', undefined)
    const { database } = open({ parts: undefined as never })
    watch(database)
    await expect(put(database, 'a', '1')).rejects.toThrow('no IndexedDB')
    const open_ = { open: throwing, deleteDatabase: throwing }
    const forbidden = open({ parts: createBrowser({ indexedDB: open_ }) })
    await expect(read(forbidden.database, all)).rejects.toThrow('not here')
    await forbidden.database.close()
    await database.close()
  })

  it('[DB-24] hangs where it never opens, and leaves no timer when it is closed', async () => {
    const request = createFakeIndexedDb().open('never', 1)
    request.addEventListener = () => undefined
    const indexedDB = { open: () => request, deleteDatabase: throwing }
    const clock = createManualClock()
    const parts = createBrowser({ indexedDB })
    const database = createIndexedDbDatabase({ name: newName(), clock, parts })
    watch(database)
    const outcomes: unknown[] = []
    for (const waiting of [read(database, all), database.close()]) {
      void waiting.finally(() => outcomes.push('settled'))
    }
    await settle()
    expect(outcomes).toEqual([])
    expect(clock.pending.count).toBe(0)
  })

  it('[DB-20] uses what the page has', async () => {
    const { indexedDB, locks } = createBrowser()
    vi.stubGlobal('indexedDB', indexedDB)
    vi.stubGlobal('navigator', { locks })
    const database = createIndexedDbDatabase()
    await put(database, 'a', '1')
    expect((await read(database, all)).rows[0]).toHaveLength(1)
    const held = await database.lock?.('x', never)
    held?.()
    await database.close()
  })

  it('[DB-24] refuses to be made without a name, or with an interval that is none', () => {
    for (const options of [{ name: '' }, { pollMs: 0 }, { pollMs: Number.NaN }]) {
      expect(() => createIndexedDbDatabase(options)).toThrow(
        expect.objectContaining({ code: 'option-invalid' }) as Error,
      )
    }
  })
})

for (const hasLocks of [true, false]) {
  describeDatabase(`IndexedDB with${hasLocks ? '' : 'out'} locks`, () => {
    const clock = createManualClock()
    const { locks, ...parts } = createBrowser()
    const name = newName()
    return {
      tellsAtEachPoll: true,
      open: () =>
        createIndexedDbDatabase({ name, clock, parts: hasLocks ? { ...parts, locks } : parts }),
      async poll() {
        await clock.advanceAsync(pollMs)
        await settle()
      },
    }
  })
}
