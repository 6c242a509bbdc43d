import * as z from 'zod/mini'
import { parseJson } from '../base/values.js'
import type { User } from '../machines/session/ports.js'
import { createValidate } from '../schemas/schema.js'

/** A token, as servers issue it and as it is stored. */
export const token = z.string().check(z.minLength(1), z.maxLength(16_384))

const personName = z.nullish(z.string().check(z.maxLength(1_000)))

/** A user, as servers describe one and as it is stored. */
export const user = z.object({
  id: z.string().check(z.minLength(1), z.maxLength(1_000)),
  email: z.string().check(z.maxLength(1_000)),
  firstName: personName,
  lastName: personName,
})

/** Leaves out the fields of a user that hold nothing. */
export function toUser({ id, email, firstName, lastName }: z.output<typeof user>): User {
  return {
    id,
    email,
    ...(typeof firstName === 'string' && { firstName }),
    ...(typeof lastName === 'string' && { lastName }),
  }
}

/** What the store has of a session. Times are milliseconds since the epoch. */
export interface StoredSession {
  readonly accessToken: string
  readonly refreshToken: string
  readonly issuedAt: number
  readonly expiresAt: number
  readonly user: User
}

const validateStored = createValidate(
  z.object({
    accessToken: token,
    refreshToken: token,
    issuedAt: z.number(),
    expiresAt: z.number(),
    user,
  }),
)

/** Decodes a stored session; `undefined` for text that is none. */
export function decodeSession(text: string | undefined): StoredSession | undefined {
  const read = validateStored(parseJson(text))
  return read.ok ? { ...read.value, user: toUser(read.value.user) } : undefined
}
