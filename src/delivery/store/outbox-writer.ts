import type { Clock, TimerHandle } from '../../base/clock.js'
import { withDeadline } from '../../base/deadline.js'
import { type BatchResult, OutboxBatch } from './outbox-batch.js'

/** What an {@link OutboxWriter} needs. */
export interface WriterOptions {
  readonly clock: Clock
  /** Aborts when the outbox is closed: what fails then is not tried again. */
  readonly closing: AbortSignal
  /** Whether there is something to write, beside the batch. */
  readonly hasWork: () => boolean
  /** Whether the batch has to wait. */
  readonly isHeld: () => boolean
  readonly write: (batch: OutboxBatch) => Promise<void>
  /** A write has failed. Gives whether it is to be tried again after a pause. */
  readonly failed: (error: unknown) => boolean
}

const FIRST_RETRY_MS = 250
const LONGEST_RETRY_MS = 30_000

/**
 * Writes to an outbox, one transaction after the other. What comes in one turn of the event loop,
 * or while a transaction is under way, is one batch. A batch that fails is tried again, together
 * with what came meanwhile.
 */
export class OutboxWriter {
  readonly #options: WriterOptions
  #batch = new OutboxBatch()
  /** The batch that is being written. */
  #writing: OutboxBatch | undefined
  #running: Promise<void> | undefined
  #timer: TimerHandle
  #retryMs = FIRST_RETRY_MS

  constructor(options: WriterOptions) {
    this.#options = options
  }

  /** What is written next. */
  get batch(): OutboxBatch {
    return this.#batch
  }

  /** Settles once what is under way is done. */
  get running(): Promise<void> | undefined {
    return this.#running
  }

  get isWriting(): boolean {
    return this.#writing !== undefined
  }

  /** Writes the batch. Resolves with what became of it. */
  written(): Promise<BatchResult> {
    const written = this.#batch.written()
    this.wake()
    return written
  }

  /** Looks for work, now. */
  wake(): void {
    this.#running ??= this.#run()
  }

  /** Looks for work after some time, if none comes before. */
  wakeWithin(delayMs: number): void {
    this.#timer ??= this.#options.clock.setTimeout(() => this.wake(), delayMs)
  }

  /** Answers all who wait, since the storage does not work. What they wrote is tried again. */
  answerWaiters(): void {
    this.#batch.answer('memory')
    this.#writing?.answer('memory')
  }

  /** Forgets what could not be written. */
  clear(): void {
    this.#batch.answer('memory')
    this.#batch = new OutboxBatch()
    this.#clearTimer()
  }

  async #run(): Promise<void> {
    const { closing, failed, write } = this.#options
    // What comes in one turn of the event loop is written together.
    await Promise.resolve()
    while (this.#hasWork()) {
      const batch = this.#takeBatch()
      try {
        await write(batch)
        this.#writing = undefined
        batch.answer('stored')
        this.#retryMs = FIRST_RETRY_MS
      } catch (error) {
        this.#writing = undefined
        batch.append(this.#batch)
        this.#batch = batch
        if (failed(error)) {
          if (closing.aborted) break
          await this.#pause()
        }
      }
    }
    this.#running = undefined
  }

  /** Waits before the next try, longer each time. */
  async #pause(): Promise<void> {
    const { clock, closing } = this.#options
    const wait = { clock, limitMs: this.#retryMs, signal: closing }
    this.#retryMs = Math.min(2 * this.#retryMs, LONGEST_RETRY_MS)
    await withDeadline(wait, () => new Promise(() => undefined))
  }

  #hasWork(): boolean {
    const { hasWork, isHeld } = this.#options
    return hasWork() || (!this.#batch.isEmpty && !isHeld())
  }

  #takeBatch(): OutboxBatch {
    const batch = this.#batch
    this.#batch = new OutboxBatch()
    this.#writing = batch
    this.#clearTimer()
    return batch
  }

  #clearTimer(): void {
    this.#options.clock.clearTimeout(this.#timer)
    this.#timer = undefined
  }
}
