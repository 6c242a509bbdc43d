/**
 * `statewire/storage`: where small things are kept between runs, and the contract of what keeps an
 * outbox. For files see `statewire/storage/node`, for the system's keychain
 * `statewire/storage/node-keychain`, for an outbox in a browser `statewire/storage/indexeddb`.
 *
 * @module
 */
export {
  type BrowserStoreOptions,
  createBrowserStore,
  createWebStore,
  type StorageChange,
  type StorageEvents,
  type WebLocks,
  type WebStorage,
  type WebStoreParts,
} from './browser.js'
export { createMemoryStore } from './memory.js'
export {
  createGuardedOutboxStore,
  type GuardedOutboxOptions,
} from '../delivery/store/outbox-guard.js'
export type { GuardedOutbox, GuardedOutboxStore } from '../delivery/store/outbox-guarded.js'
export {
  createMemoryOutboxStore,
  type MemoryOutboxHandle,
  type MemoryOutboxStore,
} from '../delivery/store/outbox-memory.js'
export type {
  StoredMessage,
  StoredOutcome,
  OutboxChange,
  OutboxIdentity,
  OutboxStore,
  OutboxWatcher,
  OwnedOutbox,
} from '../delivery/store/outbox-store.js'
export {
  createResilientStore,
  type ResilientStore,
  type ResilientStoreOptions,
} from './resilient.js'
export { scopeStore } from './scope.js'
export type { Change, KeyValueStore } from './store.js'
