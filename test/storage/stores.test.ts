import { describe, expect, it, vi } from 'vitest'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createSystemClock } from '../../src/base/clock.js'
import { createMemoryDatabase } from '../../src/database/memory.js'
import { createSqliteDatabase } from '../../src/database/sqlite/index.js'
import { createWebStore } from '../../src/storage/browser.js'
import { createDatabaseStore } from '../../src/storage/database.js'
import { createMemoryStore } from '../../src/storage/memory.js'
import { createResilientStore } from '../../src/storage/resilient.js'
import { scopeStore } from '../../src/storage/scope.js'
import { describeStore } from './compliance.js'
import { createFakeOrigin } from './fake-browser.js'

const clock = createSystemClock()

describeStore('memory', () => {
  const store = createMemoryStore()
  return { first: store, second: store }
})

describeStore('resilient', () => {
  const store = createMemoryStore()
  return { first: createResilientStore(store), second: store }
})

describeStore('web storage', () => {
  const origin = createFakeOrigin()
  const open = () =>
    createWebStore({ ...origin.openTab(), locks: origin.locks, clock, settleMs: 0 })
  return { first: open(), second: open() }
})

describeStore('a database in memory', () => {
  const database = createMemoryDatabase()
  return { first: createDatabaseStore(database), second: createDatabaseStore(database.open()) }
})

describeStore('SQLite', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'statewire-'))
  const databases = [1, 2].map(() => createSqliteDatabase(join(directory, 'app.db')))
  const [first, second] = databases.map((database) => createDatabaseStore(database))
  return {
    first: first!,
    second: second!,
    async close() {
      await Promise.all(databases.map((database) => database.close()))
      await rm(directory, { recursive: true })
    },
  }
})

describeStore('a scope', () => {
  const store = createMemoryStore()
  // Its own name takes part of what a key may be long: `s`, and `/`, which counts three.
  return { first: scopeStore(store, 's'), second: scopeStore(store, 's'), longestKey: 236 }
})

describe('a store in a database', () => {
  it('[STOR-15] does not see the keys of another scope', async () => {
    const database = createMemoryDatabase()
    await createDatabaseStore(database).set('a', '1')
    const other = createDatabaseStore(database, 'other')
    expect(await other.get('a')).toBeUndefined()
    expect(await other.keys()).toEqual([])
  })

  it('[STOR-8] [STOR-15] tells that another handle wrote, and not which key', async () => {
    const database = createMemoryDatabase()
    const changed = vi.fn()
    const stop = createDatabaseStore(database).watch!(changed)
    await createDatabaseStore(database).set('a', '1')
    expect(changed).not.toHaveBeenCalled()
    const other = createDatabaseStore(database.open())
    await other.set('a', '2')
    expect(changed.mock.calls).toEqual([[undefined]])
    stop()
    await other.set('a', '3')
    expect(changed).toHaveBeenCalledTimes(1)
  })
})
