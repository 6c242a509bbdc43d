import type { Clock } from '../../base/clock.js'
import { nameThrown, type Settled, withDeadline } from '../../base/deadline.js'
import { type ReportError, SyncError } from '../../base/errors.js'
import { promised } from '../../storage/store.js'

/** A method of an outbox's storage, or of an outbox that it owns. */
export type OutboxOperation = 'ready' | 'add' | 'acquire' | 'watch' | 'write' | 'release'

/** How a call failed. */
export type FailedCall = Exclude<Settled<unknown>, { kind: 'value' }>

/** Options of {@link OutboxCalls}. */
export interface OutboxCallsOptions {
  readonly clock: Clock
  /** Called with code `storage-failed`, once. */
  readonly onError: ReportError | undefined
  /** Called once, when the storage has just failed, before `failed` aborts. */
  readonly beforeFailure: () => void
}

// A timer this late means that the computer slept, not that the storage hangs.
const LATE_TIMER_MS = 1_000

/** Calls an outbox's storage with time limits. The first failure ends its use. */
export class OutboxCalls {
  readonly #options: OutboxCallsOptions
  readonly #failure = new AbortController()
  readonly #closing = new AbortController()
  readonly #running = new Set<AbortController>()

  constructor(options: OutboxCallsOptions) {
    this.#options = options
  }

  get clock(): Clock {
    return this.#options.clock
  }

  hasFailed(): boolean {
    return this.#failure.signal.aborted
  }

  isClosed(): boolean {
    return this.#closing.signal.aborted
  }

  /** Aborts when the storage fails. */
  get failed(): AbortSignal {
    return this.#failure.signal
  }

  /** Aborts when the outbox is closed. */
  get closed(): AbortSignal {
    return this.#closing.signal
  }

  /** Notes that the outbox is closed: no later failure counts. */
  close(): void {
    this.#closing.abort()
  }

  /** Stops the wait for calls that are still running. */
  abandon(): void {
    for (const controller of this.#running) controller.abort()
  }

  /** Makes a call with a time limit. Never rejects. */
  async run(limitMs: number, call: () => PromiseLike<unknown>): Promise<Settled<unknown>> {
    const { clock } = this.#options
    // One controller for each call: Node warns about a signal with many listeners.
    const controller = new AbortController()
    this.#running.add(controller)
    const limit = { clock, limitMs, signal: controller.signal }
    const answer = promised(call)
    let settled: Settled<unknown>
    let dueAt: number
    do {
      dueAt = clock.now() + limitMs
      settled = await withDeadline(limit, () => answer)
      // After a sleep the timer fires first, even if the answer has been there for long.
    } while (settled.kind === 'late' && clock.now() - dueAt > LATE_TIMER_MS)
    this.#running.delete(controller)
    return settled
  }

  /** Makes a call with a time limit. Gives false if it failed, and with it the storage. */
  async attempt(
    operation: OutboxOperation,
    limitMs: number,
    call: () => PromiseLike<unknown>,
  ): Promise<boolean> {
    const settled = await this.run(limitMs, call)
    if (settled.kind !== 'value') this.fail(operation, settled)
    return settled.kind === 'value'
  }

  /** Ends the use of the storage. */
  fail(operation: OutboxOperation, failed: FailedCall): void {
    if (this.hasFailed() || this.isClosed()) return
    this.#options.beforeFailure()
    this.#failure.abort()
    const what = failed.kind === 'threw' ? `failed (${nameThrown(failed.error)})` : 'hangs'
    // Without the cause: a storage's exception may contain the messages that it was given.
    const message = `The outbox's storage ${what} (${operation}); memory is used from now on.`
    this.#options.onError?.(new SyncError('storage-failed', message))
  }
}
