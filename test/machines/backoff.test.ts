import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { SyncError } from '../../src/base/errors.js'
import { standardBackoff, waitBeforeAttempt } from '../../src/machines/backoff.js'
import {
  type ConnectionOptions,
  createConnectionPolicy,
  standardDurations,
} from '../../src/machines/connection/policy.js'
import type { BackoffPolicy } from '../../src/schemas/policy.js'
import { assertDuration } from '../../src/base/options.js'

const LONGEST_MS = 2 ** 31 - 1

const validBackoff = fc.record<BackoffPolicy>({
  stepsMs: fc.array(
    fc.oneof(
      fc.integer({ min: 0, max: LONGEST_MS }),
      fc.double({ min: 0, max: LONGEST_MS, noNaN: true }),
    ),
    { minLength: 1, maxLength: 20 },
  ),
  jitter: fc.constantFrom('full', 'none'),
  maxAttempts: fc.oneof(fc.nat(), fc.constant(Number.POSITIVE_INFINITY)),
})

/** The message of the error thrown, which must be `option-invalid`. */
function messageOf(options: unknown): string {
  try {
    createConnectionPolicy(options as ConnectionOptions)
  } catch (error) {
    expect(error).toBeInstanceOf(SyncError)
    expect(error).toMatchObject({ code: 'option-invalid' })
    return (error as SyncError).message
  }
  throw new Error(`not refused: ${JSON.stringify(options)}`)
}

describe('waitBeforeAttempt', () => {
  it('[BACK-4] gives each step once and the last one for ever, without jitter', () => {
    const policy = { stepsMs: [5, 10, 7], jitter: 'none', maxAttempts: 3 } as const
    const never = () => expect.unreachable()
    const waits = [1, 2, 3, 4, 5, 1_000_000].map((n) => waitBeforeAttempt(policy, n, never))
    expect(waits).toEqual([5, 10, 7, 7, 7, 7])
  })

  it('[BACK-4] stays between 0 and the step for any policy, attempt and draw', () => {
    const attempts = fc.integer({ min: 1, max: 100_000 })
    const draws = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
    let jittered = 0
    fc.assert(
      fc.property(validBackoff, attempts, draws, (policy, attempt, drawn) => {
        const step = policy.stepsMs[attempt - 1] ?? policy.stepsMs.at(-1) ?? Number.NaN
        const wait = waitBeforeAttempt(policy, attempt, () => drawn)
        if (policy.jitter === 'none') {
          expect(wait).toBe(step)
        } else {
          expect(wait).toBeGreaterThanOrEqual(0)
          expect(wait).toBeLessThanOrEqual(step)
          jittered += 1
        }
      }),
      { numRuns: 1_000 },
    )
    expect(jittered).toBeGreaterThan(200)
  })

  it('[BACK-3] draws evenly from 0 up to the step', () => {
    for (const [drawn, wait] of [
      [0, 0],
      [0.25, 4_000],
      [0.75, 12_000],
    ] as const) {
      expect(waitBeforeAttempt(standardBackoff, 5, () => drawn)).toBe(wait)
    }
  })
})

describe('a policy', () => {
  it('[BACK-3] is by default the library’s own, with its durations', () => {
    expect(createConnectionPolicy()).toEqual({
      connectTimeoutMs: 10_000,
      pingIntervalMs: 30_000,
      pongTimeoutMs: 10_000,
      settleMs: 10_000,
      lateTimerMs: 1_000,
      hurryIntervalMs: 1_000,
      restartSpreadMs: 30_000,
      backoff: {
        stepsMs: [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000],
        jitter: 'full',
        maxAttempts: Number.POSITIVE_INFINITY,
      },
      closeCodes: undefined,
    })
  })

  it('[BACK-1] is the protocol’s, unless an option says otherwise', () => {
    const own = { stepsMs: [1], jitter: 'none', maxAttempts: 1 } as const
    const protocol = { backoff: { ...own, maxAttempts: 7 }, closeCodes: () => undefined }
    expect(createConnectionPolicy({}, protocol)).toMatchObject(protocol)
    expect(createConnectionPolicy({ backoff: own }, protocol)).toMatchObject({ backoff: own })
    expect(createConnectionPolicy({ settleMs: 5 })).toMatchObject({ settleMs: 5 })
  })

  it('[BACK-8] takes any sensible numbers', () => {
    fc.assert(
      fc.property(validBackoff, (backoff) => {
        expect(createConnectionPolicy({ backoff }).backoff).toEqual(backoff)
      }),
    )
    for (const name of Object.keys(standardDurations)) {
      for (const value of [0.5, 1, LONGEST_MS]) {
        expect(createConnectionPolicy({ [name]: value })).toMatchObject({ [name]: value })
      }
    }
    expect(createConnectionPolicy({ pingIntervalMs: Number.POSITIVE_INFINITY })).toMatchObject({
      pingIntervalMs: Number.POSITIVE_INFINITY,
    })
    for (const name of ['settleMs', 'lateTimerMs', 'hurryIntervalMs', 'restartSpreadMs'] as const) {
      expect(createConnectionPolicy({ [name]: 0 })).toMatchObject({ [name]: 0 })
    }
  })

  it('[BACK-8] [CLI-10] refuses durations that are none, and names the option', () => {
    const odd: unknown[] = [-1, Number.NaN, Number.NEGATIVE_INFINITY, LONGEST_MS + 1, '5', null, {}]
    for (const name of Object.keys(standardDurations)) {
      for (const value of odd) expect(messageOf({ [name]: value })).toContain(name)
      if (name === 'pingIntervalMs') continue
      expect(messageOf({ [name]: Number.POSITIVE_INFINITY })).toContain(name)
    }
    for (const name of ['connectTimeoutMs', 'pingIntervalMs', 'pongTimeoutMs']) {
      expect(messageOf({ [name]: 0 })).toContain(name)
      expect(messageOf({ [name]: -0 })).toContain(name)
    }
  })

  it('[BACK-8] [CLI-10] refuses waits that are none, and names the option', () => {
    const valid = { stepsMs: [1_000], jitter: 'full', maxAttempts: 5 }
    const odd: readonly (readonly [name: string, values: readonly unknown[]])[] = [
      ['stepsMs', [[], undefined, null, 5, 'often', {}, { length: 1, 0: 5 }]],
      ['stepsMs[1]', [-1, Number.NaN, Number.POSITIVE_INFINITY, LONGEST_MS + 1, '5', null]],
      ['jitter', [undefined, null, 'half', true, '']],
      ['maxAttempts', [-1, 1.5, Number.NaN, Number.NEGATIVE_INFINITY, '5', undefined, null]],
    ]
    let refused = 0
    for (const [name, values] of odd) {
      for (const value of values) {
        const change = name === 'stepsMs[1]' ? { stepsMs: [1, value] } : { [name]: value }
        expect(messageOf({ backoff: { ...valid, ...change } })).toContain(`backoff.${name}`)
        refused += 1
      }
    }
    expect(refused).toBe(25)
    for (const backoff of [5, 'often', true]) expect(messageOf({ backoff })).toContain('backoff')
  })
})

describe('assertDuration', () => {
  it('[CLI-10] names what it was asked about', () => {
    expect(() => assertDuration('closeTimeoutMs', -1)).toThrow(/^closeTimeoutMs must be /)
    expect(() => assertDuration('closeTimeoutMs', 0)).not.toThrow()
    expect(() => assertDuration('x', Number.POSITIVE_INFINITY)).toThrow()
    expect(() =>
      assertDuration('x', Number.POSITIVE_INFINITY, { mayBeInfinite: true }),
    ).not.toThrow()
  })
})
