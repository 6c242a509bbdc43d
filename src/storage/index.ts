/** Small values by key. `statewire/storage` offers them together with the storages of an outbox. */
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
export { createDatabaseStore } from './database.js'
export { createMemoryStore } from './memory.js'
export {
  createResilientStore,
  type ResilientStore,
  type ResilientStoreOptions,
} from './resilient.js'
export { scopeStore } from './scope.js'
export type { KeyValueStore, ValueChange } from './store.js'
