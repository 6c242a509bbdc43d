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
      let handle: TimerHandle
      const stop = new Subscription(() => clock.clearTimeout(handle))
      // RxJS asks for an instance of its class `Subscription` that has `schedule` too.
      const action: SchedulerAction<T> = Object.assign(stop, {
        // A second call, from inside the work or later, replaces the timer and the state.
        schedule(next?: T, nextDelayMs = 0): Subscription {
          if (action.closed) return action
          clock.clearTimeout(handle)
          handle = clock.setTimeout(() => {
            try {
              // Work that was scheduled without a state does not read it.
              work.call(action, next as T)
            } catch (error) {
              action.unsubscribe()
              throw error
            }
          }, nextDelayMs)
          return action
        },
      })
      return action.schedule(state, delayMs)
    },
  }
}
