import { describe, expect, it } from 'vitest'
import { nameThrown, withDeadline } from '../../src/base/deadline.js'
import { createManualClock } from '../../src/testing/clock.js'

const hang = () => new Promise<never>(() => undefined)

describe('withDeadline', () => {
  it('tells what became of a call, and leaves neither timer nor listener', async () => {
    const clock = createManualClock()
    const error = new Error('no')
    const deadline = { clock, limitMs: 100 }
    expect(await withDeadline(deadline, () => 1)).toEqual({ kind: 'value', value: 1 })
    expect(await withDeadline(deadline, () => Promise.resolve(2))).toEqual({
      kind: 'value',
      value: 2,
    })
    expect(await withDeadline(deadline, () => Promise.reject(error))).toEqual({
      kind: 'threw',
      error,
    })
    const thrower = () => {
      throw error
    }
    expect(await withDeadline(deadline, thrower)).toEqual({ kind: 'threw', error })
    expect(clock.pending.count).toBe(0)
  })

  it('gives a call up at its bound or when told to, and tells the call', async () => {
    const clock = createManualClock()
    const controller = new AbortController()
    const signals: AbortSignal[] = []
    const run = (signal: AbortSignal) => {
      signals.push(signal)
      return hang()
    }
    const late = withDeadline({ clock, limitMs: 100 }, run)
    const aborted = withDeadline({ clock, limitMs: 200, signal: controller.signal }, run)
    await clock.advanceAsync(100)
    expect(await late).toEqual({ kind: 'late' })
    controller.abort()
    expect(await aborted).toEqual({ kind: 'aborted' })
    expect(signals.map((signal) => signal.aborted)).toEqual([true, true])
    expect(await withDeadline({ clock, limitMs: 1, signal: controller.signal }, run)).toEqual({
      kind: 'aborted',
    })
    expect(signals).toHaveLength(2)
    expect(clock.pending.count).toBe(0)
  })

  it('takes no notice of what comes after', async () => {
    const clock = createManualClock()
    let finish = (_: number): void => undefined
    const late = withDeadline(
      { clock, limitMs: 100 },
      () => new Promise<number>((resolve) => (finish = resolve)),
    )
    await clock.advanceAsync(100)
    finish(1)
    expect(await late).toEqual({ kind: 'late' })
  })
})

describe('nameThrown', () => {
  it('names an error without repeating its text', () => {
    const named = Object.assign(new Error('secret'), { name: 'My secret error!', code: 'secret' })
    expect(nameThrown(new TypeError('secret'))).toBe('TypeError')
    expect(nameThrown(Object.assign(new Error('secret'), { code: 'ENOSPC' }))).toBe('Error ENOSPC')
    expect(nameThrown(named)).toBe('Error')
    expect(nameThrown('secret')).toBe('string')
    expect(nameThrown(undefined)).toBe('undefined')
  })
})
