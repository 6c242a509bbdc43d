/**
 * `statewire/storage`: small values by key, and the database that an outbox, a server's log and
 * values are stored in. For SQLite see `statewire/storage/sqlite`, for browsers
 * `statewire/storage/indexeddb`, for the system's keychain `statewire/storage/node-keychain`.
 *
 * @module
 */
export * from '../../storage/index.js'
export type {
  Change,
  Database,
  Found,
  Read,
  Row,
  Write,
} from '../../database/database.js'
export { createMemoryDatabase, type MemoryDatabase } from '../../database/memory.js'
