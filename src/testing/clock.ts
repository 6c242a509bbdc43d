import { type Clock, clampDelay } from '../base/clock.js'
import { SyncError } from '../base/errors.js'
import { createTimerHeap, type Timer } from './timer-heap.js'

/** The timers that have not fired yet. */
export interface PendingTimers {
  readonly count: number
  /** When each is due, by {@link Clock.now}, the next one first. */
  readonly deadlines: readonly number[]
}

/** A clock that stands still until it is told to move. It fits XState's `clock` option as it is. */
export interface ManualClock extends Clock {
  /**
   * Lets `ms` pass. Each timer fires at its own time, and so do the timers it sets, all before
   * `advance` returns. What a callback throws comes out here, with the clock at that instant.
   */
  advance(ms: number): void
  /** As `advance`, up to a reading of `now()` that is not in the past. */
  advanceTo(nowMs: number): void
  /** As `advance`, with all promise callbacks run before, between and after the timers. */
  advanceAsync(ms: number): Promise<void>
  /**
   * Lets `ms` pass in which nothing runs, as sleep and a blocked loop do; then everything that
   * fell due fires late, in order. Timers that those callbacks set wait for the next call.
   */
  jump(ms: number): void
  /** Fires what is due at this instant, once: not what those callbacks set. Gives their number. */
  runDue(): number
  /** Moves the calendar, and nothing else: what a user or NTP does to `epoch()`. */
  setEpoch(epochMs: number): void
  /**
   * Lets timers fire only at multiples of `everyMs`, as browsers do with hidden tabs; `0` ends
   * it, and what is overdue then fires with the next `advance`.
   */
  throttle(everyMs: number): void
  readonly pending: PendingTimers
}

/** Options of {@link createManualClock}. */
export interface ManualClockOptions {
  /** What `epoch()` reads at first. Default: 2025-01-01 in UTC. */
  readonly epochMs?: number
}

// A loop of timers without delay would hang the test instead of failing it.
const MOST_AT_ONE_INSTANT = 100_000

/**
 * Makes a clock that is driven by hand: `now()` starts at 0 and time passes only when told to.
 *
 * Delays are held within the bounds of the system clock (see `clampDelay`), so that code meets
 * the same numbers here as there.
 *
 * @example
 * const clock = createManualClock()
 * clock.setTimeout(() => clock.setTimeout(ring, 1_000), 1_000)
 * clock.advance(2_000) // rings, at 2,000
 */
export function createManualClock(options: ManualClockOptions = {}): ManualClock {
  const timers = createTimerHeap()
  let now = 0
  let epochAtZero = options.epochMs ?? Date.UTC(2025, 0, 1)
  let throttleMs = 0
  let order = 0
  let moving = false
  assertFinite('epochMs', epochAtZero)

  function wakeAt(deadline: number): number {
    return throttleMs === 0 ? deadline : Math.ceil(deadline / throttleMs) * throttleMs
  }

  function fire(timer: Timer): void {
    timers.remove(timer)
    timer.callback()
  }

  /** Fires the next timer due by `target` and gives true, or gives false where there is none. */
  function fireNext(target: number): boolean {
    const timer = timers.peek()
    if (timer === undefined) return false
    // What is overdue fires late; time never runs backwards to meet it.
    const wake = Math.max(now, wakeAt(timer.deadline))
    if (wake > target) return false
    now = wake
    fire(timer)
    return true
  }

  function createInstantGuard(): () => void {
    let instant = now
    let fired = 0
    return () => {
      fired = now === instant ? fired + 1 : 1
      instant = now
      if (fired <= MOST_AT_ONE_INSTANT) return
      throw misuse(`${MOST_AT_ONE_INSTANT} timers fired without time passing: a loop without delay`)
    }
  }

  function begin(ms: number): number {
    assertElapsed(ms)
    if (moving) throw misuse('the clock was moved from inside one of its own callbacks')
    moving = true
    return now + ms
  }

  function advance(ms: number): void {
    const target = begin(ms)
    const guard = createInstantGuard()
    try {
      while (fireNext(target)) guard()
      now = target
    } finally {
      moving = false
    }
  }

  function fireDue(): number {
    const due = [...timers].filter(({ deadline }) => wakeAt(deadline) <= now).sort(byDeadline)
    let fired = 0
    for (const timer of due) {
      // A callback before it may have cleared it.
      if (timer.position < 0) continue
      fire(timer)
      fired += 1
    }
    return fired
  }

  return {
    now: () => now,
    epoch: () => epochAtZero + now,
    setTimeout(callback, delayMs) {
      order += 1
      const timer = { deadline: now + clampDelay(delayMs), order, callback, position: -1 }
      timers.add(timer)
      return timer
    },
    clearTimeout(handle) {
      if (isTimer(handle)) timers.remove(handle)
    },
    advance,
    advanceTo(nowMs) {
      advance(nowMs - now)
    },
    async advanceAsync(ms) {
      const target = begin(ms)
      const guard = createInstantGuard()
      try {
        await drainMicrotasks()
        while (fireNext(target)) {
          guard()
          await drainMicrotasks()
        }
        now = target
      } finally {
        moving = false
      }
    },
    jump(ms) {
      const target = begin(ms)
      try {
        now = target
        fireDue()
      } finally {
        moving = false
      }
    },
    runDue() {
      begin(0)
      try {
        return fireDue()
      } finally {
        moving = false
      }
    },
    setEpoch(epochMs) {
      assertFinite('epochMs', epochMs)
      epochAtZero = epochMs - now
    },
    throttle(everyMs) {
      assertElapsed(everyMs)
      throttleMs = everyMs
    },
    get pending() {
      const deadlines = [...timers].map(({ deadline }) => deadline).sort((a, b) => a - b)
      return { count: timers.size, deadlines }
    },
  }
}

// A turn of the real event loop: however long the chain of promises, it has run by then. Browsers
// lack `setImmediate`; where it is there it saves a millisecond a turn.
function drainMicrotasks(): Promise<void> {
  return new Promise((resolve) => {
    /* eslint-disable no-restricted-globals -- promises do not run on an injected clock */
    if (typeof setImmediate === 'function') setImmediate(resolve)
    else setTimeout(resolve, 0)
    /* eslint-enable no-restricted-globals */
  })
}

function byDeadline(left: Timer, right: Timer): number {
  return left.deadline - right.deadline || left.order - right.order
}

function isTimer(handle: unknown): handle is Timer {
  return typeof handle === 'object' && handle !== null && 'position' in handle
}

function assertElapsed(ms: number): void {
  if (Number.isFinite(ms) && ms >= 0) return
  throw misuse(`time passes by a number of milliseconds from 0 up, not by ${ms}`)
}

function assertFinite(option: string, value: number): void {
  if (Number.isFinite(value)) return
  throw new SyncError('option-invalid', `${option} must be a finite number, not ${value}`)
}

function misuse(message: string): SyncError {
  return new SyncError('testing-misuse', message)
}
