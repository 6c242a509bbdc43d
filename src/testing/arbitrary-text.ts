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

/** The lengths that the checks of a string or an array allow. zod collects them. */
export function lengthsOf(schema: $ZodType): { minLength?: number; maxLength?: number } {
  const { minimum, maximum } = schema._zod.bag
  return {
    ...(typeof minimum === 'number' && { minLength: minimum }),
    ...(typeof maximum === 'number' && { maxLength: maximum }),
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
 * Draws strings that pass the checks of a schema, or come so close that few are filtered out.
 * `undefined` if the checks ask for a format that cannot be drawn.
 */
export function arbitraryText(schema: $ZodType): fc.Arbitrary<string> | undefined {
  const format = checksOf(schema).find((check) => check.check === 'string_format')
  if (format !== undefined) {
    return textFormats[format.format]?.() ?? (format.pattern && matching(format.pattern))
  }
  const lengths = lengthsOf(schema)
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
