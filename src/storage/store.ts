import { assertOption } from '../base/errors.js'

/**
 * A storage for small values: text by key. The session, the device id and the choice of environment
 * are stored through this contract, which test/storage/compliance.ts tests.
 *
 * Each method may reject. `createResilientStore` turns a failing store into one that never rejects.
 */
export interface KeyValueStore {
  /** Gives the value of a key, or `undefined` if it has none. */
  get(key: string): Promise<string | undefined>
  set(key: string, value: string): Promise<void>
  /** Removes a key. Resolves too if the key has no value. */
  delete(key: string): Promise<void>
  /** Gives all keys with a value, in any order. */
  keys(): Promise<readonly string[]>
  /**
   * Replaces a value by the result of `change`, as one step: no other tab or process can write in
   * between. The result `undefined` removes the key. Gives the value that the key then has.
   *
   * `change` may be called more than once. It must be fast and have no side effects.
   */
  update(key: string, change: ValueChange): Promise<string | undefined>
  /**
   * Calls `changed` when another tab or process changed a key, with the key if it is known. It may
   * be called for a key whose value is the same. Gives the function that ends it. A store that
   * does not know what others change has no such method.
   */
  watch?(changed: (key: string | undefined) => void): () => void
}

/** Makes the next value from the current one. `undefined` means no value. */
export type ValueChange = (current: string | undefined) => string | undefined

// A file name has at most 255 bytes on most systems. A character that is escaped in it takes three.
const LONGEST_NAME = 240

/**
 * Throws `option-invalid` unless every kind of store can use the key: printable ASCII, at most 240
 * characters, where each one but `a` to `z`, digits, `-` and `_` counts as three.
 */
export function assertKey(key: string): void {
  const unsafe = key.replace(/[a-z0-9_-]/g, '').length
  const isUsable = /^[\x20-\x7e]+$/.test(key) && key.length + 2 * unsafe <= LONGEST_NAME
  assertOption(isUsable, 'a key must be printable ASCII and 1 to 240 characters long')
}

/** Runs a function as a promise: an exception becomes a rejection. */
export function promised<T>(run: () => T | PromiseLike<T>): Promise<T> {
  return new Promise((resolve) => {
    resolve(run())
  })
}
