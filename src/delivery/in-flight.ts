import type { OutboxEntry } from './outbox-entry.js'

/** The messages that were sent on this channel and are not acknowledged, with the time of each. */
export class InFlight {
  // In the order of sending.
  readonly #sentAt = new Map<OutboxEntry, number>()
  readonly #report: () => void
  #isReported = true

  /** `report` is called once after each {@link watch}, when something is on its way. */
  constructor(report: () => void) {
    this.#report = report
  }

  /** When the oldest message on its way was sent, in the clock's `now`. */
  get oldestSentAt(): number | undefined {
    for (const at of this.#sentAt.values()) return at
    return undefined
  }

  /** The largest message on its way. */
  get largest(): OutboxEntry | undefined {
    return [...this.#sentAt.keys()].sort((left, right) => right.bytes - left.bytes)[0]
  }

  add(entries: readonly OutboxEntry[], at: number): void {
    for (const entry of entries) this.#sentAt.set(entry, at)
    this.#reportOnce()
  }

  delete(entry: OutboxEntry): void {
    this.#sentAt.delete(entry)
  }

  clear(): void {
    this.#sentAt.clear()
  }

  /** Asks for one report: at once if messages are on their way, else with the next. */
  watch(): void {
    this.#isReported = false
    this.#reportOnce()
  }

  #reportOnce(): void {
    if (this.#isReported || this.#sentAt.size === 0) return
    this.#isReported = true
    this.#report()
  }
}
