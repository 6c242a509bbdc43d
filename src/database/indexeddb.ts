import { type Clock, createSystemClock, DELAY, isDelay, type TimerHandle } from '../base/clock.js'
import { assertOption } from '../base/errors.js'
import { type Change, closedError, type Database, type Found, type Read } from './database.js'
import { type IndexedDbFactory, IndexedDbRows } from './indexeddb-rows.js'
import { Watchers } from './watchers.js'

export type { IndexedDbFactory, IndexedDbOpening } from './indexeddb-rows.js'

/** The parts of a browser that a database is made with. */
export interface IndexedDbParts {
  readonly indexedDB: IndexedDbFactory
  /** Absent in pages without a secure context. */
  readonly locks?: TabLocks | undefined
  /** Makes a `BroadcastChannel`. */
  openChannel(name: string): HintChannel
}

/** What is used of `navigator.locks`. */
export interface TabLocks {
  request(
    name: string,
    options: { readonly signal?: AbortSignal },
    run: () => Promise<void>,
  ): Promise<unknown>
}

/** What is used of a `BroadcastChannel`. */
export interface HintChannel {
  postMessage(message: unknown): void
  addEventListener(type: 'message', listener: () => void): void
  close(): void
}

/** Options of {@link createIndexedDbDatabase}. */
export interface IndexedDbOptions {
  /** The name of the database. Default: `statewire`. */
  readonly name?: string
  /** How late a change by another tab is noticed at most, in milliseconds. Default: 5,000. */
  readonly pollMs?: number
  readonly clock?: Clock
  /** Default: the page's own, looked for at the first use. */
  readonly parts?: IndexedDbParts
}

/**
 * Makes a database in IndexedDB. The tabs of an origin share it, and it is there after a reload or
 * a crash of the browser.
 *
 * Where IndexedDB is missing, forbidden or full, `transact` rejects and changes nothing. It may hang
 * as IndexedDB does: while it opens, and while another tab hangs between the reads and the writes of
 * a transaction. Chromium ends such a transaction after a minute.
 *
 * @throws SyncError `option-invalid` if the name is empty or `pollMs` is not a delay.
 */
export function createIndexedDbDatabase(options: IndexedDbOptions = {}): Database {
  const { name = 'statewire', pollMs = 5_000, clock = createSystemClock() } = options
  const { parts = createPageParts() } = options
  const isName = typeof name === 'string' && name !== ''
  assertOption(isName, 'name must be a text')
  assertOption(isDelay(pollMs) && pollMs > 0, `pollMs must be ${DELAY}, not 0`)
  return new IndexedDbDatabase({ name, pollMs, clock, parts })
}

class IndexedDbDatabase implements Database {
  readonly lock?: (name: string, signal: AbortSignal) => Promise<() => void>
  readonly #options: Required<IndexedDbOptions>
  readonly #place: string
  readonly #rows: IndexedDbRows
  readonly #watchers = new Watchers()
  readonly #releases = new Set<() => void>()
  #channel: HintChannel | undefined
  #sweep: TimerHandle
  #isClosed = false
  /** Settles when the last transaction is done. */
  #last: Promise<unknown> = Promise.resolve()

  constructor(options: Required<IndexedDbOptions>) {
    const { name, parts } = options
    this.#options = options
    this.#place = `statewire-database:${name}`
    this.#rows = new IndexedDbRows(() => parts.indexedDB, name)
    const { locks } = parts
    if (locks !== undefined) this.lock = (lock, signal) => this.#lock(locks, lock, signal)
  }

  transact<T>(reads: readonly Read[], change: (found: Found) => Change<T>): Promise<T> {
    if (this.#isClosed) return Promise.reject(closedError())
    const turn = this.#last.then(() => this.#rows.transact(reads, change))
    this.#last = turn.then(
      ({ writes = [] }) => {
        if (writes.length > 0) this.#hint()
      },
      () => undefined,
    )
    return turn.then(({ result }) => result)
  }

  watch(changed: () => void): () => void {
    if (this.#isClosed) return () => undefined
    this.#findChannel()
    if (this.#watchers.size === 0) this.#sweepLater()
    const remove = this.#watchers.add(changed)
    return () => {
      remove()
      if (this.#watchers.size === 0) this.#options.clock.clearTimeout(this.#sweep)
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#watchers.clear()
    this.#options.clock.clearTimeout(this.#sweep)
    for (const release of this.#releases) release()
    await this.#last
    this.#channel?.close()
    this.#rows.close()
  }

  #lock(locks: TabLocks, name: string, signal: AbortSignal): Promise<() => void> {
    if (this.#isClosed) return Promise.reject(closedError())
    return new Promise((resolve, reject) => {
      const hold = (): Promise<void> => {
        if (this.#isClosed) throw closedError()
        return new Promise((done) => {
          const release = (): void => {
            this.#releases.delete(release)
            done()
          }
          this.#releases.add(release)
          resolve(release)
        })
      }
      locks.request(`${this.#place}:${name}`, { signal }, hold).catch(reject)
    })
  }

  /** A hint has no content: what happened is in the database. */
  #hint(): void {
    try {
      this.#findChannel()?.postMessage('changed')
    } catch {
      // The sweeps of the other tabs find what was written.
    }
  }

  #findChannel(): HintChannel | undefined {
    if (this.#channel !== undefined) return this.#channel
    try {
      this.#channel = this.#options.parts.openChannel(this.#place)
      this.#channel.addEventListener('message', () => this.#watchers.tell())
    } catch {
      // Without a channel the sweeps are all that there is.
    }
    return this.#channel
  }

  #sweepLater(): void {
    this.#sweep = this.#options.clock.setTimeout(() => {
      this.#watchers.tell()
      this.#sweepLater()
    }, this.#options.pollMs)
  }
}

interface PageGlobals {
  readonly indexedDB?: IndexedDbFactory
  readonly navigator?: { readonly locks?: TabLocks }
  readonly BroadcastChannel: new (name: string) => HintChannel
}

const page = globalThis as unknown as PageGlobals

function createPageParts(): IndexedDbParts {
  return {
    // Looked for late: where storage is forbidden, some browsers throw.
    get indexedDB() {
      if (page.indexedDB === undefined) throw new Error('there is no IndexedDB')
      return page.indexedDB
    },
    locks: page.navigator?.locks,
    openChannel: (name) => new page.BroadcastChannel(name),
  }
}
