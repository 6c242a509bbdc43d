/** What a clock returns for a pending timer. Opaque. */
export type TimerHandle = unknown

/**
 * The library's only source of time. Replace it to run deterministically: `statewire/testing` has a
 * clock that tests move by hand.
 */
export interface Clock {
  /** Monotonic milliseconds: for durations. Unrelated to the calendar. */
  now(): number
  /** Milliseconds since the epoch, for timestamps that people and servers read. May jump. */
  epoch(): number
  setTimeout(callback: () => void, delayMs: number): TimerHandle
  clearTimeout(handle: TimerHandle): void
}

/** A source of randomness: a number from 0 up to, not including, 1. */
export type Random = () => number

/**
 * A timer that fires this much late, in milliseconds, means that the computer slept or the page is
 * hidden, not that whoever was waited for is silent.
 */
export const LATE_TIMER_MS = 1_000

/** The longest delay of a timer, in milliseconds: beyond it Node and browsers fire at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

/** What {@link isDelay} accepts, in words. */
export const DELAY = `a number of milliseconds from 0 to ${LONGEST_TIMER_MS}`

/** Whether a value is a delay that a timer accepts. */
export function isDelay(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value <= LONGEST_TIMER_MS
}

/** Makes a clock that reads the system's time. */
export function createSystemClock(): Clock {
  return {
    now: () => performance.now(),
    epoch: () => Date.now(),
    setTimeout: (callback, delayMs) => setTimeout(callback, clampDelay(delayMs)),
    clearTimeout: (handle) => {
      clearTimeout(handle as ReturnType<typeof setTimeout>)
    },
  }
}

/**
 * Limits a delay to what timers accept: 0 to 2^31 - 1 ms. `NaN` becomes 0: a deadline that cannot be
 * computed counts as passed.
 */
export function clampDelay(delayMs: number): number {
  if (Number.isNaN(delayMs)) return 0
  return Math.min(Math.max(delayMs, 0), LONGEST_TIMER_MS)
}

/** Resolves after a delay on the clock. */
export function sleep(clock: Clock, delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    clock.setTimeout(resolve, delayMs)
  })
}
