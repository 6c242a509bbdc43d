/**
 * `statewire/storage/node`: files in Node, for values by key and for an outbox.
 *
 * @module
 */
export { createFileStore, type FileStoreOptions } from '../../storage/node.js'
export { createFileOutboxStore, type FileOutboxOptions } from './node-outbox.js'
