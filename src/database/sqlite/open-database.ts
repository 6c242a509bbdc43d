import { assertOption } from '../../base/errors.js'
import { createUuid } from '../../base/uuid.js'
import type { Change, Found, Read, Row } from '../database.js'
import { CheckedRows, createRows } from './checked-rows.js'
import type { SqliteConnection, SqliteStatement } from './connection.js'
import { CommitCount, type DatabaseFile } from './database-file.js'
import { databaseList, inTransaction, repairRows } from './repair.js'

/** The path leads to another database than the one that is open. */
export class ReplacedError extends Error {}

/** Wraps what `change` threw, so that it is not taken for an error of SQLite. */
export class ChangeError extends Error {
  constructor(cause: unknown) {
    super('change threw', { cause })
  }
}

/** One connection to a database. Everything here is synchronous. */
export class OpenDatabase {
  readonly #connection: SqliteConnection
  /** Absent where the connection was handed in. */
  readonly #file: DatabaseFile | undefined
  readonly #count: CommitCount | undefined
  readonly #reportLoss: () => void
  readonly #readVersion: SqliteStatement
  #rows: CheckedRows | undefined

  constructor(
    connection: SqliteConnection,
    file: DatabaseFile | undefined,
    reportLoss: () => void,
  ) {
    this.#connection = connection
    this.#file = file
    this.#reportLoss = reportLoss
    // A timeout of SQLite would block the process while another one writes.
    connection.exec('PRAGMA busy_timeout = 0')
    assertLog(connection)
    connection.exec('PRAGMA synchronous = FULL')
    this.#readVersion = connection.prepare('PRAGMA data_version')
    const { file: path } = databaseList(connection)
    this.#count = path === '' ? undefined : new CommitCount(path)
  }

  /** Whether the path leads to another database by now. */
  get isReplaced(): boolean {
    return this.#file?.isReplaced === true
  }

  /** A number that changes with each commit of another connection. */
  get version(): number {
    const { data_version: version } = this.#readVersion.get() as {
      readonly data_version: number | bigint
    }
    return Number(version)
  }

  transact<T>(reads: readonly Read[], change: (found: Found) => Change<T>): T {
    const rows = this.#prepared()
    const { writes = [], result } = inTransaction(this.#connection, () => {
      this.#assertInPlace()
      rows.load()
      const found = { rows: reads.map((read) => select(rows, read)), history: rows.history }
      const changed = callChange(change, found)
      for (const { table, key, value } of changed.writes ?? []) rows.put(table, key, value)
      if ((changed.writes ?? []).length > 0) rows.finish()
      return changed
    })
    if (writes.length > 0) this.#count?.write(rows.commits)
    return result
  }

  /** See {@link repairRows}. */
  repair(): boolean {
    this.#assertInPlace()
    const rows = new CheckedRows(this.#connection)
    return repairRows(this.#connection, rows, this.#count?.read() ?? 0)
  }

  close(): void {
    this.#count?.close()
    // A connection that was handed in belongs to who made it.
    if (this.#file === undefined) return
    try {
      // Some libraries close the file only later: a copy of it must have everything by now.
      this.#connection.exec('PRAGMA wal_checkpoint(TRUNCATE)')
    } catch {
      // Another process is using the database: the log stays beside it.
    }
    this.#connection.close()
  }

  /** Makes the table, or checks that no commit was lost. */
  #prepared(): CheckedRows {
    if (this.#rows !== undefined) return this.#rows
    const written = this.#count?.read() ?? 0
    const { rows, hasLost } = inTransaction(this.#connection, () => {
      this.#assertInPlace()
      const isNew = this.#isNew(written)
      const found = isNew ? createRows(this.#connection) : new CheckedRows(this.#connection)
      if (!isNew) found.load()
      const isShort = written > found.commits
      const commits = Math.max(written, found.commits) + 1
      if (isNew || isShort) found.finish({ history: createUuid(), commits })
      return { rows: found, hasLost: isShort }
    })
    this.#rows = rows
    this.#count?.write(rows.commits)
    if (hasLost) this.#reportLoss()
    return rows
  }

  /** `written` is the count of commits beside the database: 0 if this library never wrote to it. */
  #isNew(written: number): boolean {
    const all = this.#connection.prepare('SELECT name FROM sqlite_schema').all()
    if (all.some((entry) => (entry as { readonly name: unknown }).name === 'statewire'))
      return false
    // A file that this library wrote to had the table. With more than one page it has lost it.
    return this.#file === undefined || written === 0 || (all.length === 0 && this.#pages() <= 1)
  }

  #pages(): number {
    const found = this.#connection.prepare('PRAGMA page_count').get()
    return Number((found as { readonly page_count: unknown }).page_count)
  }

  #assertInPlace(): void {
    if (this.isReplaced) throw new ReplacedError()
  }
}

/** Throws where SQLite cannot keep its log: it needs memory that the processes of one machine share. */
function assertLog(connection: SqliteConnection): void {
  const found = connection.prepare('PRAGMA journal_mode = WAL').get()
  const { journal_mode: mode } = found as { readonly journal_mode: unknown }
  // A database in memory has no log.
  const isUsable = mode === 'wal' || mode === 'memory'
  assertOption(
    isUsable,
    'SQLite cannot write its log there; network file systems are not supported',
  )
}

function select(rows: CheckedRows, { table, key, after = '' }: Read): readonly Row[] {
  if (key === undefined) return rows.after(table, after)
  const row = rows.get(table, key)
  return row === undefined ? [] : [row]
}

function callChange<T>(change: (found: Found) => Change<T>, found: Found): Change<T> {
  try {
    return change(found)
  } catch (error) {
    throw new ChangeError(error)
  }
}
