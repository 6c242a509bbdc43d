import * as fc from 'fast-check'
import type { Check } from './arbitrary-text.js'

const LARGEST_FLOAT32 = 2 ** 128 - 2 ** 104

const numberFormats = {
  safeint: [-Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
  int32: [-(2 ** 31), 2 ** 31 - 1],
  uint32: [0, 2 ** 32 - 1],
  float32: [-LARGEST_FLOAT32, LARGEST_FLOAT32],
  float64: [-Number.MAX_VALUE, Number.MAX_VALUE],
} as const

/** Draws numbers that pass the checks. JSON has no `NaN`, no infinities and no -0. */
export function arbitraryNumber(checks: readonly Check[]): fc.Arbitrary<number> {
  const lower = checks.filter((check) => check.check === 'greater_than')
  const upper = checks.filter((check) => check.check === 'less_than')
  const [lowest, highest] = numberFormats[formatOf(checks) ?? 'float64']
  const min = Math.max(lowest, ...lower.map(({ value }) => Number(value)))
  const max = Math.min(highest, ...upper.map(({ value }) => Number(value)))
  const minExcluded = lower.some(({ value, inclusive }) => !inclusive && Number(value) === min)
  const maxExcluded = upper.some(({ value, inclusive }) => !inclusive && Number(value) === max)
  const step = stepOf(checks)
  if (step === undefined) {
    const bounds = { min, minExcluded, max, maxExcluded }
    return fc.double({ ...bounds, noNaN: true, noDefaultInfinity: true }).map(positiveZero)
  }
  const first = Math.ceil(Math.max(min, -Number.MAX_SAFE_INTEGER) / step)
  const last = Math.floor(Math.min(max, Number.MAX_SAFE_INTEGER) / step)
  const counts = fc.integer({
    min: minExcluded && first * step === min ? first + 1 : first,
    max: maxExcluded && last * step === max ? last - 1 : last,
  })
  return counts.map((count) => positiveZero(count * step))
}

// Few doubles are multiples of a fraction, so the multiples are counted instead. If two checks ask
// for different multiples, the first one counts here, and the schema filters the rest.
function stepOf(checks: readonly Check[]): number | undefined {
  const multiple = checks.find((check) => check.check === 'multiple_of')
  if (multiple !== undefined) return Math.abs(Number(multiple.value))
  return formatOf(checks)?.includes('int') === true ? 1 : undefined
}

function formatOf(checks: readonly Check[]): keyof typeof numberFormats | undefined {
  return checks.find((check) => check.check === 'number_format')?.format
}

function positiveZero(value: number): number {
  return value === 0 ? 0 : value
}
