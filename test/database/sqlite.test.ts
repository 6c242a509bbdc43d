import { DatabaseSync } from '@photostructure/sqlite'
import { chmodSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, vi } from 'vitest'
import {
  findSqlite,
  isBusy,
  isUnreadable,
  type SqliteStatement,
} from '../../src/database/sqlite/connection.js'
import { createSqliteDatabase } from '../../src/database/sqlite/index.js'
import { createManualClock } from '../../src/testing/index.js'
import { describeDatabase, increment, read, write } from './compliance.js'
import { makeFolder } from './folder.js'

// The one that a path takes: two copies of SQLite in one process do not see each other's locks.
const openSqlite = await findSqlite()

describeDatabase('SQLite', () => {
  const path = join(makeFolder(), 'test.db')
  const clock = createManualClock()
  return {
    open: () => createSqliteDatabase(path, { clock }),
    poll: () => clock.advanceAsync(1_000),
  }
})

describeDatabase('a SQLite connection that was handed in', () => {
  const path = join(makeFolder(), 'test.db')
  const clock = createManualClock()
  return {
    open: () => createSqliteDatabase(openSqlite(path), { clock }),
    poll: () => clock.advanceAsync(1_000),
  }
})

function modeOf(path: string): number {
  return statSync(path).mode & 0o777
}

describe('the file of a database', () => {
  it('[DB-11] is made at the first use, readable by its owner only', async () => {
    const folder = join(makeFolder(), 'deep', 'folder')
    const path = join(folder, 'test.db')
    const database = createSqliteDatabase(path)
    expect(() => statSync(folder)).toThrow('ENOENT')
    await increment(database)
    expect(modeOf(folder)).toBe(0o700)
    expect(readdirSync(folder)).toContain('test.db-wal')
    for (const name of readdirSync(folder)) expect(modeOf(join(folder, name))).toBe(0o600)
    await database.close()
  })

  it('[DB-11] is readable by its owner only, whatever it was before', async () => {
    const path = join(makeFolder(), 'test.db')
    writeFileSync(path, '')
    chmodSync(path, 0o644)
    const database = createSqliteDatabase(path)
    await increment(database)
    expect(modeOf(path)).toBe(0o600)
    await database.close()
  })

  it('[DB-11] is tried again at the next use where it could not be opened', async () => {
    const folder = join(makeFolder(), 'folder')
    writeFileSync(folder, 'a file is in the way')
    const database = createSqliteDatabase(join(folder, 'test.db'))
    await expect(increment(database)).rejects.toMatchObject({
      code: 'storage-failed',
      message: expect.stringContaining(join(folder, 'test.db')) as string,
      cause: { code: 'EEXIST' },
    })
    rmSync(folder)
    await increment(database)
    expect(await read(database, 'n')).toBe('1')
    await database.close()
  })

  it('[DB-11] cannot be a folder, whose mode stays', async () => {
    const path = makeFolder()
    chmodSync(path, 0o755)
    const database = createSqliteDatabase(path)
    await expect(increment(database)).rejects.toMatchObject({
      code: 'storage-failed',
      // Some libraries put something before SQLite's own text.
      message: expect.stringMatching(/unable to open/) as string,
    })
    expect(modeOf(path)).toBe(0o755)
    await database.close()
  })

  it('[DB-11] cannot be a file of something else', async () => {
    const path = join(makeFolder(), 'notes.txt')
    writeFileSync(path, 'My notes, which are no database. '.repeat(200))
    const database = createSqliteDatabase(path)
    await expect(increment(database)).rejects.toMatchObject({
      code: 'storage-failed',
      message: `The database ${path} cannot be opened: file is not a database`,
      cause: { message: 'file is not a database' },
    })
    await database.close()
  })

  it('[DB-11] is refused without a name, and with options that are not usable', () => {
    for (const make of [
      () => createSqliteDatabase(''),
      () => createSqliteDatabase('test.db', { pollMs: -1 }),
      () => createSqliteDatabase('test.db', { onError: 1 as never }),
    ]) {
      expect(make).toThrow(expect.objectContaining({ code: 'option-invalid' }) as Error)
    }
  })
})

describe('another writer', () => {
  it('[DB-12] is waited for on the clock, in the order of the calls', async () => {
    const path = join(makeFolder(), 'test.db')
    const clock = createManualClock()
    const database = createSqliteDatabase(path, { clock, random: () => 0.5 })
    await increment(database)
    const other = openSqlite(path)
    other.exec('BEGIN IMMEDIATE')
    const first = write(database, { key: 'a', value: '1' })
    const second = write(database, { key: 'a', value: '2' })
    const waits: number[] = []
    for (let turn = 0; turn < 8; turn += 1) {
      await vi.waitFor(() => expect(clock.pending.count).toBe(1))
      waits.push(clock.pending.deadlines[0]! - clock.now())
      await clock.advanceAsync(waits.at(-1)!)
    }
    expect(waits).toEqual([1.25, 2.5, 5, 10, 20, 40, 62.5, 62.5])
    other.exec('ROLLBACK')
    other.close()
    await clock.advanceAsync(100)
    await Promise.all([first, second])
    expect(await read(database, 'a')).toBe('2')
    await database.close()
    expect(clock.pending.count).toBe(0)
  })

  it('[DB-12] is waited for no longer than 30 s, by all that wait in one queue', async () => {
    const path = join(makeFolder(), 'test.db')
    const clock = createManualClock()
    const database = createSqliteDatabase(path, { clock })
    await increment(database)
    const stopWatching = database.watch(() => undefined)
    const other = openSqlite(path)
    other.exec('BEGIN IMMEDIATE')
    const held = {
      code: 'storage-failed',
      message: 'another process has held the database for 30 s',
      cause: { code: expect.any(String) as string },
    }
    const waiting = [increment(database), increment(database)].map((each) =>
      expect(each).rejects.toMatchObject(held),
    )
    await clock.advanceAsync(29_000)
    const last = expect(increment(database)).rejects.toMatchObject(held)
    await clock.advanceAsync(1_100)
    await Promise.all([...waiting, last])
    // One that is asked now waits anew.
    const later = increment(database)
    await clock.advanceAsync(1_000)
    other.exec('ROLLBACK')
    other.close()
    await clock.advanceAsync(100)
    await later
    expect(await read(database, 'n')).toBe('2')
    stopWatching()
    await database.close()
    expect(clock.pending.count).toBe(0)
  })

  it('[DB-12] gathers no looks of a watch', async () => {
    const path = join(makeFolder(), 'test.db')
    const clock = createManualClock()
    const connection = openSqlite(path)
    const looked = vi.fn()
    const prepare = (sql: string): SqliteStatement => {
      const statement = connection.prepare(sql)
      const get = (...parameters: (string | number)[]): unknown => {
        if (sql === 'PRAGMA data_version') looked()
        return statement.get(...parameters)
      }
      return { run: (...all) => statement.run(...all), get, all: (...all) => statement.all(...all) }
    }
    const exec = (sql: string): unknown => connection.exec(sql)
    const database = createSqliteDatabase({ exec, prepare, close: () => undefined }, { clock })
    await increment(database)
    const other = openSqlite(path)
    other.exec('BEGIN IMMEDIATE')
    const waiting = increment(database)
    const stop = database.watch(() => undefined)
    looked.mockClear()
    await clock.advanceAsync(20_000)
    other.exec('ROLLBACK')
    other.close()
    await clock.advanceAsync(100)
    await waiting
    stop()
    await database.close()
    expect(looked).toHaveBeenCalledTimes(1)
    connection.close()
  })

  it('[DB-12] is told by the errors of each library', () => {
    const nodeError = { code: 'ERR_SQLITE_ERROR' }
    const busy = [
      { ...nodeError, errcode: 5 },
      { ...nodeError, errcode: 517 },
      { ...nodeError, message: 'database is locked' },
      { code: 'SQLITE_BUSY' },
      { code: 'SQLITE_BUSY_SNAPSHOT' },
      { code: 'SQLITE_BUSY', rawCode: 5 },
    ]
    const unreadable = [
      { ...nodeError, errcode: 11 },
      { ...nodeError, errcode: 267 },
      { ...nodeError, message: 'database disk image is malformed' },
      { code: 'SQLITE_NOTADB', rawCode: 26 },
      { code: 'SQLITE_CORRUPT_INDEX' },
    ]
    const others = [
      { ...nodeError, errcode: 13 },
      { ...nodeError, message: 'x' },
      { code: 'EACCES' },
    ]
    expect(busy.map(isBusy)).toEqual(busy.map(() => true))
    expect(unreadable.map(isUnreadable)).toEqual(unreadable.map(() => true))
    expect([...unreadable, ...others].some(isBusy)).toBe(false)
    expect([...busy, ...others].some(isUnreadable)).toBe(false)
  })

  it('[DB-7] is noticed when it uses another connection of the same process', async () => {
    const path = join(makeFolder(), 'test.db')
    const clock = createManualClock()
    const database = createSqliteDatabase(path, { clock, pollMs: 50 })
    await increment(database)
    const changed = vi.fn()
    const stop = database.watch(changed)
    const other = createSqliteDatabase(path)
    await increment(other)
    await clock.advanceAsync(50)
    expect(changed).toHaveBeenCalledTimes(1)
    await clock.advanceAsync(500)
    expect(changed).toHaveBeenCalledTimes(1)
    stop()
    expect(clock.pending.count).toBe(0)
    await other.close()
    await database.close()
  })
})

describe('a connection that was handed in', () => {
  it('[DB-16] stays open, and may have tables of others', async () => {
    const connection = openSqlite(':memory:')
    connection.exec("CREATE TABLE own (a TEXT); INSERT INTO own VALUES ('mine')")
    const database = createSqliteDatabase(connection)
    await increment(database)
    await database.close()
    const again = createSqliteDatabase(connection)
    expect(await read(again, 'n')).toBe('1')
    expect(connection.prepare('SELECT a FROM own').get()).toEqual({ a: 'mine' })
    connection.close()
  })

  it('[DB-16] may give big integers', async () => {
    const connection = new DatabaseSync(':memory:', { readBigInts: true })
    const database = createSqliteDatabase(connection)
    await increment(database)
    const again = createSqliteDatabase(connection)
    await increment(again)
    expect(await read(again, 'n')).toBe('2')
  })

  it('[DB-16] rejects within a transaction of its owner', async () => {
    const connection = openSqlite(':memory:')
    const database = createSqliteDatabase(connection)
    connection.exec('BEGIN')
    await expect(increment(database)).rejects.toThrow('transaction')
    connection.exec('ROLLBACK')
    await increment(database)
    expect(await read(database, 'n')).toBe('1')
  })
})
