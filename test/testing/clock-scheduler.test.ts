import {
  debounceTime,
  delay,
  interval,
  Subject,
  type Subscription,
  take,
  timer,
  timestamp,
} from 'rxjs'
import { describe, expect, it } from 'vitest'
import { createManualClock } from '../../src/testing/clock.js'
import { createClockScheduler } from '../../src/testing/clock-scheduler.js'

function create() {
  const clock = createManualClock({ epochMs: 5_000 })
  return { clock, scheduler: createClockScheduler(clock), seen: [] as unknown[] }
}

describe('a clock as an RxJS scheduler', () => {
  it('[TEST-8] drives the time operators, each value at its own time', () => {
    const { clock, scheduler, seen } = create()
    const words = new Subject<string>()
    interval(30, scheduler)
      .pipe(take(3), timestamp(scheduler))
      .subscribe(({ value, timestamp }) => seen.push(`${value}@${timestamp}`))
    words
      .pipe(debounceTime(50, scheduler))
      .subscribe((word) => seen.push(`${word}@${clock.epoch()}`))
    words.next('a')
    clock.advance(40)
    words.next('b')
    clock.advance(60)
    expect(seen).toEqual(['0@5030', '1@5060', 'b@5090', '2@5090'])
    expect(clock.pending.count).toBe(0)
  })

  it('[TEST-8] tells dates by the calendar, and leaves no timer behind an unsubscribe', () => {
    const { clock, scheduler, seen } = create()
    timer(new Date(5_200), scheduler).subscribe(() => seen.push(clock.now()))
    const abandoned = new Subject<number>()
    const subscription = abandoned.pipe(delay(1_000, scheduler)).subscribe()
    abandoned.next(1)
    expect(clock.pending.deadlines).toEqual([200, 1_000])
    subscription.unsubscribe()
    clock.advance(500)
    expect([seen, clock.pending.count]).toEqual([[200], 0])
  })

  it('[TEST-8] schedules as RxJS does: again from inside, from outside, not once closed', () => {
    const { clock, scheduler, seen } = create()
    const action = scheduler.schedule<number>(
      function (count) {
        seen.push(`${count}@${clock.now()}`)
        if (count < 2) this.schedule(count + 1, 10)
      },
      10,
      1,
    ) as Subscription & {
      schedule(state: number, delayMs: number): void
    }
    clock.advance(100)
    action.schedule(7, 5)
    action.schedule(8, 5)
    clock.advance(100)
    action.unsubscribe()
    action.schedule(9, 5)
    clock.advance(100)
    expect(seen).toEqual(['1@10', '2@20', '8@105'])
  })

  it('[TEST-8] closes an action whose work throws', () => {
    const { clock, scheduler } = create()
    const action = scheduler.schedule(() => {
      throw new Error('from work')
    })
    expect(() => clock.advance(0)).toThrow('from work')
    expect(action.closed).toBe(true)
  })
})
