import { type Clock, LATE_TIMER_MS } from '../../base/clock.js'
import { nameThrown, withDeadline } from '../../base/deadline.js'
import { type ReportError, SyncError } from '../../base/errors.js'
import type { Change, Database, Found, Read } from '../../database/database.js'

/** Options of {@link GuardedDatabase}. */
export interface GuardOptions {
  readonly clock: Clock
  /** Called with code `storage-failed` each time the database stops working. */
  readonly report: ReportError
  /** The database has stopped working, or works again. */
  readonly changed: (isWorking: boolean) => void
  /** Whether an error says something about the outbox, and nothing about the database. */
  readonly isExpected: (error: unknown) => boolean
  /** Aborts when nobody waits any more: no failure counts after that. */
  readonly closing: AbortSignal
}

/** How long the first transaction, which opens the database, may take, in milliseconds. */
const OPEN_MS = 3_000
/** How long each other transaction may take. */
const TRANSACTION_MS = 10_000

/**
 * Notices when a database stops working, and when it works again: a transaction that rejects or
 * takes too long, and one that succeeds. The result of a transaction is the database's own, however
 * late it comes: a transaction that was given up could still be made.
 */
export class GuardedDatabase implements Database {
  readonly lock?: NonNullable<Database['lock']>
  readonly #database: Database
  readonly #options: GuardOptions
  #isWorking = true
  #hasOpened = false
  /** The transactions that take longer than they may. */
  readonly #hanging = new Set<Promise<unknown>>()

  constructor(database: Database, options: GuardOptions) {
    this.#database = database
    this.#options = options
    if (database.lock !== undefined) this.lock = database.lock.bind(database)
  }

  /** Whether the last transaction that ended was made. */
  get isWorking(): boolean {
    return this.#isWorking
  }

  /** Whether a transaction was ever made. */
  get hasOpened(): boolean {
    return this.#hasOpened
  }

  async transact<T>(reads: readonly Read[], change: (found: Found) => Change<T>): Promise<T> {
    const answer = Promise.resolve().then(() => this.#database.transact(reads, change))
    void this.#watch(answer)
    try {
      const result = await answer
      this.#hanging.delete(answer)
      this.#note(true)
      return result
    } catch (error) {
      this.#hanging.delete(answer)
      if (this.#options.isExpected(error)) this.#note(true)
      // The text of our own errors is safe to repeat.
      else this.#fail(`failed (${error instanceof SyncError ? error.message : nameThrown(error)})`)
      throw error
    }
  }

  watch(changed: () => void): () => void {
    try {
      return this.#database.watch(changed)
    } catch (error) {
      this.#fail(`cannot be watched (${nameThrown(error)})`)
      return () => undefined
    }
  }

  close(): Promise<void> {
    return this.#database.close()
  }

  /** Notes that the database has lost what was stored in it. */
  noteGone(): void {
    this.#fail('has lost its data')
  }

  async #watch(answer: Promise<unknown>): Promise<void> {
    const { clock, closing: signal } = this.#options
    const limitMs = this.#hasOpened ? TRANSACTION_MS : OPEN_MS
    for (let isExtended = false; ; isExtended = true) {
      const dueAt = clock.now() + limitMs
      const settled = await withDeadline({ clock, limitMs, signal }, () => answer)
      if (settled.kind !== 'late') return
      // After a sleep the timer fires first, even if the answer has been there for long. Once: in a
      // hidden page every timer is late.
      if (isExtended || clock.now() - dueAt <= LATE_TIMER_MS) break
    }
    // As long as one hangs, those that succeed prove nothing.
    this.#hanging.add(answer)
    this.#fail('hangs')
  }

  #note(isWorking: boolean): void {
    this.#hasOpened ||= isWorking
    if (this.#isWorking === isWorking || (isWorking && this.#hanging.size > 0)) return
    this.#isWorking = isWorking
    this.#options.changed(isWorking)
  }

  // Without the cause: an exception of the database may contain the messages that it was given.
  #fail(what: string): void {
    if (!this.#isWorking || this.#options.closing.aborted) return
    const message = `The outbox's storage ${what}; memory is used until it works again.`
    this.#options.report(new SyncError('storage-failed', message))
    this.#note(false)
  }
}
