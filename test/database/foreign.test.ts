import { copyFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { findSqlite } from '../../src/database/sqlite/connection.js'
import { createSqliteDatabase } from '../../src/database/sqlite/index.js'
import { increment, read } from './compliance.js'
import { makeFolder } from './folder.js'

const openSqlite = await findSqlite()

it('[DB-18] adds its table to a database of the app, and leaves the rest alone', async () => {
  const path = join(makeFolder(), 'app.db')
  const own = openSqlite(path)
  own.exec('CREATE TABLE customers (name TEXT)')
  own.exec("INSERT INTO customers VALUES ('Ada')")
  own.close()
  const database = createSqliteDatabase(path)
  await increment(database)
  await database.close()
  const again = openSqlite(path)
  expect(again.prepare('SELECT name FROM customers').all()).toMatchObject([{ name: 'Ada' }])
  again.close()
})

it('[DB-18] never replaces a file that it has not written', async () => {
  const folder = makeFolder()
  const path = join(folder, 'notes.txt')
  const text = 'My notes, which are no database. '.repeat(200)
  writeFileSync(path, text)
  const database = createSqliteDatabase(path)
  await expect(increment(database)).rejects.toThrow()
  await database.close()
  expect(readFileSync(path, 'utf8')).toBe(text)
  expect(readdirSync(folder).filter((name) => name.includes('damaged'))).toEqual([])
})

it('[DB-18] has everything in the file itself once it is closed', async () => {
  const folder = makeFolder()
  const database = createSqliteDatabase(join(folder, 'a.db'))
  await increment(database)
  await database.close()
  copyFileSync(join(folder, 'a.db'), join(folder, 'copy.db'))
  const copy = createSqliteDatabase(join(folder, 'copy.db'))
  expect(await read(copy, 'n')).toBe('1')
  await copy.close()
})

it.each([undefined, 5, new URL('file:///tmp/a.db'), '', null])(
  '[DB-17] refuses %s in place of a path',
  (value) => {
    expect(() => createSqliteDatabase(value as never)).toThrow(
      expect.objectContaining({ code: 'option-invalid' }),
    )
  },
)
