/**
 * A database: tables of rows, each row a text under a key. The outbox of a client, the log of a
 * server and small values are stored through this contract. The adapters are in memory, IndexedDB
 * and SQLite; test/database/compliance.ts tests each of them.
 *
 * Several handles may be open on the same rows: the tabs of a browser, several processes. Each
 * promise may reject or hang; whoever needs a limit sets one.
 */
export interface Database {
  /**
   * Reads rows, calls `change` with them, and makes the writes that it gives, as one transaction:
   * wholly or not at all, and with no other transaction in between. Resolves once the writes
   * survive whatever the database is meant to survive. Transactions of one handle are made in the
   * order of the calls.
   *
   * `change` must be synchronous and without side effects: it may be called more than once. If it
   * throws, nothing is written and the promise rejects with what it threw.
   *
   * Any other rejection means that nothing was written, or that nobody knows: an error may come
   * after the commit. So a caller must write in such a way that doing it again does no harm.
   */
  transact<T>(reads: readonly Read[], change: (found: Found) => Change<T>): Promise<T>
  /**
   * Calls `changed` when another handle may have written something: soon after, at the latest
   * after the handle's poll interval. Gives the function that ends it.
   */
  watch(changed: () => void): () => void
  /**
   * Waits for a lock that its holder loses at once when it ends, however it ends. Gives the function
   * that releases it. Rejects when the signal aborts, and where the system forbids locks. A database
   * of a system without such locks has no such method; a holder that is gone is then found out by a
   * lease.
   */
  lock?(name: string, signal: AbortSignal): Promise<() => void>
  /** Completes what was asked before, and closes the handle. Later calls reject. */
  close(): Promise<void>
}

/** Which rows of a table a transaction reads. */
export interface Read {
  /** The name of the table: any text that is not empty. */
  readonly table: string
  /** The row with this key. */
  readonly key?: string
  /** All rows with larger keys, compared as JavaScript compares texts. Without it and `key`: all rows. */
  readonly after?: string
}

/** One row of a table. */
export interface Row {
  /** Any text that is not empty. */
  readonly key: string
  /** Any text. */
  readonly value: string
}

/** What a transaction has read. */
export interface Found {
  /** The rows of each read, in the order of their keys. */
  readonly rows: readonly (readonly Row[])[]
  /**
   * A text that changes whenever rows may have been lost: the database was damaged, deleted, or
   * replaced by an older copy.
   */
  readonly history: string
}

/** What a transaction does with what it has read. */
export interface Change<T> {
  readonly writes?: readonly Write[]
  readonly result: T
}

/** A row to write. Without a value the row is deleted. */
export interface Write {
  readonly table: string
  readonly key: string
  readonly value: string | undefined
}

const DIGITS = 16

/** The key of a numbered row: keys sort as their numbers do. */
export function numberKey(number: number): string {
  return String(number).padStart(DIGITS, '0')
}

/** What every method rejects with after `close`. */
export function closedError(): Error {
  return new Error('the database was closed')
}
