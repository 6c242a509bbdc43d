import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  isAnyShooting,
  overallProgress,
  totalImagesProcessing,
  totalImagesToProcess,
} from '../../src/kull/state.js'
import type { ShootProgress } from '../../src/kull/shoots.js'
import { createDevice } from './create-device.js'

const shoot = (shootId: string, rest: Partial<ShootProgress> = {}): ShootProgress => ({
  shootId,
  status: 'processing',
  ...rest,
})

describe('shoots', () => {
  it('[KULL-1] are kept by id, as the last message about each said', () => {
    const { hear, state } = createDevice()
    hear('SHOOT_PROGRESS', {
      ...shoot('a', { processedCount: 1, totalCount: 4 }),
      currentImage: 'IMG_1.jpg',
      eta: 36.16,
      provider: 'gpt-5-nano',
    })
    hear('SHOOT_PROGRESS', shoot('b', { status: 'queued' }))
    expect([...state().activeShootProgress.keys()]).toEqual(['a', 'b'])
    expect(state().activeShootProgress.get('a')).toEqual({
      shootId: 'a',
      status: 'processing',
      processedCount: 1,
      totalCount: 4,
      currentImage: 'IMG_1.jpg',
      eta: 36.16,
      provider: 'gpt-5-nano',
      errorMessage: undefined,
      progress: 0.25,
    })
    hear('SHOOT_PROGRESS', shoot('a', { status: 'failed', errorMessage: 'timed out' }))
    expect(state().activeShootProgress.get('a')).toMatchObject({
      status: 'failed',
      errorMessage: 'timed out',
      processedCount: undefined,
      provider: undefined,
      progress: 0,
    })
  })

  it.each([
    ['part of it', { processedCount: 247, totalCount: 1_000 }, 0.247],
    ['more than all of it', { processedCount: 12, totalCount: 10 }, 1],
    ['less than none of it', { processedCount: -3, totalCount: 10 }, 0],
    ['numbers that are not whole', { processedCount: 0.5, totalCount: 2 }, 0.25],
    ['a total of 0', { processedCount: 0, totalCount: 0 }, 0],
    ['a total of 0, and some of it', { processedCount: 5, totalCount: 0 }, 0],
    ['counts and a progress', { processedCount: 1, totalCount: 4, progress: 0.9 }, 0.25],
  ])('[KULL-2] progress by the counts: %s', (_what, counts, progress) => {
    const { hear, state } = createDevice()
    hear('SHOOT_PROGRESS', shoot('a', counts))
    expect(state().activeShootProgress.get('a')?.progress).toBe(progress)
  })

  it.each([
    ['a fraction', { progress: 0.4 }, 0.4],
    ['too much', { progress: 40 }, 1],
    ['too little', { progress: -0.1 }, 0],
    ['nothing', {}, 0],
    ['one count of two', { processedCount: 5, progress: 0.4 }, 0.4],
    ['the other count', { totalCount: 5, progress: 0.4 }, 0.4],
  ])('[KULL-3] progress without counts, by the sender: %s', (_what, given, progress) => {
    const { hear, state } = createDevice()
    hear('SHOOT_PROGRESS', shoot('a', given))
    expect(state().activeShootProgress.get('a')?.progress).toBe(progress)
    expect(totalImagesProcessing(state())).toBe(0)
    expect(totalImagesToProcess(state())).toBe(0)
    expect(isAnyShooting(state())).toBe(true)
  })

  it.each(['completed', 'failed'] as const)('[KULL-4] leave 5 s after they are %s', (status) => {
    const { hear, state, clock } = createDevice()
    hear('SHOOT_PROGRESS', shoot('a', { status }))
    clock.advance(4_999)
    expect(state().activeShootProgress.has('a')).toBe(true)
    clock.advance(1)
    expect(state().activeShootProgress.has('a')).toBe(false)
    expect(clock.pending.count).toBe(0)
  })

  it('[KULL-4] stay when a newer message comes within the 5 s', () => {
    const { hear, state, clock } = createDevice()
    hear('SHOOT_PROGRESS', shoot('a', { status: 'completed' }))
    clock.advance(4_999)
    hear('SHOOT_PROGRESS', shoot('a'))
    clock.advance(1_000_000)
    expect(state().activeShootProgress.has('a')).toBe(true)
    hear('SHOOT_PROGRESS', shoot('a', { status: 'completed' }))
    clock.advance(3_000)
    hear('SHOOT_PROGRESS', shoot('a', { status: 'completed' }))
    clock.advance(4_999)
    expect(state().activeShootProgress.has('a')).toBe(true)
    clock.advance(1)
    expect(state().activeShootProgress.has('a')).toBe(false)
  })

  it.each(['queued', 'processing'] as const)('[KULL-4] stay while they are %s', (status) => {
    const { hear, state, clock } = createDevice()
    hear('SHOOT_PROGRESS', shoot('a', { status }))
    clock.advance(1_000_000)
    expect(state().activeShootProgress.has('a')).toBe(true)
  })
})

describe('totals', () => {
  it('[KULL-5] tells whether some shoot is processing', () => {
    const { hear, state } = createDevice()
    expect(isAnyShooting(state())).toBe(false)
    for (const status of ['queued', 'completed', 'failed'] as const) {
      hear('SHOOT_PROGRESS', shoot(status, { status, processedCount: 1, totalCount: 2 }))
    }
    expect(isAnyShooting(state())).toBe(false)
    hear('SHOOT_PROGRESS', shoot('queued'))
    expect(isAnyShooting(state())).toBe(true)
  })

  it('[KULL-6] counts the images of shoots that are processing, and of no others', () => {
    const { hear, state } = createDevice()
    expect([totalImagesProcessing(state()), totalImagesToProcess(state())]).toEqual([0, 0])
    const counts = { processedCount: 3, totalCount: 10 }
    hear('SHOOT_PROGRESS', shoot('a', counts))
    hear('SHOOT_PROGRESS', shoot('b', { processedCount: 12, totalCount: 8 }))
    hear('SHOOT_PROGRESS', shoot('c', { ...counts, status: 'queued' }))
    hear('SHOOT_PROGRESS', shoot('d', { ...counts, status: 'completed' }))
    hear('SHOOT_PROGRESS', shoot('e', { ...counts, status: 'failed' }))
    hear('SHOOT_PROGRESS', shoot('f', { progress: 0.5 }))
    expect([totalImagesProcessing(state()), totalImagesToProcess(state())]).toEqual([15, 18])
  })

  it('[KULL-7] gives the overall progress, held between 0 and 1, and 0 with nothing to do', () => {
    const { hear, state } = createDevice()
    expect(overallProgress(state())).toBe(0)
    hear('SHOOT_PROGRESS', shoot('a', { processedCount: 1, totalCount: 0 }))
    expect(overallProgress(state())).toBe(0)
    hear('SHOOT_PROGRESS', shoot('a', { processedCount: 1, totalCount: 6 }))
    hear('SHOOT_PROGRESS', shoot('b', { processedCount: 2, totalCount: 6 }))
    expect(overallProgress(state())).toBe(0.25)
    hear('SHOOT_PROGRESS', shoot('b', { processedCount: 200, totalCount: 6 }))
    expect(overallProgress(state())).toBe(1)
  })

  it('[KULL-1] [KULL-6] [KULL-7] are what a model says, for any progress', () => {
    const count = fc.option(fc.integer({ min: 0, max: 50 }), { nil: undefined })
    const progress: fc.Arbitrary<ShootProgress> = fc.record(
      {
        shootId: fc.integer({ min: 0, max: 40 }).map((n) => `shoot-${n}`),
        status: fc.constantFrom('queued', 'processing', 'processing', 'completed', 'failed'),
        processedCount: count,
        totalCount: count,
        progress: fc.option(fc.double({ min: -1, max: 2, noNaN: true }), { nil: undefined }),
      },
      { requiredKeys: ['shootId', 'status'] },
    )
    const witnessed = { over: 0, empty: 0, uncounted: 0 }
    fc.assert(
      fc.property(fc.array(progress, { size: 'max', maxLength: 200 }), (all) => {
        const { hear, state, clock } = createDevice()
        const shoots = new Map<string, { said: ShootProgress; at: number }>()
        for (const said of all) {
          clock.advance(100)
          for (const [id, { said: last, at }] of shoots) {
            const isOver = last.status === 'completed' || last.status === 'failed'
            if (isOver && clock.now() >= at + 5_000) shoots.delete(id)
          }
          hear('SHOOT_PROGRESS', said)
          shoots.set(said.shootId, { said, at: clock.now() })

          let done = 0
          let toDo = 0
          for (const [id, { said: last }] of shoots) {
            const { status, processedCount: part, totalCount: whole } = last
            const isCounted = part !== undefined && whole !== undefined
            const raw = isCounted ? (whole === 0 ? 0 : part / whole) : (last.progress ?? 0)
            const expected = raw < 0 ? 0 : raw > 1 ? 1 : raw
            expect(state().activeShootProgress.get(id)?.progress).toBeCloseTo(expected, 12)
            if (isCounted && part > whole) witnessed.over += 1
            if (!isCounted) witnessed.uncounted += 1
            if (status !== 'processing' || !isCounted) continue
            done += part
            toDo += whole
          }
          if (toDo === 0) witnessed.empty += 1
          expect(state().activeShootProgress.size).toBe(shoots.size)
          expect(totalImagesProcessing(state())).toBe(done)
          expect(totalImagesToProcess(state())).toBe(toDo)
          expect(overallProgress(state())).toBe(toDo === 0 ? 0 : Math.min(done / toDo, 1))
        }
      }),
      { numRuns: 25 },
    )
    for (const times of Object.values(witnessed)) expect(times).toBeGreaterThan(30)
  })
})
