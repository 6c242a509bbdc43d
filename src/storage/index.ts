/**
 * `statewire/storage`: where small things are kept between runs. For files see
 * `statewire/storage/node`, for the system's keychain `statewire/storage/keychain`.
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
  createResilientStore,
  type ResilientStore,
  type ResilientStoreOptions,
} from './resilient.js'
export { scopeStore } from './scope.js'
export type { Change, KeyValueStore } from './store.js'
