/** What a clock hands out for a pending timer. Opaque. */
export type TimerHandle = unknown

/**
 * Every source of time in the library. Replace it to run deterministically; `statewire/testing`
 * has one that is driven by hand.
 */
export interface Clock {
  /** Monotonic milliseconds: for durations. Unrelated to the calendar. */
  now(): number
  /** Milliseconds since the epoch: for timestamps that people and servers read. May jump. */
  epoch(): number
  setTimeout(callback: () => void, delayMs: number): TimerHandle
  clearTimeout(handle: TimerHandle): void
}

/** A source of randomness: a number from 0 up to, not including, 1. */
export type Random = () => number

/** The longest delay of a timer, in milliseconds: beyond it Node and browsers fire at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

/** What {@link isDelay} asks for, in words. */
export const DELAY = `a number of milliseconds from 0 to ${LONGEST_TIMER_MS}`

/** Tells a delay that timers take from anything else. */
export function isDelay(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value <= LONGEST_TIMER_MS
}

/** The clock of the machine the code runs on. */
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
 * Holds a delay between 0 and the longest that timers take (2^31 - 1 ms). `NaN` becomes 0, since
 * an elapsed deadline is the only honest reading of one that cannot be told.
 */
export function clampDelay(delayMs: number): number {
  if (Number.isNaN(delayMs)) return 0
  return Math.min(Math.max(delayMs, 0), LONGEST_TIMER_MS)
}
