import { wrap } from 'idb'
import { createUuid } from '../base/uuid.js'
import type { Change, Found, Read, Row } from './database.js'

/** What is used of `indexedDB`. */
export interface IndexedDbFactory {
  open(name: string, version: number): IndexedDbOpening
}

/** What is used of an `IDBOpenDBRequest`. */
export interface IndexedDbOpening {
  readonly result: unknown
  addEventListener(type: 'upgradeneeded', listener: () => void): void
}

interface Connection {
  transaction(
    names: string[],
    mode: 'readwrite',
    options: { readonly durability: 'strict' },
  ): Running
  addEventListener(type: 'close' | 'versionchange', listener: () => void): void
  close(): void
}

interface Running {
  readonly done: Promise<void>
  objectStore(name: 'rows'): RowStore
  objectStore(name: 'meta'): { get(key: string): Promise<string> }
  commit(): void
  abort(): void
}

interface RowStore {
  getAll(keys: unknown): Promise<IndexedDbRow[]>
  put(row: IndexedDbRow): Promise<unknown>
  delete(key: RowKey): Promise<unknown>
}

interface IndexedDbRow extends Row {
  readonly table: string
}

type RowKey = readonly [table: string, key: string]

interface Upgrading {
  createObjectStore(
    name: 'rows' | 'meta',
    options?: { readonly keyPath: readonly string[] },
  ): { put(value: string, key: string): unknown }
}

interface KeyRanges {
  bound(lower: RowKey, upper: readonly unknown[], isLowerOpen: boolean): unknown
}

const VERSION = 1

/** The rows in IndexedDB: opened at the first use, and again after they were closed from outside. */
export class IndexedDbRows {
  readonly #factory: () => IndexedDbFactory
  readonly #name: string
  #opening: Promise<Connection> | undefined

  constructor(factory: () => IndexedDbFactory, name: string) {
    this.#factory = factory
    this.#name = name
  }

  async transact<T>(
    reads: readonly Read[],
    change: (found: Found) => Change<T>,
  ): Promise<Change<T>> {
    const transaction = await this.#begin()
    // Also where nobody comes to wait for it.
    transaction.done.catch(() => undefined)
    try {
      const rows = transaction.objectStore('rows')
      const [history, ...found] = await Promise.all([
        transaction.objectStore('meta').get('history'),
        ...reads.map(async (read) => toRows(await rows.getAll(keysOf(read)))),
      ])
      const changed = change({ rows: found, history })
      for (const { table, key, value } of changed.writes ?? []) {
        const request =
          value === undefined ? rows.delete([table, key]) : rows.put({ table, key, value })
        // A request that fails ends the transaction, and `done` says so.
        request.catch(() => undefined)
      }
      // From here on it ends also when this thread hangs.
      transaction.commit()
      await transaction.done
      return changed
    } catch (error) {
      abort(transaction)
      throw error
    }
  }

  close(): void {
    this.#opening?.then(
      (connection) => connection.close(),
      () => undefined,
    )
    this.#opening = undefined
  }

  async #begin(): Promise<Running> {
    const connection = await this.#connect()
    try {
      return connection.transaction(['rows', 'meta'], 'readwrite', { durability: 'strict' })
    } catch (error) {
      // Some browsers close a connection without an event.
      this.close()
      throw error
    }
  }

  #connect(): Promise<Connection> {
    if (this.#opening !== undefined) return this.#opening
    const opening = this.#open()
    const forget = (): void => {
      if (this.#opening === opening) this.#opening = undefined
    }
    this.#opening = opening
    opening.then((connection) => {
      connection.addEventListener('close', forget)
      connection.addEventListener('versionchange', () => {
        // Whoever deletes or upgrades the database waits for this.
        connection.close()
        forget()
      })
    }, forget)
    return opening
  }

  async #open(): Promise<Connection> {
    const request = this.#factory().open(this.#name, VERSION)
    request.addEventListener('upgradeneeded', () => {
      const database = request.result as Upgrading
      database.createObjectStore('rows', { keyPath: ['table', 'key'] })
      // A database that was deleted is made again, with another history.
      database.createObjectStore('meta').put(createUuid(), 'history')
    })
    // The DOM's types are no part of this build, so what `idb` gives is described above.
    return (await (wrap(request as never) as unknown)) as Connection
  }
}

function keysOf({ table, key, after }: Read): unknown {
  if (key !== undefined) return [table, key]
  const { IDBKeyRange } = globalThis as unknown as { readonly IDBKeyRange: KeyRanges }
  // An array is larger than any text.
  return IDBKeyRange.bound([table, after ?? ''], [table, []], after !== undefined)
}

function toRows(stored: readonly IndexedDbRow[]): readonly Row[] {
  return stored.map(({ key, value }) => ({ key, value }))
}

function abort(transaction: Running): void {
  try {
    transaction.abort()
  } catch {
    // It was over already.
  }
}
