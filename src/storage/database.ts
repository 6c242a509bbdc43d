import type { Database } from '../database/database.js'
import { assertKey, type KeyValueStore } from './store.js'

/**
 * Makes a store in a database. Stores of other scopes do not see its keys. The database stays open
 * until its owner closes it.
 *
 * @example
 * const store = createDatabaseStore(createSqliteDatabase('data/app.db'))
 */
export function createDatabaseStore(database: Database, scope = 'values'): KeyValueStore {
  const table = scope

  async function update(
    key: string,
    change: (current: string | undefined) => string | undefined,
  ): Promise<string | undefined> {
    assertKey(key)
    return await database.transact([{ table, key }], ({ rows: [rows] }) => {
      const current = rows?.[0]?.value
      const value = change(current)
      return { writes: value === current ? [] : [{ table, key, value }], result: value }
    })
  }

  return {
    get: (key) =>
      database.transact([{ table, key }], ({ rows: [rows] }) => ({ result: rows?.[0]?.value })),
    async set(key, value) {
      await update(key, () => value)
    },
    delete: (key) =>
      database.transact([], () => ({
        writes: [{ table, key, value: undefined }],
        result: undefined,
      })),
    keys: () =>
      database.transact([{ table }], ({ rows: [rows = []] }) => ({
        result: rows.map((row) => row.key),
      })),
    update,
    watch: (changed) => database.watch(() => changed(undefined)),
  }
}
