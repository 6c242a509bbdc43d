/**
 * `statewire/storage`: small values by key, and the database that an outbox, a server's log and
 * values are stored in. For SQLite see `statewire/storage/sqlite`, for browsers
 * `statewire/storage/indexeddb`, for the system's keychain `statewire/storage/node-keychain`.
 *
 * @module
 */
export type { Change, Database, Found, Read, Row, Write } from '../database/database.js'
export { createMemoryDatabase, type MemoryDatabase } from '../database/memory.js'
export { type BrowserStoreOptions, createBrowserStore } from './browser.js'
export { createDatabaseStore } from './database.js'
export { createMemoryStore } from './memory.js'
export {
  createResilientStore,
  type ResilientStore,
  type ResilientStoreOptions,
} from './resilient.js'
export { scopeStore } from './scope.js'
export type { KeyValueStore, ValueChange } from './store.js'
