import { join } from 'node:path'
import { expect, it } from 'vitest'
import type { SyncError } from '../../src/base/errors.js'
import { findSqlite, type SqliteConnection } from '../../src/database/sqlite/connection.js'
import { createSqliteDatabase } from '../../src/database/sqlite/index.js'
import { GuardedDatabase } from '../../src/delivery/store/guarded-database.js'
import { createManualClock } from '../../src/testing/index.js'
import { increment } from './compliance.js'
import { makeFolder } from './folder.js'

const openSqlite = await findSqlite()

it('[KEEP-20] takes a disk that blocked the thread for a minute for one that works', async () => {
  const clock = createManualClock()
  const connection = openSqlite(join(makeFolder(), 'test.db'))
  let isSlow = false
  const slow: SqliteConnection = {
    exec(sql) {
      // The whole process stands still meanwhile, its timers included.
      if (isSlow && sql.startsWith('COMMIT')) clock.jump(60_000)
      connection.exec(sql)
    },
    prepare: (sql) => connection.prepare(sql),
    close: () => connection.close(),
  }
  const reports: SyncError[] = []
  const database = new GuardedDatabase(createSqliteDatabase(slow, { clock }), {
    clock,
    report: (error) => reports.push(error),
    changed: () => undefined,
    isExpected: () => false,
    closing: new AbortController().signal,
  })
  await increment(database)
  isSlow = true
  await increment(database)
  expect(reports).toEqual([])
  expect(database.isWorking).toBe(true)
  connection.close()
})

it('[KEEP-21] rejects where SQLite cannot keep its log, as on a network file system', async () => {
  const connection = openSqlite(join(makeFolder(), 'test.db'))
  const database = createSqliteDatabase({
    exec: (sql) => connection.exec(sql),
    prepare: (sql) =>
      connection.prepare(sql.includes('journal_mode') ? "SELECT 'delete' AS journal_mode" : sql),
    close: () => connection.close(),
  })
  await expect(increment(database)).rejects.toMatchObject({
    code: 'option-invalid',
    message: expect.stringContaining('network file systems') as string,
  })
  connection.close()
})
