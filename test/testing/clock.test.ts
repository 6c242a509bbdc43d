import * as fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { createManualClock } from '../../src/testing/clock.js'

describe('a manual clock', () => {
  it('[TEST-1] stands still until it is moved, with the calendar beside it', () => {
    const clock = createManualClock({ epochMs: 1_000_000 })
    expect([clock.now(), clock.epoch()]).toEqual([0, 1_000_000])
    clock.advance(250)
    clock.advanceTo(300)
    expect([clock.now(), clock.epoch()]).toEqual([300, 1_000_300])
  })

  it('[TEST-1] works by functions that are taken off it', () => {
    const { now, epoch, setTimeout, clearTimeout, advance } = createManualClock({ epochMs: 5 })
    clearTimeout(setTimeout(() => expect.unreachable(), 1))
    advance(2)
    expect([now(), epoch()]).toEqual([2, 7])
  })

  it('[TEST-5] needs no timer of the platform, which a test framework may have replaced', async () => {
    vi.useFakeTimers()
    try {
      const clock = createManualClock()
      let isFired = false
      clock.setTimeout(() => (isFired = true), 10)
      await clock.advanceAsync(10)
      expect(isFired).toBe(true)
    } finally {
      vi.useRealTimers()
    }
  })

  it('[TEST-2] fires timers by deadline, and timers of one deadline in the order they were set', () => {
    const clock = createManualClock()
    const fired: string[] = []
    clock.setTimeout(() => fired.push('late'), 20)
    clock.setTimeout(() => fired.push('first'), 10)
    clock.setTimeout(() => fired.push('second'), 10)
    clock.setTimeout(() => fired.push('never'), 21)
    clock.advance(20)
    expect(fired).toEqual(['first', 'second', 'late'])
    expect(clock.pending).toEqual({ count: 1, deadlines: [21] })
  })

  it('[TEST-2] fires a timer that a timer set at its own time, within one advance', () => {
    const clock = createManualClock()
    const at: number[] = []
    const tick = () => {
      at.push(clock.now())
      clock.setTimeout(tick, 30)
    }
    clock.setTimeout(tick, 30)
    clock.setTimeout(() => clock.setTimeout(() => at.push(-clock.now()), 0), 45)
    clock.advance(100)
    expect(at).toEqual([30, -45, 60, 90])
    expect(clock.now()).toBe(100)
  })

  it('[TEST-2] never fires a cleared timer, even one cleared at its own instant', () => {
    const clock = createManualClock()
    const fired: string[] = []
    const second = { handle: undefined as unknown }
    clock.setTimeout(() => clock.clearTimeout(second.handle), 5)
    second.handle = clock.setTimeout(() => fired.push('second'), 5)
    const later = clock.setTimeout(() => fired.push('later'), 6)
    clock.clearTimeout(later)
    clock.clearTimeout(later)
    clock.clearTimeout(undefined)
    clock.advance(10)
    clock.jump(10)
    expect(fired).toEqual([])
    expect(clock.pending.count).toBe(0)
  })

  it('[TEST-2] agrees with a sorted list, whatever is set and cleared', () => {
    const step = fc.oneof(
      fc.record({ does: fc.constant('set' as const), delay: fc.nat(50) }),
      fc.record({ does: fc.constant('clear' as const), which: fc.nat(200) }),
      fc.record({ does: fc.constant('advance' as const), by: fc.nat(20) }),
    )
    let cleared = 0
    fc.assert(
      fc.property(fc.array(step, { size: 'max', maxLength: 200 }), (steps) => {
        const clock = createManualClock()
        const handles: unknown[] = []
        const fired: string[] = []
        let model: { id: number; due: number }[] = []
        const expected: string[] = []
        let now = 0
        for (const one of steps) {
          if (one.does === 'set') {
            const id = handles.length
            handles.push(clock.setTimeout(() => fired.push(`${id}@${clock.now()}`), one.delay))
            model.push({ id, due: now + one.delay })
          } else if (one.does === 'clear') {
            clock.clearTimeout(handles[one.which])
            const left = model.filter(({ id }) => id !== one.which)
            cleared += model.length - left.length
            model = left
          } else {
            clock.advance(one.by)
            now += one.by
            const due = model.filter((timer) => timer.due <= now)
            due.sort((a, b) => a.due - b.due || a.id - b.id)
            expected.push(...due.map((timer) => `${timer.id}@${timer.due}`))
            model = model.filter((timer) => timer.due > now)
          }
        }
        expect(fired).toEqual(expected)
        expect(clock.pending.count).toBe(model.length)
      }),
      { numRuns: 300 },
    )
    expect(cleared).toBeGreaterThan(100)
  })

  it('[TEST-3] jumps over a time in which nothing runs, then fires late what fell due', () => {
    const clock = createManualClock()
    const at: string[] = []
    clock.setTimeout(() => {
      at.push(`ping@${clock.now()}`)
      clock.setTimeout(() => at.push(`probe@${clock.now()}`), 0)
    }, 30)
    clock.setTimeout(() => at.push(`pong bound@${clock.now()}`), 40)
    clock.jump(6_000)
    expect(at).toEqual(['ping@6000', 'pong bound@6000'])
    expect(clock.runDue()).toBe(1)
    expect(at.at(-1)).toBe('probe@6000')
  })

  it('[TEST-4] moves the calendar without moving durations', () => {
    const clock = createManualClock({ epochMs: 5_000 })
    clock.advance(100)
    clock.setEpoch(1)
    clock.advance(10)
    expect([clock.now(), clock.epoch()]).toEqual([110, 11])
  })

  it('[TEST-5] lets promise callbacks run before, between and after timers', async () => {
    const clock = createManualClock()
    const seen: string[] = []
    const hop = async (name: string, hops: number): Promise<void> => {
      for (let left = hops; left > 0; left -= 1) await Promise.resolve()
      seen.push(`${name}@${clock.now()}`)
      clock.setTimeout(() => void hop(`${name}+`, 50), 10)
    }
    void hop('a', 200)
    await clock.advanceAsync(25)
    expect(seen).toEqual(['a@0', 'a+@10', 'a++@20'])
    expect(clock.now()).toBe(25)
  })

  it('[TEST-5] does so where there is no setImmediate, as in browsers', async () => {
    vi.stubGlobal('setImmediate', undefined)
    try {
      const clock = createManualClock()
      const seen: number[] = []
      clock.setTimeout(() => void Promise.resolve().then(() => seen.push(clock.now())), 10)
      clock.setTimeout(() => seen.push(-clock.now()), 20)
      await clock.advanceAsync(30)
      expect(seen).toEqual([10, -20])
    } finally {
      vi.unstubAllGlobals()
    }
  })

  it('[TEST-6] holds timers to a grid while throttled, and fires the overdue once it is not', () => {
    const clock = createManualClock()
    const at: number[] = []
    clock.throttle(60_000)
    clock.setTimeout(() => at.push(clock.now()), 1_000)
    clock.setTimeout(() => at.push(clock.now()), 61_000)
    clock.advance(59_999)
    expect(at).toEqual([])
    clock.advance(10_001)
    expect(at).toEqual([60_000])
    clock.throttle(0)
    clock.advance(0)
    expect(at).toEqual([60_000, 70_000])
  })

  it('[TEST-7] clamps delays as the system clock does', () => {
    const clock = createManualClock()
    for (const delay of [Number.NaN, -5, Infinity, 2 ** 40]) clock.setTimeout(() => {}, delay)
    expect(clock.pending.deadlines).toEqual([0, 0, 2 ** 31 - 1, 2 ** 31 - 1])
  })

  it('[TEST-7] names a loop that never lets time pass, and refuses what makes no sense', () => {
    const clock = createManualClock()
    const loop = () => void clock.setTimeout(loop, 0)
    loop()
    expect(() => clock.advance(1)).toThrow(/a loop without delay/)
    for (const ms of [-1, Number.NaN, Infinity]) {
      expect(() => clock.advance(ms)).toThrow(/from 0 up/)
      expect(() => clock.jump(ms)).toThrow(/from 0 up/)
    }
    expect(() => clock.advanceTo(-1)).toThrow(/from 0 up/)
    expect(() => createManualClock({ epochMs: Number.NaN })).toThrow(/epochMs/)
  })

  it('[TEST-7] hands on what a callback throws, and goes on from that instant', () => {
    const clock = createManualClock()
    const fired: number[] = []
    clock.setTimeout(() => {
      throw new Error('from a timer')
    }, 5)
    clock.setTimeout(() => fired.push(clock.now()), 5)
    clock.setTimeout(() => {
      expect(() => clock.advance(1)).toThrow(/from inside/)
    }, 7)
    expect(() => clock.advance(10)).toThrow('from a timer')
    expect(clock.now()).toBe(5)
    clock.advance(5)
    expect(fired).toEqual([5])
  })
})
