import { createUuid } from '../base/uuid.js'
import {
  type Change,
  closedError,
  type Database,
  type Found,
  type Read,
  type Write,
} from './database.js'
import { Watchers } from './watchers.js'

/** A database in memory. Further handles on the same rows compete as tabs and processes do. */
export interface MemoryDatabase extends Database {
  /** Opens another handle on the same rows. */
  open(): MemoryDatabase
  /** Acts as kill -9: what has resolved stays, what is pending is lost and never settles. */
  crash(): void
  /** Acts as a frozen tab or a stopped process: nothing happens here until the resulting function is called. */
  freeze(): () => void
  /** Acts as a copy of the file, or as a backup that is restored: another place with the same rows. */
  copy(): MemoryDatabase
  /** Acts as an eviction: all rows are gone, for all handles. */
  clear(): void
}

/**
 * Makes a database that lasts as long as the process: for tests, and for rows that need not
 * outlive it. A transaction that rejects has written nothing.
 *
 * @example
 * const first = createMemoryDatabase()
 * const second = first.open()
 * first.crash()
 */
export function createMemoryDatabase(): MemoryDatabase {
  return new MemoryHandle(new MemoryRows())
}

/** What all handles share. */
class MemoryRows {
  history = createUuid()
  readonly handles = new Set<MemoryHandle>()
  readonly #tables: Map<string, Map<string, string>>

  constructor(tables: ReadonlyMap<string, ReadonlyMap<string, string>> = new Map()) {
    this.#tables = new Map([...tables].map(([name, rows]) => [name, new Map(rows)]))
  }

  copy(): MemoryRows {
    const copy = new MemoryRows(this.#tables)
    copy.history = this.history
    return copy
  }

  transact<T>(reads: readonly Read[], change: (found: Found) => Change<T>): Change<T> {
    const rows = reads.map((read) => this.#read(read))
    const changed = change({ rows, history: this.history })
    for (const write of changed.writes ?? []) this.#write(write)
    return changed
  }

  clear(): void {
    this.#tables.clear()
    this.history = createUuid()
  }

  #read({ table, key, after }: Read): Found['rows'][number] {
    const rows = [...(this.#tables.get(table) ?? [])].map(([name, value]) => ({ key: name, value }))
    if (key !== undefined) return rows.filter((row) => row.key === key)
    return rows
      .filter((row) => after === undefined || row.key > after)
      .sort((a, b) => (a.key < b.key ? -1 : 1))
  }

  #write({ table, key, value }: Write): void {
    const rows = this.#tables.get(table) ?? new Map<string, string>()
    this.#tables.set(table, rows)
    if (value === undefined) rows.delete(key)
    else rows.set(key, value)
  }
}

class MemoryHandle implements MemoryDatabase {
  readonly #rows: MemoryRows
  readonly #watchers = new Watchers()
  #state: 'open' | 'closed' | 'crashed' = 'open'
  /** Settles when the last transaction is done. */
  #last: Promise<unknown> = Promise.resolve()
  /** Resolves once the handle is no longer frozen. */
  #thaw: Promise<void> | undefined

  constructor(rows: MemoryRows) {
    this.#rows = rows
    rows.handles.add(this)
  }

  open(): MemoryDatabase {
    return new MemoryHandle(this.#rows)
  }

  transact<T>(reads: readonly Read[], change: (found: Found) => Change<T>): Promise<T> {
    if (this.#state === 'closed') return Promise.reject(closedError())
    const turn = this.#last.then(() => this.#run(reads, change))
    this.#last = turn.catch(() => undefined)
    return turn
  }

  watch(changed: () => void): () => void {
    return this.#watchers.add(changed)
  }

  async close(): Promise<void> {
    if (this.#state === 'crashed') return
    this.#state = 'closed'
    await this.#last
    this.#leave()
  }

  crash(): void {
    this.#state = 'crashed'
    this.#leave()
  }

  freeze(): () => void {
    let resume: () => void = () => undefined
    const thaw = new Promise<void>((resolve) => {
      resume = resolve
    })
    this.#thaw = thaw
    return () => {
      if (this.#thaw === thaw) this.#thaw = undefined
      resume()
      this.tell()
    }
  }

  copy(): MemoryDatabase {
    return new MemoryHandle(this.#rows.copy())
  }

  clear(): void {
    this.#rows.clear()
    for (const handle of this.#rows.handles) handle.tell()
  }

  tell(): void {
    if (this.#thaw === undefined) this.#watchers.tell()
  }

  async #run<T>(reads: readonly Read[], change: (found: Found) => Change<T>): Promise<T> {
    // It may be frozen again by then.
    while (this.#thaw !== undefined) await this.#thaw
    // A crash between the call and the change loses the change.
    if (this.#state === 'crashed') return await new Promise<never>(() => undefined)
    const { writes = [], result } = this.#rows.transact(reads, change)
    if (writes.length > 0) {
      for (const other of this.#rows.handles) if (other !== this) other.tell()
    }
    return result
  }

  #leave(): void {
    this.#watchers.clear()
    this.#rows.handles.delete(this)
  }
}
