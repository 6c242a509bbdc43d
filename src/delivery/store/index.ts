/**
 * `statewire/storage`: small values by key, and the contract of a storage for an outbox. For a
 * database in Node see `statewire/storage/sqlite`, for files `statewire/storage/node`, for the system's keychain `statewire/storage/node-keychain`, for an
 * outbox in a browser `statewire/storage/indexeddb`.
 *
 * @module
 */
export * from '../../storage/index.js'
export { createGuardedOutboxStore, type GuardedOutboxOptions } from './outbox-guard.js'
export {
  createMemoryOutboxStore,
  type MemoryOutboxHandle,
  type MemoryOutboxStore,
} from './outbox-memory.js'
export type {
  GuardedOutbox,
  GuardedOutboxStore,
  StoredMessage,
  StoredOutcome,
  OutboxChange,
  OutboxIdentity,
  OutboxStore,
  OutboxWatcher,
  OwnedOutbox,
} from './outbox-store.js'
