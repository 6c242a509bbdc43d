/**
 * `statewire/storage/node`: an outbox in files, in Node.
 *
 * @module
 */
export { createFileOutboxStore, type FileOutboxOptions } from './node-outbox.js'
