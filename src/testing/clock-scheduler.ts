import { type SchedulerAction, type SchedulerLike, Subscription } from 'rxjs'
import type { Clock, TimerHandle } from '../base/clock.js'

/**
 * Makes an RxJS scheduler that lives on a clock: given to `timer`, `debounceTime`, `delay` and the
 * like, it drives them together with everything else on that clock. Its `now()` is the clock's
 * `epoch()`, since RxJS takes it for a date.
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

// A class, since what RxJS asks for is its own class `Subscription` with one method more.
class ClockAction<T> extends Subscription implements SchedulerAction<T> {
  private readonly clock: Clock
  private readonly work: (this: SchedulerAction<T>, state: T) => void
  private handle: TimerHandle

  constructor(clock: Clock, work: (this: SchedulerAction<T>, state: T) => void) {
    super()
    this.clock = clock
    this.work = work
  }

  // Called again, from inside the work or later, it starts anew with the new state.
  schedule(state?: T, delayMs = 0): Subscription {
    if (this.closed) return this
    this.clock.clearTimeout(this.handle)
    this.handle = this.clock.setTimeout(() => {
      this.run(state)
    }, delayMs)
    return this
  }

  override unsubscribe(): void {
    this.clock.clearTimeout(this.handle)
    super.unsubscribe()
  }

  private run(state: T | undefined): void {
    try {
      // Work that was scheduled without a state does not look at it.
      this.work(state as T)
    } catch (error) {
      this.unsubscribe()
      throw error
    }
  }
}
