import {
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import type { Database } from '../../src/database/database.js'
import { findSqlite } from '../../src/database/sqlite/connection.js'
import { createSqliteDatabase } from '../../src/database/sqlite/index.js'
import { historyOf, increment, keys, read, write } from './compliance.js'
import { makeFolder } from './folder.js'

// The one that a path takes: two copies of SQLite in one process do not see each other's locks.
const openSqlite = await findSqlite()

const NAME = 'test.db'
const TABLES = ['t0', 't1', 't2']
const COMMITS = 60
// Some values are longer than a page.
const valueOf = (at: number): string =>
  JSON.stringify({ at, text: 'x'.repeat(at % 20 ? at * 7 : 6_000) })

interface Opened {
  readonly database: Database
  /** The codes of what was told. */
  readonly told: string[]
}

function open(folder: string): Opened {
  const told: string[] = []
  const database = createSqliteDatabase(join(folder, NAME), {
    onError: ({ code }) => told.push(code),
  })
  return { database, told }
}

/** All rows of a database that was filled, by table and key, and its history. */
function contents(database: Database): Promise<{ rows: Map<string, string>; history: string }> {
  return database.transact(
    TABLES.map((table) => ({ table })),
    ({ rows, history }) => {
      const all = rows.flatMap((each, at) =>
        each.map(({ key, value }): [string, string] => [`${TABLES[at]!}/${key}`, value]),
      )
      return { result: { rows: new Map(all), history } }
    },
  )
}

function copy(from: string, to: string): void {
  mkdirSync(to, { recursive: true })
  for (const name of readdirSync(from)) copyFileSync(join(from, name), join(to, name))
}

function flip(file: string, at: number): void {
  const bytes = readFileSync(file)
  bytes[at]! ^= 1 << (at % 8)
  writeFileSync(file, bytes)
}

function damagedFiles(folder: string): string[] {
  return readdirSync(folder).filter((name) => name.includes('.damaged-'))
}

/** Writes all of the log into the database, and empties the log. */
function checkpoint(folder: string): void {
  const connection = openSqlite(join(folder, NAME))
  connection.exec('PRAGMA wal_checkpoint(TRUNCATE)')
  connection.close()
}

/** Fills a database. What it gives is as after a crash: the rows are in the log. */
async function fill(folder: string): Promise<Awaited<ReturnType<typeof contents>>> {
  const { database } = open(join(folder, 'live'))
  for (let at = 0; at < COMMITS; at += 1) {
    const table = TABLES[at % TABLES.length]!
    await write(database, { table, key: String(at), value: valueOf(at) })
  }
  const filled = await contents(database)
  mkdirSync(join(folder, 'log'))
  for (const name of [NAME, `${NAME}-wal`, `${NAME}-commits`]) {
    copyFileSync(join(folder, 'live', name), join(folder, 'log', name))
  }
  copy(join(folder, 'log'), join(folder, 'written'))
  checkpoint(join(folder, 'written'))
  rmSync(join(folder, 'written', `${NAME}-shm`), { force: true })
  await database.close()
  return filled
}

/** The bytes to damage: many in the header, and then one in each step. */
function places(file: string, step: number): number[] {
  const { size } = statSync(file)
  return Array.from({ length: size }, (_, at) => at).filter(
    (at) => (at < 112 && at % 3 === 0) || at % step === 0,
  )
}

let folder = ''
let filled: Awaited<ReturnType<typeof contents>>
beforeEach(async () => {
  folder = makeFolder()
  filled = await fill(folder)
})

describe('one flipped bit', () => {
  for (const { state, file, step } of [
    { state: 'written', file: NAME, step: 1_009 },
    { state: 'log', file: `${NAME}-wal`, step: 8_009 },
  ]) {
    it(`[DB-13] [DB-14] in ${file} changes nothing, or is told and gives a new history`, async () => {
      let timesTold = 0
      for (const at of places(join(folder, state, file), step)) {
        const place = join(folder, 'place')
        rmSync(place, { recursive: true, force: true })
        copy(join(folder, state), place)
        flip(join(place, file), at)
        const { database, told } = open(place)
        const found = await contents(database)
        for (const [key, value] of found.rows) expect(value).toBe(filled.rows.get(key))
        if (told.length === 0) {
          expect(found).toEqual(filled)
        } else {
          timesTold += 1
          expect(told).toEqual(['storage-damaged'])
          expect(found.history).not.toBe(filled.history)
        }
        // Some damage shows only at a write.
        await write(database, { key: 'later', value: '1' })
        const left = await contents(database)
        await database.close()
        const again = open(place)
        expect(await read(again.database, 'later')).toBe('1')
        expect(await contents(again.database)).toEqual(left)
        expect(again.told).toEqual([])
        await again.database.close()
      }
      expect(timesTold).toBeGreaterThan(20)
    })
  }

  it('[DB-13] in a row loses that row only, and leaves the damaged file', async () => {
    const place = join(folder, 'row')
    copy(join(folder, 'written'), place)
    const bytes = readFileSync(join(place, NAME))
    // SQLite moves rows from page to page, and leaves copies in unused space.
    for (let at = bytes.indexOf('"at":7,'); at >= 0; at = bytes.indexOf('"at":7,', at + 1)) {
      flip(join(place, NAME), at + 12)
    }
    const { database, told } = open(place)
    const { rows } = await contents(database)
    expect(rows.size).toBe(COMMITS - 1)
    expect(rows.has('t1/7')).toBe(false)
    expect(told).toEqual(['storage-damaged'])
    const [damaged] = damagedFiles(place)
    expect(statSync(join(place, damaged!)).mode & 0o777).toBe(0o600)
    await database.close()
  })

  it('[DB-13] in the header loses nothing', async () => {
    for (const at of [0, 16, 18, 19, 47, 59, 104, 110]) {
      const place = join(folder, 'header')
      rmSync(place, { recursive: true, force: true })
      copy(join(folder, 'written'), place)
      flip(join(place, NAME), at)
      const { database } = open(place)
      await write(database, { key: 'later', value: '1' })
      expect((await contents(database)).rows).toEqual(filled.rows)
      await database.close()
    }
  })

  it('[DB-13] is found in a row that vanished without a trace', async () => {
    const place = join(folder, 'vanished')
    copy(join(folder, 'written'), place)
    const connection = openSqlite(join(place, NAME))
    connection.exec("DELETE FROM statewire WHERE name = 't1' AND key = '7'")
    connection.close()
    const { database, told } = open(place)
    const { rows } = await contents(database)
    expect(rows.size).toBe(COMMITS - 1)
    expect(told).toEqual(['storage-damaged'])
    await database.close()
  })
})

describe('a database that cannot be read', () => {
  /** Breaks the structure of a database that is closed. */
  function breakStructure(place: string): void {
    writeFileSync(join(place, NAME), 'not a database'.repeat(1_000))
  }

  it('[DB-13] is put aside, and a new one begins', async () => {
    const place = join(folder, 'written')
    const broken = readFileSync(join(place, NAME))
    broken.fill('x', 0, 100)
    writeFileSync(join(place, NAME), broken)
    const { database, told } = open(place)
    const found = await contents(database)
    expect(found.rows).toEqual(filled.rows)
    expect(found.history).not.toBe(filled.history)
    expect(told).toEqual(['storage-damaged'])
    const [damaged, ...others] = damagedFiles(place)
    expect(readFileSync(join(place, damaged!))).toEqual(broken)
    expect(others).toEqual([])
    await database.close()
  })

  it('[DB-13] keeps what can be read from both ends', async () => {
    const place = join(folder, 'written')
    const bytes = readFileSync(join(place, NAME))
    // The first byte of a page says what it is.
    const page = Math.floor(bytes.indexOf('"at":31,') / 4_096) * 4_096
    bytes[page] = 0xff
    writeFileSync(join(place, NAME), bytes)
    const { database, told } = open(place)
    const { rows } = await contents(database)
    expect(rows.size).toBeGreaterThan(COMMITS / 2)
    expect(rows.has('t0/0')).toBe(true)
    expect(rows.has('t2/59')).toBe(true)
    expect(rows.has('t1/31')).toBe(false)
    expect(told).toEqual(['storage-damaged'])
    await database.close()
  })

  it('[DB-13] is put aside with its log, whose rows are kept', async () => {
    const place = join(folder, 'written')
    const before = open(place)
    await increment(before.database)
    const crashed = join(folder, 'crashed')
    copy(place, crashed)
    await before.database.close()
    rmSync(join(crashed, `${NAME}-shm`))
    const bytes = readFileSync(join(crashed, NAME))
    bytes[Math.floor(bytes.indexOf('"at":31,') / 4_096) * 4_096] = 0xff
    writeFileSync(join(crashed, NAME), bytes)
    const { database, told } = open(crashed)
    expect((await contents(database)).rows.size).toBeLessThan(COMMITS)
    expect(await read(database, 'n')).toBe('1')
    expect(damagedFiles(crashed).map((name) => name.replace(/-.*?(-wal)?$/, '$1'))).toEqual([
      `${NAME}.damaged`,
      `${NAME}.damaged-wal`,
    ])
    expect(told).toEqual(['storage-damaged'])
    await database.close()
  })

  it('[DB-15] is left by every handle, whichever finds the damage, and told once', async () => {
    const place = join(folder, 'written')
    const [first, second, third] = [open(place), open(place), open(place)]
    await increment(first.database)
    breakStructure(place)
    rmSync(join(place, `${NAME}-wal`))
    rmSync(join(place, `${NAME}-shm`))
    await Promise.all([increment(second.database), increment(third.database)])
    await increment(first.database)
    expect([...first.told, ...second.told, ...third.told]).toEqual(['storage-damaged'])
    const history = await historyOf(second.database)
    for (const { database } of [first, second, third]) {
      expect(await read(database, 'n')).toBe('3')
      expect(await historyOf(database)).toBe(history)
      await database.close()
    }
    expect(await read(open(place).database, 'n')).toBe('3')
  })

  it('[DB-15] is replaced at the next use where a crash interrupted it', async () => {
    const place = join(folder, 'written')
    const other = open(join(folder, 'other'))
    await write(other.database, { key: 'a', value: 'kept' })
    await other.database.close()
    checkpoint(join(folder, 'other'))
    // What a process leaves that was killed after its new database was complete.
    renameSync(join(folder, 'other', NAME), join(place, `${NAME}-new`))
    const { database } = open(place)
    expect(await read(database, 'a')).toBe('kept')
    expect(readdirSync(place)).not.toContain(`${NAME}-new`)
    expect(damagedFiles(place)).toHaveLength(1)
    await database.close()
  })

  it('[DB-15] is repaired by one process at a time', async () => {
    const place = join(folder, 'written')
    breakStructure(place)
    const lock = openSqlite(join(place, `${NAME}-repair`))
    lock.exec('BEGIN EXCLUSIVE')
    const { database, told } = open(place)
    const waiting = increment(database)
    await new Promise(setImmediate)
    expect(told).toEqual([])
    expect(damagedFiles(place)).toEqual([])
    lock.exec('ROLLBACK')
    lock.close()
    await waiting
    expect(told).toEqual(['storage-damaged'])
    await database.close()
  })
})

describe('lost commits', () => {
  it('[DB-14] are told of a database that is older than it was', async () => {
    const place = join(folder, 'written')
    const older = readFileSync(join(place, NAME))
    const { database } = open(place)
    await increment(database)
    await database.close()
    for (const end of ['-wal', '-shm']) rmSync(join(place, `${NAME}${end}`), { force: true })
    writeFileSync(join(place, 'older'), older)
    renameSync(join(place, 'older'), join(place, NAME))
    const { database: restored, told } = open(place)
    const found = await contents(restored)
    expect(found.rows).toEqual(filled.rows)
    expect(found.history).not.toBe(filled.history)
    expect(told).toEqual(['storage-damaged'])
    expect(damagedFiles(place)).toEqual([])
    await restored.close()
    const again = open(place)
    expect(await historyOf(again.database)).toBe(found.history)
    expect(again.told).toEqual([])
    await again.database.close()
  })

  it('[DB-14] are told of a database that was removed or replaced while it was open', async () => {
    const place = join(folder, 'written')
    const older = readFileSync(join(place, NAME))
    const { database, told } = open(place)
    await increment(database)
    for (const end of ['', '-wal', '-shm']) rmSync(join(place, `${NAME}${end}`), { force: true })
    await increment(database)
    expect(await read(database, 'n')).toBe('1')
    expect(told).toEqual(['storage-damaged'])
    for (const end of ['-wal', '-shm']) rmSync(join(place, `${NAME}${end}`), { force: true })
    writeFileSync(join(place, 'older'), older)
    renameSync(join(place, 'older'), join(place, NAME))
    expect((await contents(database)).rows).toEqual(filled.rows)
    expect(told).toEqual(['storage-damaged', 'storage-damaged'])
    await database.close()
  })

  it('[DB-14] are not told where only the count beside the database is damaged or missing', async () => {
    const place = join(folder, 'written')
    const count = readFileSync(join(place, `${NAME}-commits`))
    for (const at of count.keys()) {
      writeFileSync(join(place, `${NAME}-commits`), count)
      flip(join(place, `${NAME}-commits`), at)
      const { database, told } = open(place)
      expect(await historyOf(database)).toBe(filled.history)
      expect(told).toEqual([])
      await database.close()
    }
    rmSync(join(place, `${NAME}-commits`))
    const { database, told } = open(place)
    expect(await historyOf(database)).toBe(filled.history)
    expect(told).toEqual([])
    await database.close()
  })
})

describe('a damaged connection that was handed in', () => {
  it('[DB-16] is repaired where its structure is sound', async () => {
    const connection = openSqlite(':memory:')
    const told: string[] = []
    const database = createSqliteDatabase(connection, { onError: ({ code }) => told.push(code) })
    await write(database, { key: 'a', value: '1' }, { key: 'b', value: '2' })
    const history = await historyOf(database)
    connection.exec("UPDATE statewire SET value = '3' WHERE key = 'b'")
    expect(await keys(database)).toEqual(['a'])
    expect(await historyOf(database)).not.toBe(history)
    expect(told).toEqual(['storage-damaged'])
    connection.close()
  })

  it('[DB-16] rejects where its structure is damaged', async () => {
    const place = join(folder, 'written')
    const bytes = readFileSync(join(place, NAME))
    bytes[Math.floor(bytes.indexOf('"at":31,') / 4_096) * 4_096] = 0xff
    writeFileSync(join(place, NAME), bytes)
    const connection = openSqlite(join(place, NAME))
    const database = createSqliteDatabase(connection)
    await expect(contents(database)).rejects.toThrow()
    await expect(contents(database)).rejects.toThrow()
    expect(damagedFiles(place)).toEqual([])
    connection.close()
  })
})
