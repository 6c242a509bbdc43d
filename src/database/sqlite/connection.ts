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
  return (path) => new TidyConnection(new DatabaseSync(path))
}

/** Ends its statements on `close`: while one is left, `@photostructure/sqlite` keeps the files open. */
class TidyConnection implements SqliteConnection {
  readonly #connection: SqliteConnection
  readonly #statements = new Map<string, SqliteStatement & Partial<Disposable>>()

  constructor(connection: SqliteConnection) {
    this.#connection = connection
  }

  exec(sql: string): void {
    this.#connection.exec(sql)
  }

  prepare(sql: string): SqliteStatement {
    const statement = this.#statements.get(sql) ?? this.#connection.prepare(sql)
    this.#statements.set(sql, statement)
    return statement
  }

  close(): void {
    for (const statement of this.#statements.values()) statement[Symbol.dispose]?.()
    this.#connection.close()
  }
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

const BUSY = resultCodes({ BUSY: 5, PROTOCOL: 15 })
// A damaged header can also make a database read-only (8), or its schema another one (1).
const DAMAGED = resultCodes({ CORRUPT: 11, NOTADB: 26, READONLY: 8, ERROR: 1 })

/** Whether a statement failed because another connection is writing. */
export function isBusy(error: unknown): boolean {
  return BUSY(error)
}

/** Whether SQLite could not make sense of the file. */
export function isUnreadable(error: unknown): boolean {
  return DAMAGED(error)
}

/**
 * Tells errors of SQLite by their result codes. `node:sqlite` gives the extended code as `errcode`,
 * whose last byte is the code. The others give the name, `SQLITE_BUSY_SNAPSHOT`, as `code`.
 */
function resultCodes(codes: Readonly<Record<string, number>>): (error: unknown) => boolean {
  const names = new RegExp(`^SQLITE_(${Object.keys(codes).join('|')})(_|$)`)
  const numbers = new Set(Object.values(codes))
  return (error) => {
    const { code, errcode } = error as { readonly code?: unknown; readonly errcode?: unknown }
    if (typeof errcode === 'number') return numbers.has(errcode & 0xff)
    return typeof code === 'string' && names.test(code)
  }
}
