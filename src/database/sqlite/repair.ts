import {
  closeSync,
  copyFileSync,
  existsSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { type CheckedRows, createRows, DamageError } from './checked-rows.js'
import { lockFile } from './file-lock.js'
import { isBusy, type OpenSqlite, type SqliteConnection } from './connection.js'
import {
  CommitCount,
  createPrivateFile,
  damagedName,
  type DatabaseFile,
  succeed,
  successorOf,
} from './database-file.js'
import { Salvage } from './salvage.js'

/**
 * Repairs a database whose rows are damaged while its structure is sound, after it has copied the
 * database aside. Gives whether there was something to repair: another process may have done it.
 *
 * @throws if the structure is damaged too.
 */
export function repairRows(
  connection: SqliteConnection,
  rows: CheckedRows,
  commits: number,
): boolean {
  // Another process may have repaired it. A sound database is not copied aside.
  if (isWhole(connection, rows)) return false
  const check = connection.prepare('PRAGMA integrity_check(1)').get() as Record<string, unknown>
  if (check['integrity_check'] !== 'ok') throw new DamageError()
  const { file } = databaseList(connection)
  if (file !== '') {
    const aside = damagedName(file)
    createPrivateFile(aside)
    try {
      connection.exec(`VACUUM INTO '${aside.replaceAll("'", "''")}'`)
    } catch (error) {
      // On a full disk each attempt would leave a part of a copy.
      removeDatabase(aside)
      throw error
    }
  }
  inTransaction(connection, () => {
    const salvage = new Salvage()
    salvage.read(connection)
    connection.exec('DELETE FROM statewire')
    rows.replace(salvage.rows, Math.max(salvage.commits, commits) + 1)
  })
  return true
}

/**
 * Begins a new database with what can still be read of a damaged one, which is put aside. Gives
 * whether this was to be done: another process may have done it.
 *
 * @throws the busy error of SQLite while another process does so.
 */
export function replaceDatabase(file: DatabaseFile, open: OpenSqlite): boolean {
  const { path } = file
  const lock = lockFile(`${path}-repair`, open)
  try {
    if (file.isReplaced) return false
    if (!file.hasSuccessor) {
      const count = new CommitCount(path)
      const release = stopWriters(path, open)
      try {
        makeSuccessor(path, open, count.read())
        succeed(path)
      } finally {
        release()
        count.close()
      }
    } else succeed(path)
    return true
  } finally {
    // A process that waits for this lock then finds that the database was replaced.
    rmSync(`${path}-repair`, { force: true })
    lock.close()
  }
}

/** Runs a function within a transaction, which is undone if the function throws. */
export function inTransaction<T>(connection: SqliteConnection, run: () => T): T {
  connection.exec('BEGIN IMMEDIATE')
  try {
    const result = run()
    connection.exec('COMMIT')
    return result
  } catch (error) {
    try {
      connection.exec('ROLLBACK')
    } catch {
      // Some errors end the transaction by themselves.
    }
    throw error
  }
}

/** Name and path of a database; the path is empty for one in memory. */
export function databaseList(connection: SqliteConnection): { readonly file: string } {
  return connection.prepare('PRAGMA database_list').get() as { readonly file: string }
}

function isWhole(connection: SqliteConnection, rows: CheckedRows): boolean {
  try {
    inTransaction(connection, () => rows.verifyAll())
    return true
  } catch (error) {
    if (error instanceof DamageError) return false
    throw error
  }
}

/** Locks a damaged file, if SQLite can still do so: no other process then writes to it. */
function stopWriters(path: string, open: OpenSqlite): () => void {
  let connection: SqliteConnection | undefined
  try {
    connection = open(path)
    connection.exec('PRAGMA busy_timeout = 0')
    connection.exec('BEGIN IMMEDIATE')
  } catch (error) {
    if (isBusy(error)) {
      connection?.close()
      throw error
    }
  }
  return () => connection?.close()
}

/** Writes a new database with what is whole in a damaged one, under the name of its successor. */
function makeSuccessor(path: string, open: OpenSqlite, commits: number): void {
  const draft = `${path}-draft`
  removeDatabase(draft)
  createPrivateFile(draft)
  const connection = open(draft)
  try {
    connection.exec('PRAGMA journal_mode = DELETE; PRAGMA synchronous = FULL')
    const rows = inTransaction(connection, () => createRows(connection))
    const salvage = salvageFrom(path, readFirstPage(draft), open)
    inTransaction(connection, () => {
      rows.replace(salvage.rows, Math.max(salvage.commits, commits) + 1)
    })
  } finally {
    connection.close()
  }
  renameSync(draft, successorOf(path))
}

/**
 * Reads what is whole from two copies of a damaged file. The second copy gets the first page of a
 * new database, since that page is the same in all databases of this library.
 */
function salvageFrom(path: string, firstPage: Uint8Array, open: OpenSqlite): Salvage {
  const salvage = new Salvage()
  const copy = `${path}-salvage`
  for (const patch of [new Uint8Array(), firstPage]) {
    removeDatabase(copy)
    for (const end of ['', '-wal']) {
      if (existsSync(`${path}${end}`)) copyFileSync(`${path}${end}`, `${copy}${end}`)
    }
    const descriptor = openSync(copy, 'r+')
    writeSync(descriptor, patch, 0, patch.length, 0)
    closeSync(descriptor)
    let connection: SqliteConnection | undefined
    try {
      connection = open(copy)
      salvage.read(connection)
    } catch {
      // SQLite cannot open this copy. It may open the other one.
    } finally {
      connection?.close()
    }
  }
  removeDatabase(copy)
  return salvage
}

// The size of a page, unless a database was made with another.
const PAGE_BYTES = 4_096
const PAGES_AT = 28

function readFirstPage(path: string): Uint8Array {
  const page = new Uint8Array(PAGE_BYTES)
  const descriptor = openSync(path, 'r')
  readSync(descriptor, page, 0, PAGE_BYTES, 0)
  closeSync(descriptor)
  // Without a number of pages SQLite takes the size of the file.
  page.fill(0, PAGES_AT, PAGES_AT + 4)
  return page
}

function removeDatabase(path: string): void {
  for (const end of ['', '-wal', '-shm', '-journal']) rmSync(`${path}${end}`, { force: true })
}
