import * as fc from 'fast-check'
import type { Check } from './arbitrary-text.js'

/** Draws numbers that pass the checks. JSON has no `NaN`, no infinities and no -0. */
export function arbitraryNumber(checks: readonly Check[]): fc.Arbitrary<number> {
  const { min, minExcluded, max, maxExcluded } = boundsOf(checks)
  const step = stepOf(checks)
  if (step !== undefined) {
    const lowest = Math.ceil(Math.max(min, -Number.MAX_SAFE_INTEGER) / step)
    const highest = Math.floor(Math.min(max, Number.MAX_SAFE_INTEGER) / step)
    const skipFirst = minExcluded && lowest * step === min ? 1 : 0
    const skipLast = maxExcluded && highest * step === max ? 1 : 0
    return fc
      .integer({ min: lowest + skipFirst, max: highest - skipLast })
      .map((count) => positiveZero(count * step))
  }
  return fc
    .double({ min, minExcluded, max, maxExcluded, noNaN: true, noDefaultInfinity: true })
    .map(positiveZero)
}

interface Bounds {
  readonly min: number
  readonly minExcluded: boolean
  readonly max: number
  readonly maxExcluded: boolean
}

const LARGEST_FLOAT32 = 2 ** 128 - 2 ** 104

const numberFormats = {
  safeint: [-Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
  int32: [-(2 ** 31), 2 ** 31 - 1],
  uint32: [0, 2 ** 32 - 1],
  float32: [-LARGEST_FLOAT32, LARGEST_FLOAT32],
  float64: [-Number.MAX_VALUE, Number.MAX_VALUE],
} as const

function boundsOf(checks: readonly Check[]): Bounds {
  let bounds: Bounds = {
    min: -Number.MAX_VALUE,
    minExcluded: false,
    max: Number.MAX_VALUE,
    maxExcluded: false,
  }
  const raise = (min: number, minExcluded: boolean): void => {
    if (min > bounds.min || (min === bounds.min && minExcluded)) {
      bounds = { ...bounds, min, minExcluded }
    }
  }
  const lower = (max: number, maxExcluded: boolean): void => {
    if (max < bounds.max || (max === bounds.max && maxExcluded)) {
      bounds = { ...bounds, max, maxExcluded }
    }
  }
  for (const check of checks) {
    if (check.check === 'greater_than') raise(Number(check.value), !check.inclusive)
    if (check.check === 'less_than') lower(Number(check.value), !check.inclusive)
    if (check.check !== 'number_format') continue
    const [min, max] = numberFormats[check.format]
    raise(min, false)
    lower(max, false)
  }
  return bounds
}

// Few doubles are multiples of a fraction, so the multiples are counted instead. If two checks ask
// for different multiples, the first one counts here, and the schema filters the rest.
function stepOf(checks: readonly Check[]): number | undefined {
  for (const check of checks) {
    if (check.check === 'multiple_of') return Math.abs(Number(check.value))
  }
  const isWhole = checks.some(
    (check) => check.check === 'number_format' && check.format.includes('int'),
  )
  return isWhole ? 1 : undefined
}

function positiveZero(value: number): number {
  return value === 0 ? 0 : value
}
