import type { ReportError } from '../../base/errors.js'
import type { Database } from '../../database/database.js'
import { createSqliteDatabase, type SqliteConnection } from '../../database/sqlite/index.js'
import {
  createDatabaseLog,
  type DatabaseLog,
  type DatabaseLogOptions,
  DEFAULT_LEASE_MS,
} from './database-log.js'

export type { Change, Database, Found, Read, Row, Write } from '../../database/database.js'
export type { SqliteConnection } from '../../database/sqlite/index.js'
export { createDatabaseLog, type DatabaseLog, type DatabaseLogOptions } from './database-log.js'

/** Options of {@link createSqliteLog}. */
export interface SqliteLogOptions extends DatabaseLogOptions {
  /** Hears once that the database was damaged, or replaced by an older copy. */
  readonly onError?: ReportError
}

/**
 * Opens a log in an SQLite database: a path, a connection of an SQLite library, or a `Database`.
 * It survives `kill -9` and power loss. `end` closes the database, unless a `Database` was given.
 *
 * Rejects as {@link createDatabaseLog} does.
 *
 * @example
 * const log = await createSqliteLog('/var/lib/sync/log.sqlite')
 * const sync = createSyncServer({ protocol, server, delivery: { log } })
 */
export async function createSqliteLog(
  pathOrDatabase: string | SqliteConnection | Database,
  { onError, ...options }: SqliteLogOptions = {},
): Promise<DatabaseLog> {
  if (isDatabase(pathOrDatabase)) return createDatabaseLog(pathOrDatabase, options)
  const { clock, leaseMs = DEFAULT_LEASE_MS } = options
  const database = createSqliteDatabase(pathOrDatabase, {
    // Often enough to see in time that another server asks whether this one is alive.
    pollMs: leaseMs / 3,
    ...(clock !== undefined && { clock }),
    ...(onError !== undefined && { onError }),
  })
  try {
    const log = await createDatabaseLog(database, options)
    const end = log.end.bind(log)
    return Object.assign(log, { end: () => end().then(() => database.close()) })
  } catch (error) {
    await database.close()
    throw error
  }
}

function isDatabase(value: string | SqliteConnection | Database): value is Database {
  return typeof value !== 'string' && 'transact' in value
}
