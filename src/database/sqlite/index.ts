/**
 * `statewire/storage/sqlite`: one database file for what a client or a server stores in Node.
 *
 * @module
 */
export type {
  Change,
  Database,
  Found,
  Read,
  Row,
  Write,
} from '../database.js'
export type { SqliteConnection, SqliteStatement } from './connection.js'
export { createSqliteDatabase, type SqliteDatabaseOptions } from './sqlite-database.js'
