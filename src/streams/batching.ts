import type { Clock } from '../base/clock.js'

/**
 * Decides when a batch of messages is published: calls `flush` once, at once or later, and returns
 * the function that cancels that call.
 */
export type BatchScheduler = (flush: () => void) => () => void

const nothing = (): void => undefined

/**
 * Publishes at the end of the current microtask: the default. In Node the frames of one read of the
 * socket share a batch; in browsers every frame is a batch of its own.
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

/** Publishes after every frame, before the socket gives the next one. */
export const immediateBatches: BatchScheduler = (flush) => {
  flush()
  return nothing
}

/** Publishes once every `ms` milliseconds at most: less work under load, at the price of latency. */
export function timedBatches(ms: number, clock: Clock): BatchScheduler {
  return (flush) => {
    const timer = clock.setTimeout(flush, ms)
    return () => {
      clock.clearTimeout(timer)
    }
  }
}

/**
 * Publishes with the browser's next animation frame, for state that is only drawn. A hidden page
 * gets no animation frames: there, and outside browsers, a timer of 100 ms takes their place.
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
