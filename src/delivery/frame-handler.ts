import type { output } from 'zod/v4/core'
import { createValidate, type Schema } from '../schemas/schema.js'

/** Applies the body of a control frame; gives why it did not, if it does not fit its schema. */
export type FrameHandler = (body: unknown) => string | undefined

/** Validates the body of a control frame before it is applied. */
export function handler<S extends Schema>(
  schema: S,
  apply: (body: output<S>) => void,
): FrameHandler {
  const validate = createValidate(schema)
  return (body) => {
    const validated = validate(body)
    if (!validated.ok) return validated.detail
    apply(validated.value)
    return undefined
  }
}
