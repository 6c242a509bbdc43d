import { type SchedulerAction, type SchedulerLike, Subscription } from 'rxjs'
import type { Clock, TimerHandle } from '../base/clock.js'

/**
 * Makes an RxJS scheduler that runs on a clock. Give it to `timer`, `debounceTime`, `delay` and
 * similar operators: they then use that clock's time. The scheduler's `now()` is the clock's
 * `epoch()`, since RxJS reads it as a date.
 *
 * @example
 * sync.state$.pipe(debounceTime(100, createClockScheduler(clock)))
 */
export function createClockScheduler(clock: Clock): SchedulerLike {
  return {
    now: () => clock.epoch(),
    schedule<T>(
      work: (this: SchedulerAction<T>, state: T) => void,
      delayMs = 0,
      state?: T,
    ): Subscription {
      return new ClockAction<T>(clock, work).schedule(state, delayMs)
    },
  }
}

// RxJS asks for an instance of its class `Subscription` that has `schedule` too.
class ClockAction<T> extends Subscription implements SchedulerAction<T> {
  readonly #clock: Clock
  readonly #work: (this: SchedulerAction<T>, state: T) => void
  #handle: TimerHandle

  constructor(clock: Clock, work: (this: SchedulerAction<T>, state: T) => void) {
    super()
    this.#clock = clock
    this.#work = work
  }

  // A second call, from inside the work or later, replaces the timer and the state.
  schedule(state?: T, delayMs = 0): Subscription {
    if (this.closed) return this
    this.#clock.clearTimeout(this.#handle)
    this.#handle = this.#clock.setTimeout(() => {
      this.#run(state)
    }, delayMs)
    return this
  }

  override unsubscribe(): void {
    this.#clock.clearTimeout(this.#handle)
    super.unsubscribe()
  }

  #run(state: T | undefined): void {
    try {
      // Work that was scheduled without a state does not read it.
      this.#work(state as T)
    } catch (error) {
      this.unsubscribe()
      throw error
    }
  }
}
