import type { OutboxEntry } from './outbox-entry.js'
import type { OutboxParts } from './parts.js'
import type { OutboxQueue } from './queue.js'

/** Expires messages whose time to live has passed, and tells when to look for them again. */
export class OutboxExpiry {
  readonly #parts: OutboxParts
  readonly #queue: OutboxQueue
  readonly #expire: (entry: OutboxEntry) => void
  // The expiry that was told last.
  #scheduledAt: number | undefined

  /** `expire` removes a message from the queue and settles it. */
  constructor(parts: OutboxParts, queue: OutboxQueue, expire: (entry: OutboxEntry) => void) {
    this.#parts = parts
    this.#queue = queue
    this.#expire = expire
  }

  /** Tells of the next expiry, if it is another one than before. */
  schedule(): void {
    const next = this.#queue.nextExpiryAt
    if (next === this.#scheduledAt) return
    this.#scheduledAt = next
    if (next !== undefined) this.#parts.tell({ type: 'outbox.expiryScheduled' })
  }

  /** Announces the next expiry again: the timer may still be set for the outbox used before. */
  reschedule(): void {
    this.#scheduledAt = undefined
    this.schedule()
  }

  /** Expires the messages whose time is up by now. */
  removeExpired(): void {
    this.#removeAt(this.#parts.host.clock.epoch())
  }

  /** Expires the messages whose time was up before now. In its last millisecond one may be sent. */
  removeOverdue(): void {
    const before = this.#parts.host.clock.epoch() - 1
    if ((this.#queue.nextExpiryAt ?? Number.POSITIVE_INFINITY) <= before) this.#removeAt(before)
  }

  #removeAt(epochMs: number): void {
    for (const entry of this.#queue.expired(epochMs)) this.#expire(entry)
    this.reschedule()
  }
}
