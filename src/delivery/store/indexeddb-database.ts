import { wrap } from 'idb'

/** What is used of `indexedDB`. */
export interface IndexedDbFactory {
  open(name: string, version: number): IndexedDbOpening
}

/** What is used of an `IDBOpenDBRequest`. */
export interface IndexedDbOpening {
  readonly result: unknown
  addEventListener(type: 'upgradeneeded', listener: () => void): void
}

/** A table of the database, as `idb` shows it. */
export interface Table {
  get(key: string | number): Promise<unknown>
  getAll(): Promise<unknown[]>
  getAllKeys(): Promise<unknown[]>
  add(value: unknown): Promise<unknown>
  put(value: unknown, key: string | number): Promise<unknown>
  delete(key: string | number): Promise<unknown>
  openCursor(range: null, direction: 'next' | 'prev'): Promise<TableCursor | null>
}

/** A place in a table, as `idb` shows it. */
export interface TableCursor {
  readonly key: unknown
  readonly value: unknown
  delete(): Promise<unknown>
  continue(): Promise<TableCursor | null>
}

/** What an outbox is kept in: the owner and the identity, the messages, and what became of some. */
export interface Tables {
  readonly meta: Table
  readonly messages: Table
  readonly outcomes: Table
}

/** How a transaction is made: `durable` once it has reached the disk. */
export type Transaction = 'read' | 'write' | 'write durable'

/** The database of one outbox, opened at its first use, and again where it was closed from outside. */
export interface Database {
  /** Runs in one transaction: all that `body` asks for happens, or nothing. */
  run<T>(kind: Transaction, body: (tables: Tables) => Promise<T>): Promise<T>
  close(): void
}

interface OpenDatabase {
  transaction(names: string[], mode: string, options: object): Running
  addEventListener(type: 'close' | 'versionchange', listener: () => void): void
  close(): void
}

interface Running {
  readonly done: Promise<void>
  objectStore(name: keyof Tables): Table
  abort(): void
}

interface Upgrading {
  createObjectStore(name: keyof Tables, options?: { readonly autoIncrement: boolean }): unknown
}

const VERSION = 1

/** Makes the database of an outbox; the only place where `idb` is used. */
export function createDatabase(factory: () => IndexedDbFactory, name: string): Database {
  let opening: Promise<OpenDatabase> | undefined

  async function open(): Promise<OpenDatabase> {
    const request = factory().open(name, VERSION)
    request.addEventListener('upgradeneeded', () => {
      const database = request.result as Upgrading
      database.createObjectStore('meta')
      // Keys count up in the order in which transactions are made: that of the outbox.
      database.createObjectStore('messages', { autoIncrement: true })
      database.createObjectStore('outcomes', { autoIncrement: true })
    })
    // The DOM's types are no part of this build, so what `idb` gives is described above.
    return (await (wrap(request as never) as unknown)) as OpenDatabase
  }

  function connect(): Promise<OpenDatabase> {
    if (opening !== undefined) return opening
    const ours = open()
    const forget = (): void => {
      if (opening === ours) opening = undefined
    }
    opening = ours
    ours.then((connection) => {
      connection.addEventListener('close', forget)
      connection.addEventListener('versionchange', () => {
        // Whoever deletes or upgrades the database waits for this.
        connection.close()
        forget()
      })
    }, forget)
    return ours
  }

  return {
    async run(kind, body) {
      const connection = await connect()
      const transaction = connection.transaction(
        ['meta', 'messages', 'outcomes'],
        kind === 'read' ? 'readonly' : 'readwrite',
        { durability: kind === 'write durable' ? 'strict' : 'relaxed' },
      )
      const tables: Tables = {
        meta: transaction.objectStore('meta'),
        messages: transaction.objectStore('messages'),
        outcomes: transaction.objectStore('outcomes'),
      }
      try {
        const [value] = await Promise.all([body(tables), transaction.done])
        return value
      } catch (error) {
        abort(transaction)
        throw error
      }
    },
    close() {
      // What was asked before is still done.
      opening?.then(
        (connection) => {
          connection.close()
        },
        () => undefined,
      )
      opening = undefined
    },
  }
}

/**
 * Marks a request that others are made beside: where one of those throws, nobody comes to wait for
 * this one any more, and its end is no news.
 */
export function beside<T>(request: Promise<T>): Promise<T> {
  request.catch(() => undefined)
  return request
}

function abort(transaction: Running): void {
  try {
    transaction.abort()
  } catch {
    // It was over already.
  }
}
