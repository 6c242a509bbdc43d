import * as fc from 'fast-check'
import type { $ZodCheckDef, $ZodChecks, $ZodType } from 'zod/v4/core'

/** The checks of a schema. A schema with a format, such as `z.email()`, is a check too. */
export function checksOf(schema: $ZodType): Check[] {
  const def = schema._zod.def as { readonly checks?: { readonly _zod: { readonly def: Check } }[] }
  const attached = (def.checks ?? []).map(({ _zod }) => _zod.def)
  return 'check' in def ? [def as unknown as Check, ...attached] : attached
}

/** The definition of a check: one of zod's own, or one that a user wrote. */
export type Check = $ZodChecks['_zod']['def'] | ($ZodCheckDef & { readonly check: 'custom' })

/** The lengths that checks allow. */
export interface Lengths {
  readonly minLength?: number
  readonly maxLength?: number
}

/** Reads the bounds of the length of a string or an array from its checks. */
export function lengthsOf(checks: readonly Check[]): Lengths {
  let minLength: number | undefined
  let maxLength: number | undefined
  for (const check of checks) {
    if (check.check === 'min_length') minLength = Math.max(minLength ?? 0, check.minimum)
    if (check.check === 'max_length') maxLength = Math.min(maxLength ?? Infinity, check.maximum)
    if (check.check === 'length_equals') minLength = maxLength = check.length
  }
  return {
    ...(minLength !== undefined && { minLength }),
    ...(maxLength !== undefined && { maxLength }),
  }
}

// One UTF-16 unit each, so that the number of characters drawn is the string's `length`.
const singleUnit = fc.mapToConstant(
  { num: 95, build: (at) => String.fromCharCode(0x20 + at) },
  { num: 32, build: (at) => String.fromCharCode(at) },
  { num: 0x700, build: (at) => String.fromCharCode(0xa0 + at) },
)

const instant = fc.date({
  min: new Date('0001-01-01T00:00:00.000Z'),
  max: new Date('9999-12-31T23:59:59.999Z'),
  noInvalidDate: true,
})

// Formats whose regular expressions fast-check cannot read, or rarely satisfies.
const textFormats: Readonly<Record<string, (() => fc.Arbitrary<string>) | undefined>> = {
  uuid: () => fc.uuid(),
  guid: () => fc.uuid(),
  email: () => fc.emailAddress(),
  url: () => fc.webUrl({ withQueryParameters: true }),
  ipv6: () => fc.ipV6(),
  base64: () => fc.base64String(),
  datetime: () => instant.map((date) => date.toISOString()),
  date: () => instant.map((date) => date.toISOString().slice(0, 10)),
  json_string: () => fc.json(),
}

/**
 * Draws strings that pass the checks, or come so close that few are filtered out. `undefined` if
 * the checks ask for a format that cannot be drawn.
 */
export function arbitraryText(checks: readonly Check[]): fc.Arbitrary<string> | undefined {
  for (const check of checks) {
    if (check.check !== 'string_format') continue
    const known = textFormats[check.format]
    if (known !== undefined) return known()
    return check.pattern === undefined ? undefined : matching(check.pattern)
  }
  const lengths = lengthsOf(checks)
  const isBounded = Object.keys(lengths).length > 0
  return fc.string({ ...lengths, unit: isBounded ? singleUnit : 'binary' })
}

/** Draws strings that match a regular expression; `undefined` if fast-check cannot read it. */
export function matching(pattern: RegExp): fc.Arbitrary<string> | undefined {
  try {
    return fc.stringMatching(pattern)
  } catch {
    return undefined
  }
}
