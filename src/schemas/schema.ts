import { type $ZodIssue, type $ZodType, type input, type output, safeParse } from 'zod/v4/core'
import { nameThrown } from '../base/deadline.js'
import { assertThat } from '../base/errors.js'

/** Any zod 4 schema, classic or mini: both have the same core. */
export type Schema = $ZodType

/** Message types with the schema of each one's body; `null` where a type has no body. */
export type MessageSchemas = Readonly<Record<string, Schema | null>>

/** The type of a validated body; `undefined` where the message has none. */
export type BodyOf<S> = S extends Schema ? output<S> : undefined

/** The type of a body before validation. */
export type BodyInputOf<S> = S extends Schema ? input<S> : undefined

/** The literal type names of a set of message schemas. */
export type TypeOf<S extends MessageSchemas> = keyof S & string

/** One reason why a body did not fit its schema: an issue of zod's. */
export type Issue = $ZodIssue

/** The outcome of validating one value. */
export type Validated<T = unknown> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly detail: string; readonly issues: readonly Issue[] }

/** Validates one value. Never throws, even where the schema's own code throws. */
export type Validate<T = unknown> = (value: unknown) => Validated<T>

/** Makes a faster schema that accepts the same values: zod's `compile` is one. */
export type CompileSchema = <S extends Schema>(schema: S) => S

/** Whether a value is a zod 4 schema. */
export function isSchema(value: unknown): value is Schema {
  return typeof value === 'object' && value !== null && '_zod' in value
}

/**
 * Makes the validating function of a schema.
 *
 * Where the schema throws, is asynchronous, or recurses until the stack overflows, the value is
 * invalid: a schema cannot end the connection.
 */
export function createValidate<S extends Schema>(
  schema: S,
  compile?: CompileSchema,
): Validate<output<S>> {
  const checked = compile === undefined ? schema : compile(schema)
  return (value) => {
    try {
      const result = safeParse(checked, value)
      if (result.success) return { ok: true, value: result.data }
      return { ok: false, detail: describeIssues(result.error.issues), issues: result.error.issues }
    } catch (error) {
      return { ok: false, detail: `the schema threw: ${nameThrown(error)}`, issues: [] }
    }
  }
}

/** Throws `protocol-invalid` unless every entry is a schema or `null`. */
export function assertMessageSchemas(
  where: string,
  value: unknown,
): asserts value is MessageSchemas {
  const isObject = typeof value === 'object' && value !== null
  assertThat(isObject, 'protocol-invalid', `${where} must be an object of message schemas`)
  for (const [type, schema] of Object.entries(value)) {
    const at = `${where}.${type}`
    const isFree = type !== '' && !type.startsWith('$')
    assertThat(
      isFree,
      'protocol-invalid',
      `${at}: types that are empty or start with $ are reserved`,
    )
    const isBody = schema === null || isSchema(schema)
    assertThat(isBody, 'protocol-invalid', `${at} must be a zod 4 schema or null`)
  }
}

// Paths and zod's messages say what was expected. The value itself is left out, so that a secret in
// a malformed body does not get into logs.
function describeIssues(issues: readonly Issue[]): string {
  const first = issues[0]
  if (first === undefined) return 'does not fit its schema'
  const path = first.path.map(String).join('.')
  const more = issues.length > 1 ? ` (and ${issues.length - 1} more)` : ''
  return `${path === '' ? 'body' : path}: ${first.message}${more}`
}
