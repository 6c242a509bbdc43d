import type { Clock } from '../../base/clock.js'
import type { ReportError } from '../../base/errors.js'
import type { Database } from '../database.js'

/** The shape that the SQLite libraries share. */
export interface SqliteConnection {
  exec(sql: string): unknown
  prepare(sql: string): unknown
  close(): unknown
}

export function createSqliteDatabase(
  _source: string | SqliteConnection,
  _options?: {
    readonly clock?: Clock
    readonly pollMs?: number
    readonly onError?: ReportError
  },
): Database {
  throw new Error('not here yet')
}
