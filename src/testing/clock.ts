import { type Clock, clampDelay, type TimerHandle } from '../base/clock.js'
import { assertOption } from '../base/errors.js'
import { testingMisuse } from './misuse.js'
import { inFiringOrder, type Timer, TimerHeap } from './timer-heap.js'

/** The timers that have not fired yet. */
export interface PendingTimers {
  readonly count: number
  /** The readings of {@link Clock.now} at which they are due, in ascending order. */
  readonly deadlines: readonly number[]
}

/** Options of {@link createManualClock}. */
export interface ManualClockOptions {
  /** The first reading of `epoch()`, in ms since 1970. Default: 2025-01-01 in UTC. */
  readonly epochMs?: number
}

// Timers without delay that set each other would hang the test. Above this number the clock throws.
const MAX_TIMERS_AT_ONE_INSTANT = 100_000

/** A clock that stands still until a test moves it. It fits XState's `clock` option as it is. */
export class ManualClock implements Clock {
  readonly #timers = new TimerHeap()
  #now = 0
  /** What `epoch()` reads when `now()` is 0. */
  #epochAtZero: number
  #throttleMs = 0
  /** How many timers were set so far: it orders timers with one deadline. */
  #timersSet = 0
  #motion: 'still' | 'moving' = 'still'

  /** @internal */
  constructor(epochMs: number) {
    assertFinite('epochMs', epochMs)
    this.#epochAtZero = epochMs
  }

  readonly now = (): number => {
    return this.#now
  }

  readonly epoch = (): number => {
    return this.#epochAtZero + this.#now
  }

  readonly setTimeout = (callback: () => void, delayMs: number): TimerHandle => {
    this.#timersSet += 1
    const deadline = this.#now + clampDelay(delayMs)
    const timer = { deadline, order: this.#timersSet, callback, position: -1 }
    this.#timers.add(timer)
    return timer
  }

  readonly clearTimeout = (handle: TimerHandle): void => {
    if (isTimer(handle)) this.#timers.remove(handle)
  }

  /**
   * Lets `ms` pass. Each timer fires at its own time, also a timer that was set by another one on
   * the way. An error that a callback throws comes out of `advance`; the clock then stands at the
   * time of that callback.
   */
  readonly advance = (ms: number): void => {
    const steps = this.#steps(ms)
    while (steps.next().done !== true);
  }

  /** Like {@link advance}, up to a reading of `now()` that is not in the past. */
  readonly advanceTo = (nowMs: number): void => {
    this.advance(nowMs - this.#now)
  }

  /** Like {@link advance}. Promise callbacks run before, between and after the timers. */
  readonly advanceAsync = async (ms: number): Promise<void> => {
    const steps = this.#steps(ms)
    while (steps.next().done !== true) await drainMicrotasks()
  }

  /**
   * Lets `ms` pass without running anything, like a machine that sleeps or a blocked event loop.
   * Then every timer that became due fires late, in order of its deadline. Timers that those
   * callbacks set wait for the next call.
   */
  readonly jump = (ms: number): void => {
    this.#leap(ms)
  }

  /**
   * Fires the timers that are due now, without moving the clock. Timers that those callbacks set
   * wait for the next call. Returns how many fired.
   */
  readonly runDue = (): number => {
    return this.#leap(0)
  }

  /** Changes what `epoch()` reads, and nothing else, like a user or NTP setting the calendar. */
  readonly setEpoch = (epochMs: number): void => {
    assertFinite('epochMs', epochMs)
    this.#epochAtZero = epochMs - this.#now
  }

  /**
   * Lets timers fire only at multiples of `everyMs`, as browsers do in hidden tabs. `0` ends the
   * throttling; overdue timers then fire with the next `advance`.
   */
  readonly throttle = (everyMs: number): void => {
    assertDurationPasses(everyMs)
    this.#throttleMs = everyMs
  }

  get pending(): PendingTimers {
    const timers = [...this.#timers].sort(inFiringOrder)
    return { count: timers.length, deadlines: timers.map(({ deadline }) => deadline) }
  }

  #begin(ms: number): void {
    assertDurationPasses(ms)
    if (this.#motion === 'moving') {
      throw testingMisuse('the clock was moved from inside one of its own callbacks')
    }
    this.#motion = 'moving'
  }

  /** Lets `ms` pass in steps: pauses before the first timer and after each one. */
  *#steps(ms: number): Generator<void, void> {
    this.#begin(ms)
    const target = this.#now + ms
    let firedNow = 0
    try {
      yield
      for (;;) {
        const timer = this.#timers.peek()
        if (timer === undefined) break
        // An overdue timer fires now: time never runs backwards.
        const firesAt = Math.max(this.#now, this.#firesAt(timer))
        if (firesAt > target) break
        firedNow = firesAt === this.#now ? firedNow + 1 : 1
        if (firedNow > MAX_TIMERS_AT_ONE_INSTANT) {
          throw testingMisuse(
            `${MAX_TIMERS_AT_ONE_INSTANT} timers fired without time passing: a loop without delay`,
          )
        }
        this.#now = firesAt
        this.#fire(timer)
        yield
      }
      this.#now = target
    } finally {
      this.#motion = 'still'
    }
  }

  /** Lets `ms` pass at once, then fires what is due. Returns how many timers fired. */
  #leap(ms: number): number {
    this.#begin(ms)
    this.#now += ms
    const due = [...this.#timers].filter((timer) => this.#firesAt(timer) <= this.#now)
    let fired = 0
    try {
      for (const timer of due.sort(inFiringOrder)) {
        // A callback that ran before may have cleared this timer.
        if (timer.position < 0) continue
        this.#fire(timer)
        fired += 1
      }
      return fired
    } finally {
      this.#motion = 'still'
    }
  }

  #firesAt({ deadline }: Timer): number {
    if (this.#throttleMs === 0) return deadline
    return Math.ceil(deadline / this.#throttleMs) * this.#throttleMs
  }

  #fire(timer: Timer): void {
    this.#timers.remove(timer)
    timer.callback()
  }
}

/**
 * Makes a clock that a test drives. `now()` starts at 0, and time passes only when a test says so.
 * Delays are clamped as the system clock clamps them (see `clampDelay`).
 *
 * @example
 * const clock = createManualClock()
 * clock.setTimeout(() => clock.setTimeout(ring, 1_000), 1_000)
 * clock.advance(2_000) // rings, at 2,000
 */
export function createManualClock(options: ManualClockOptions = {}): ManualClock {
  return new ManualClock(options.epochMs ?? Date.UTC(2025, 0, 1))
}

/* eslint-disable no-restricted-globals -- promises do not run on an injected clock */
// Taken when this is loaded: a test framework may later put timers in place that only tests move.
// Browsers have no `setImmediate`. Where it exists, it takes a millisecond less than a timer.
const nextTurn: (resume: () => void) => unknown =
  typeof setImmediate === 'function' ? setImmediate : setTimeout
/* eslint-enable no-restricted-globals */

// One turn of the real event loop runs all promise callbacks, however long their chain is.
function drainMicrotasks(): Promise<void> {
  return new Promise((resolve) => nextTurn(resolve))
}

function isTimer(handle: unknown): handle is Timer {
  return typeof handle === 'object' && handle !== null && 'position' in handle
}

function assertDurationPasses(ms: number): void {
  if (Number.isFinite(ms) && ms >= 0) return
  throw testingMisuse(`time passes by a number of milliseconds from 0 up, not by ${ms}`)
}

function assertFinite(option: string, value: number): void {
  assertOption(Number.isFinite(value), `${option} must be a finite number, not ${value}`)
}
