import type { Database } from '../../src/database/database.js'
import { acquireLease, type Lease } from '../../src/database/lease.js'
import { createMemoryDatabase, type MemoryDatabase } from '../../src/database/memory.js'
import { createManualClock } from '../../src/testing/clock.js'
import { createFakeLocks } from '../storage/fake-locks.js'

export const leaseMs = 10_000
/** In which steps time passes: an owner answers within one. */
export const STEP_MS = 500
export const table = 'owner of something'

/** How a place is made. */
export interface PlaceOptions {
  readonly hasLocks: boolean
}

/** Rows that several tabs share, each with a clock of its own, since a frozen tab has no timers. */
export class Place {
  readonly rows = createMemoryDatabase()
  readonly locks = createFakeLocks()
  readonly hasLocks: boolean
  readonly tabs: Tab[] = []

  constructor({ hasLocks }: PlaceOptions) {
    this.hasLocks = hasLocks
  }

  open(): Tab {
    const tab = new Tab(this)
    this.tabs.push(tab)
    return tab
  }

  /** Lets time pass in all tabs that are not frozen. */
  async pass(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += STEP_MS) {
      for (const tab of this.tabs) await tab.pass(STEP_MS)
    }
  }

  /** The whole machine sleeps: then every timer is late. */
  async sleep(ms: number): Promise<void> {
    for (const tab of this.tabs) tab.clock.jump(ms)
    await drain()
  }

  /** The leases with which a write succeeds now. */
  async writers(): Promise<Tab[]> {
    const writers: Tab[] = []
    for (const tab of this.tabs) if (await tab.canWrite()) writers.push(tab)
    return writers
  }
}

/** A tab that waits for ownership or has it. */
export class Tab {
  readonly clock = createManualClock()
  readonly #place: Place
  readonly #handle: MemoryDatabase
  readonly #database: Database
  readonly #abort = new AbortController()
  readonly #held = new Set<() => void>()
  #thaw: (() => void) | undefined
  #whenThawed: Promise<void> = Promise.resolve()
  #listeners = 0
  answers = 0
  transactions = 0
  /** How long the tab was frozen at a stretch since it became the owner. */
  frozenMs = 0
  longestFrozenMs = 0
  lease: Lease | undefined
  error: unknown
  state: 'running' | 'frozen' | 'crashed' = 'running'

  constructor(place: Place) {
    this.#place = place
    this.#handle = place.rows.open()
    const handle = this.#handle
    this.#database = {
      transact: (reads, change) => {
        this.transactions += 1
        return handle.transact(reads, change)
      },
      watch: (changed) => {
        this.#listeners += 1
        const stop = handle.watch(changed)
        return () => {
          this.#listeners -= 1
          stop()
        }
      },
      close: () => handle.close(),
      ...(place.hasLocks && { lock: (name, signal) => this.#lock(name, signal) }),
    }
  }

  get listeners(): number {
    return this.#listeners
  }

  /** Starts to wait for ownership. */
  async claim(): Promise<void> {
    const { signal } = this.#abort
    acquireLease({
      database: this.#database,
      table,
      clock: this.clock,
      leaseMs,
      signal,
      onAnswer: () => {
        this.answers += 1
      },
    }).then(
      (lease) => {
        this.lease = lease
        this.longestFrozenMs = 0
      },
      (error: unknown) => {
        this.error = error
      },
    )
    await drain()
  }

  get owns(): boolean {
    return this.state === 'running' && this.lease?.lost.aborted === false
  }

  /** Writes as an owner does; whether that succeeded. */
  async canWrite(): Promise<boolean> {
    const { lease } = this
    if (lease === undefined || this.state !== 'running') return false
    try {
      await this.#database.transact([lease.read], ({ rows: [rows] }) => ({
        writes: [...lease.keep(rows), { table: 'log', key: 'last', value: String(lease.fence) }],
        result: undefined,
      }))
      return true
    } catch {
      lease.lose()
      return false
    }
  }

  async release(): Promise<void> {
    await this.lease?.release()
    await drain()
  }

  async abort(): Promise<void> {
    this.#abort.abort()
    await drain()
  }

  async crash(): Promise<void> {
    this.#handle.crash()
    this.state = 'crashed'
    this.#abort.abort()
    for (const release of this.#held) release()
    await drain()
  }

  freeze(): void {
    if (this.state !== 'running') return
    this.state = 'frozen'
    this.frozenMs = 0
    this.#whenThawed = new Promise((resolve) => {
      const thaw = this.#handle.freeze()
      this.#thaw = () => {
        thaw()
        resolve()
      }
    })
  }

  async thaw(): Promise<void> {
    if (this.state !== 'frozen') return
    this.state = 'running'
    this.#thaw?.()
    this.clock.jump(this.frozenMs)
    await drain()
  }

  async pass(ms: number): Promise<void> {
    if (this.state === 'running') await this.clock.advanceAsync(ms)
    if (this.state !== 'frozen') return
    this.frozenMs += ms
    this.longestFrozenMs = Math.max(this.longestFrozenMs, this.frozenMs)
  }

  #lock(name: string, signal: AbortSignal): Promise<() => void> {
    return new Promise((resolve, reject) => {
      const hold = async (): Promise<void> => {
        await new Promise<void>((release) => {
          this.#held.add(release)
          // A frozen tab has the lock, but does not know it.
          void this.#whenThawed.then(() => resolve(release))
        })
      }
      this.#place.locks.request(name, { signal }, hold).catch(reject)
    })
  }
}

/** Lets everything happen that needs no time. */
export async function drain(): Promise<void> {
  for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve))
}
