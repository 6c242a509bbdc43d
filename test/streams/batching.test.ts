import { afterEach, describe, expect, it, vi } from 'vitest'
import { createManualClock } from '../../src/testing/clock.js'
import {
  frameBatches,
  immediateBatches,
  microtaskBatches,
  timedBatches,
} from '../../src/streams/batching.js'

afterEach(() => {
  vi.unstubAllGlobals()
})

describe('microtaskBatches', () => {
  it('[ORDER-6] flushes once, at the end of the microtask', async () => {
    const order: string[] = []
    microtaskBatches(() => order.push('flush'))
    order.push('rest of the task')
    await Promise.resolve()
    expect(order).toEqual(['rest of the task', 'flush'])
    await new Promise((done) => setImmediate(done))
    expect(order).toHaveLength(2)
  })

  it('[ORDER-6] does not flush once cancelled; cancelling later is harmless', async () => {
    const flush = vi.fn()
    microtaskBatches(flush)()
    await Promise.resolve()
    expect(flush).not.toHaveBeenCalled()
    const cancel = microtaskBatches(flush)
    await Promise.resolve()
    cancel()
    expect(flush).toHaveBeenCalledTimes(1)
  })
})

describe('immediateBatches', () => {
  it('[ORDER-6] flushes before it returns', () => {
    const flush = vi.fn()
    const cancel = immediateBatches(flush)
    expect(flush).toHaveBeenCalledTimes(1)
    cancel()
    expect(flush).toHaveBeenCalledTimes(1)
  })
})

describe('timedBatches', () => {
  it('[ORDER-6] flushes once, after so many milliseconds', () => {
    const clock = createManualClock()
    const flush = vi.fn()
    timedBatches(50, clock)(flush)
    clock.advance(49)
    expect(flush).not.toHaveBeenCalled()
    clock.advance(1_000)
    expect(flush).toHaveBeenCalledTimes(1)
    expect(clock.pending.count).toBe(0)
  })

  it('[ORDER-6] leaves no timer when cancelled', () => {
    const clock = createManualClock()
    const flush = vi.fn()
    const cancel = timedBatches(50, clock)(flush)
    cancel()
    cancel()
    expect(clock.pending.count).toBe(0)
    clock.advance(1_000)
    expect(flush).not.toHaveBeenCalled()
  })

  it('[ORDER-6] keeps batches that overlap apart', () => {
    const clock = createManualClock()
    const schedule = timedBatches(50, clock)
    const flushed: string[] = []
    const cancel = schedule(() => flushed.push('cancelled'))
    clock.advance(10)
    schedule(() => flushed.push(`at ${clock.now()}`))
    cancel()
    clock.advance(100)
    expect(flushed).toEqual(['at 60'])
  })
})

/** Frames drawn by hand; a hidden page draws none. */
function stubFrames() {
  const requested = new Map<number, () => void>()
  let last = 0
  vi.stubGlobal('requestAnimationFrame', (callback: () => void) => {
    last += 1
    requested.set(last, callback)
    return last
  })
  vi.stubGlobal('cancelAnimationFrame', (frame: number) => {
    requested.delete(frame)
  })
  return {
    requested,
    draw() {
      const callbacks = [...requested.values()]
      requested.clear()
      for (const callback of callbacks) callback()
    },
  }
}

describe('frameBatches', () => {
  it('[ORDER-6] flushes with the next frame, and leaves no timer', () => {
    const frames = stubFrames()
    const clock = createManualClock()
    const flush = vi.fn()
    frameBatches(clock)(flush)
    clock.advance(16)
    expect(flush).not.toHaveBeenCalled()
    frames.draw()
    frames.draw()
    expect(flush).toHaveBeenCalledTimes(1)
    expect(clock.pending.count).toBe(0)
  })

  it('[ORDER-6] flushes after 100 ms where no frame is drawn, and leaves no frame', () => {
    const frames = stubFrames()
    const clock = createManualClock()
    const flush = vi.fn()
    frameBatches(clock)(flush)
    clock.advance(99)
    expect(flush).not.toHaveBeenCalled()
    clock.advance(1)
    expect(flush).toHaveBeenCalledTimes(1)
    expect(frames.requested.size).toBe(0)
    frames.draw()
    expect(flush).toHaveBeenCalledTimes(1)
  })

  it('[ORDER-6] needs no browser', () => {
    const clock = createManualClock()
    const flush = vi.fn()
    const cancel = frameBatches(clock)(flush)
    clock.advance(100)
    expect(flush).toHaveBeenCalledTimes(1)
    cancel()
    frameBatches(clock)(flush)()
    clock.advance(100)
    expect(flush).toHaveBeenCalledTimes(1)
    expect(clock.pending.count).toBe(0)
  })

  it('[ORDER-6] leaves neither frame nor timer when cancelled', () => {
    const frames = stubFrames()
    const clock = createManualClock()
    const flush = vi.fn()
    const cancel = frameBatches(clock)(flush)
    cancel()
    cancel()
    expect([frames.requested.size, clock.pending.count]).toEqual([0, 0])
    frames.draw()
    clock.advance(1_000)
    expect(flush).not.toHaveBeenCalled()
  })
})
