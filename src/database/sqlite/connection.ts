import { SyncError } from '../../base/errors.js'

/**
 * An open SQLite database: what `DatabaseSync` of `node:sqlite` and of `@photostructure/sqlite`, and
 * the databases of `better-sqlite3` and `libsql` have in common.
 */
export interface SqliteConnection {
  exec(sql: string): unknown
  prepare(sql: string): SqliteStatement
  close(): void
}

/** A prepared statement of a {@link SqliteConnection}. */
export interface SqliteStatement {
  run(...parameters: (string | number)[]): unknown
  get(...parameters: (string | number)[]): unknown
  all(...parameters: (string | number)[]): unknown[]
}

/** Opens the database of a path. */
export type OpenSqlite = (path: string) => SqliteConnection

interface SqliteModule {
  readonly DatabaseSync: new (path: string) => SqliteConnection
}

/** Finds a SQLite: `node:sqlite`, or the optional package `@photostructure/sqlite`. */
export async function findSqlite(): Promise<OpenSqlite> {
  // A static import of `node:sqlite` would fail on Node 20, which has none.
  const found: unknown = process.getBuiltinModule('node:sqlite') ?? (await importPeer())
  const { DatabaseSync } = found as SqliteModule
  return (path) => new DatabaseSync(path)
}

async function importPeer(): Promise<unknown> {
  try {
    return await import('@photostructure/sqlite')
  } catch (cause) {
    throw new SyncError(
      'option-invalid',
      'a path needs Node 22.13 or later, or the package: npm install @photostructure/sqlite',
      { cause },
    )
  }
}

/** A result code of SQLite: its number, name and text. */
type ResultCode = readonly [number: number, name: string, text: string]

const BUSY: readonly ResultCode[] = [
  [5, 'SQLITE_BUSY', 'database is locked'],
  [15, 'SQLITE_PROTOCOL', 'locking protocol'],
]
// A damaged header can also make a database read-only, and a damaged schema cause a logic error.
const UNREADABLE: readonly ResultCode[] = [
  [11, 'SQLITE_CORRUPT', 'database disk image is malformed'],
  [26, 'SQLITE_NOTADB', 'file is not a database'],
  [8, 'SQLITE_READONLY', 'attempt to write a readonly database'],
  [1, 'SQLITE_ERROR', 'SQL logic error'],
]

/** Whether a statement failed because another connection is writing. */
export function isBusy(error: unknown): boolean {
  return BUSY.some((result) => isResult(error, result))
}

/** Whether SQLite could not make sense of the file. */
export function isUnreadable(error: unknown): boolean {
  return UNREADABLE.some((result) => isResult(error, result))
}

/**
 * Tells an error of SQLite. `node:sqlite` gives the extended number as `errcode`, whose last byte
 * is the number. `better-sqlite3` and `libsql` give the extended name, such as
 * `SQLITE_BUSY_SNAPSHOT`. `all` of `@photostructure/sqlite` gives only the text.
 */
function isResult(error: unknown, [number, name, text]: ResultCode): boolean {
  const { code, errcode, message } = error as Readonly<Record<string, unknown>>
  if (typeof errcode === 'number') return (errcode & 0xff) === number
  if (code === 'ERR_SQLITE_ERROR') return message === text
  return typeof code === 'string' && `${code}_`.startsWith(`${name}_`)
}
