import type { Clock } from '../base/clock.js'
import type { OutboxEntry } from './outbox-entry.js'
import type { OutboxQueue } from './queue.js'

/** What an {@link OutboxExpiry} needs. None of the functions throws. */
export interface OutboxExpiryOptions {
  readonly queue: OutboxQueue
  readonly clock: Clock
  /** Takes the number of a message away, if it was not sent with it. */
  readonly withdraw: (entry: OutboxEntry) => void
  /** Settles a message that has expired and was removed from the queue. */
  readonly settle: (entry: OutboxEntry) => void
  /** Another message expires next, or the same message at another time. */
  readonly scheduled: () => void
}

/** Settles messages whose time to live has passed, and tells when to look for them again. */
export class OutboxExpiry {
  readonly #options: OutboxExpiryOptions
  // The expiry that was told last.
  #scheduledAt: number | undefined

  constructor(options: OutboxExpiryOptions) {
    this.#options = options
  }

  /** When the next message may expire, in milliseconds since the epoch. */
  nextExpiryAt(): number | undefined {
    return this.#options.queue.nextExpiryAt()
  }

  /** Tells of the next expiry, if it is another one than before. */
  schedule(): void {
    const next = this.#options.queue.nextExpiryAt()
    if (next === this.#scheduledAt) return
    this.#scheduledAt = next
    if (next !== undefined) this.#options.scheduled()
  }

  /** Tells of the next expiry again: whoever waits for it may have waited for another outbox's. */
  reschedule(): void {
    this.#scheduledAt = undefined
    this.schedule()
  }

  /** Settles the messages that have expired by now. */
  removeExpired(): void {
    this.#removeAt(this.#options.clock.epoch())
  }

  /** Settles the messages that expired before now. In its last millisecond one may still be sent. */
  removeOverdue(): void {
    const { clock, queue } = this.#options
    const before = clock.epoch() - 1
    if ((queue.nextExpiryAt() ?? Number.POSITIVE_INFINITY) <= before) this.#removeAt(before)
  }

  #removeAt(epochMs: number): void {
    const { queue, settle, withdraw } = this.#options
    for (const entry of queue.expired(epochMs)) {
      withdraw(entry)
      // A handler that heard of another expiry may have taken this one back.
      if (queue.remove(entry)) settle(entry)
    }
    this.reschedule()
  }
}
