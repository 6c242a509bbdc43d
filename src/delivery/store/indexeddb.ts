/**
 * `statewire/storage/indexeddb`: an outbox that outlives the page, shared by the tabs of an origin.
 *
 * @module
 */
export type { OutboxChannel } from './indexeddb-channel.js'
export type { OutboxLocks } from './indexeddb-claim.js'
export type { IndexedDbFactory, IndexedDbOpening } from './indexeddb-database.js'
export {
  createIndexedDbOutboxStore,
  type IndexedDbOutboxOptions,
  type IndexedDbParts,
} from './indexeddb-outbox.js'
