import { type $ZodIssue, type $ZodType, type input, type output, safeParse } from 'zod/v4/core'
import { nameThrown } from '../base/deadline.js'
import { assertThat } from '../base/errors.js'

/** Any zod 4 schema, classic or mini: they share a core. */
export type Schema = $ZodType

/** Message types with the schema of each one's body; `null` where a message has none. */
export type MessageSchemas = Readonly<Record<string, Schema | null>>

/** What a body is once it was validated: `undefined` where the message has none. */
export type BodyOf<S> = S extends Schema ? output<S> : undefined

/** What may be given for a body before it is validated. */
export type BodyInputOf<S> = S extends Schema ? input<S> : undefined

/** The literal type names of a set of message schemas. */
export type TypeOf<S extends MessageSchemas> = keyof S & string

/** One reason why a body did not fit its schema, as zod gives it. */
export type Issue = $ZodIssue

/** The outcome of validating one value. */
export type Validated<T = unknown> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly detail: string; readonly issues: readonly Issue[] }

/** Validates one value; never throws, whatever the schema's own code does. */
export type Validate<T = unknown> = (value: unknown) => Validated<T>

/** Turns a schema into an equal, faster one: zod's `compile` fits. */
export type CompileSchema = <S extends Schema>(schema: S) => S

/** Tells a zod 4 schema from anything else. */
export function isSchema(value: unknown): value is Schema {
  return typeof value === 'object' && value !== null && '_zod' in value
}

/**
 * Makes the validating function of a schema.
 *
 * A schema that throws, is asynchronous, or recurses until the stack ends makes the value
 * invalid; it never takes the connection down.
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

// Paths and zod's own messages say what was expected; the value itself is not repeated, so that
// a secret in a malformed body does not travel into logs with the reason.
function describeIssues(issues: readonly Issue[]): string {
  const first = issues[0]
  if (first === undefined) return 'does not fit its schema'
  const path = first.path.map(String).join('.')
  const more = issues.length > 1 ? ` (and ${issues.length - 1} more)` : ''
  return `${path === '' ? 'body' : path}: ${first.message}${more}`
}
