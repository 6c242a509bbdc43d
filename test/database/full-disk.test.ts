import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { findSqlite, type SqliteConnection } from '../../src/database/sqlite/connection.js'
import { createSqliteDatabase } from '../../src/database/sqlite/index.js'
import { read, write } from './compliance.js'
import { makeFolder } from './folder.js'

const openSqlite = await findSqlite()

it('[DB-13] leaves no part of a damaged file where the disk is full', async () => {
  const folder = makeFolder()
  const path = join(folder, 'test.db')
  const connection = openSqlite(path)
  const filled = createSqliteDatabase(connection)
  await write(filled, { key: 'a', value: '1' }, { key: 'b', value: '2' })
  connection.exec("UPDATE statewire SET value = 'damaged' WHERE key = 'a'")
  let isFull = true
  const full: SqliteConnection = {
    exec(sql) {
      const [, copy] = /^VACUUM INTO '(.*)'$/.exec(sql) ?? []
      if (!isFull || copy === undefined) return connection.exec(sql)
      writeFileSync(copy, 'a part')
      throw Object.assign(new Error('database or disk is full'), { code: 'SQLITE_FULL' })
    },
    prepare: (sql) => connection.prepare(sql),
    close: () => connection.close(),
  }
  const database = createSqliteDatabase(full)
  const damaged = (): string[] => readdirSync(folder).filter((name) => name.includes('.damaged-'))
  for (let attempt = 0; attempt < 3; attempt += 1) {
    await expect(read(database, 'b')).rejects.toThrow('disk is full')
  }
  expect(damaged()).toEqual([])
  isFull = false
  expect(await read(database, 'b')).toBe('2')
  expect(damaged()).toHaveLength(1)
  connection.close()
})
