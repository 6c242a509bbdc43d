import type { Clock } from '../base/clock.js'

/**
 * Decides when the messages of a batch are published: calls `flush` once, later or at once, and
 * gives the function that cancels it.
 */
export type BatchScheduler = (flush: () => void) => () => void

const nothing = (): void => undefined

/**
 * At the end of the current microtask (the default). In Node the frames of one read of the socket
 * come together; in browsers every frame is a batch of its own.
 */
export const microtaskBatches: BatchScheduler = (flush) => {
  let isCancelled = false
  queueMicrotask(() => {
    if (!isCancelled) flush()
  })
  return () => {
    isCancelled = true
  }
}

/** After every frame, before the socket gives the next. */
export const immediateBatches: BatchScheduler = (flush) => {
  flush()
  return nothing
}

/** At most once every so many milliseconds: less work under load, at the price of latency. */
export function timedBatches(ms: number, clock: Clock): BatchScheduler {
  return (flush) => {
    const timer = clock.setTimeout(flush, ms)
    return () => {
      clock.clearTimeout(timer)
    }
  }
}

/**
 * With the browser's next frame, for state that is only drawn. A hidden page draws no frames, so
 * a timer (100 ms) stands in for them; outside browsers it is all there is.
 */
export function frameBatches(clock: Clock): BatchScheduler {
  const { requestAnimationFrame, cancelAnimationFrame } = globalThis as Frames
  return (flush) => {
    const cancel = (): void => {
      clock.clearTimeout(timer)
      if (frame !== undefined) cancelAnimationFrame?.(frame)
    }
    const run = (): void => {
      cancel()
      flush()
    }
    const timer = clock.setTimeout(run, 100)
    const frame = requestAnimationFrame?.(run)
    return cancel
  }
}

interface Frames {
  readonly requestAnimationFrame?: (callback: () => void) => number
  readonly cancelAnimationFrame?: (frame: number) => void
}
