import { SyncError } from '../base/errors.js'

/**
 * Where small things are kept between runs: text by key. Everything in the library that outlives
 * a run is kept through this contract; test/storage/compliance.ts says what it means.
 *
 * Any method may reject: `createResilientStore` makes of that what the library needs.
 */
export interface KeyValueStore {
  /** The value of a key; `undefined` where there is none. */
  get(key: string): Promise<string | undefined>
  set(key: string, value: string): Promise<void>
  /** Removes a key; one that is not there is no failure. */
  delete(key: string): Promise<void>
  /** Every key that has a value, in no particular order. */
  keys(): Promise<readonly string[]>
  /**
   * Replaces a value by what `change` makes of it, with nobody's write in between: another tab's
   * or process's neither. `undefined` removes the key. Gives the value that then stands.
   *
   * `change` may be called more than once, and must be quick and without effects of its own.
   */
  update(key: string, change: ValueChange): Promise<string | undefined>
  /**
   * Tells which key was changed by others (another tab, another process), or `undefined` where
   * that cannot be told; gives the function that stops it. Absent where nobody tells. A key may
   * be told although its value is as it was.
   */
  watch?(changed: (key: string | undefined) => void): () => void
}

/** Makes a value's successor; `undefined` stands for no value. */
export type ValueChange = (current: string | undefined) => string | undefined

// File names end at 255 bytes on most systems, and what is not safe in one takes three.
const LONGEST_NAME = 240

/**
 * Throws `option-invalid` unless the key is one that every kind of store can take: printable
 * ASCII, at most 240 long, where all but `a` to `z`, digits, `-` and `_` count three.
 */
export function assertKey(key: string): void {
  const unsafe = key.replace(/[a-z0-9_-]/g, '').length
  if (/^[\x20-\x7e]+$/.test(key) && key.length + 2 * unsafe <= LONGEST_NAME) return
  throw new SyncError('option-invalid', 'a key is printable ASCII and 1 to 240 characters long')
}

/** Runs what answers at once, for callers that wait: a throw becomes a rejection. */
export function promised<T>(run: () => T | PromiseLike<T>): Promise<T> {
  return new Promise((resolve) => {
    resolve(run())
  })
}
