import type { Clock, TimerHandle } from '../base/clock.js'

/**
 * Calls a function for each of its members at even intervals. All members share one timer; without
 * members there is none.
 */
export class Ticker<Member> {
  readonly #members = new Set<Member>()
  readonly #clock: Clock
  readonly #intervalMs: number
  readonly #tick: (member: Member, lateMs: number) => void
  /** When the next tick is due, in monotonic milliseconds. */
  #dueAt = 0
  #timer: TimerHandle

  /** `tick` is also told how late it is called, in milliseconds. */
  constructor(clock: Clock, intervalMs: number, tick: (member: Member, lateMs: number) => void) {
    this.#clock = clock
    this.#intervalMs = intervalMs
    this.#tick = tick
  }

  get members(): Iterable<Member> {
    return this.#members
  }

  add(member: Member): void {
    this.#members.add(member)
    if (this.#members.size > 1) return
    this.#dueAt = this.#clock.now() + this.#intervalMs
    this.#schedule()
  }

  delete(member: Member): void {
    if (this.#members.delete(member) && this.#members.size === 0) {
      this.#clock.clearTimeout(this.#timer)
    }
  }

  #schedule(): void {
    this.#timer = this.#clock.setTimeout(() => this.#run(), this.#dueAt - this.#clock.now())
  }

  #run(): void {
    const lateMs = this.#clock.now() - this.#dueAt
    for (const member of this.#members) this.#tick(member, lateMs)
    // The grid does not drift, and ticks missed during a stall are not made up for. Node's timers
    // may fire a fraction of a millisecond early: that must not cause a second tick.
    this.#dueAt += this.#intervalMs * Math.max(1, Math.floor(lateMs / this.#intervalMs) + 1)
    if (this.#members.size > 0) this.#schedule()
  }
}
