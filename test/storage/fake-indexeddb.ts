// What idb looks for on the page.
import 'fake-indexeddb/auto'
import * as fake from 'fake-indexeddb'
import type { IndexedDbFactory } from '../../src/database/indexeddb.js'

/** A database as the tests meddle with it. */
export interface FakeDatabase {
  createObjectStore(name: string, options: { readonly autoIncrement: boolean }): unknown
  close(): void
}

/** A request to open or to delete. */
export interface FakeRequest {
  readonly result: FakeDatabase
  onupgradeneeded: () => void
  onsuccess: () => void
  onblocked: () => void
  addEventListener(): void
}

/** An `indexedDB` of its own. */
export interface FakeFactory extends IndexedDbFactory {
  open(name: string, version: number): FakeRequest
  deleteDatabase(name: string): FakeRequest
}

// Its types are the DOM's, which Node's tests do without.
const { IDBFactory, IDBObjectStore } = fake as unknown as {
  readonly IDBFactory: new () => FakeFactory
  readonly IDBObjectStore: {
    readonly prototype: { add(value: unknown): unknown; put(value: unknown): unknown }
  }
}

/** Makes an `indexedDB` with nothing in it. */
export function createFakeIndexedDb(): FakeFactory {
  return new IDBFactory()
}

/** What every table inherits from. */
export const tablePrototype = IDBObjectStore.prototype
