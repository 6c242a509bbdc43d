import * as z from 'zod/mini'

// What the server answers, as far as it matters here; fields it does not know are left out.

const secret = z.string().check(z.minLength(1), z.maxLength(16_384))
const nameOrNothing = z.nullish(z.string().check(z.maxLength(1_000)))

// Shown as a link: `javascript:` and the like must not pass.
const webAddress = z.string().check(
  z.maxLength(2_048),
  z.refine((text) => /^https?:\/\//i.test(text) && URL.canParse(text)),
)

/** Tells a time by ISO 8601. */
const isoTime = z.string().check(z.refine((text) => !Number.isNaN(Date.parse(text))))

const seconds = z.number().check(z.positive(), z.maximum(2 ** 31))

const user = z.object({
  id: z.string().check(z.minLength(1), z.maxLength(1_000)),
  email: z.string().check(z.maxLength(1_000)),
  firstName: nameOrNothing,
  lastName: nameOrNothing,
})

/** `POST /api/device-auth/request`. */
export const linkCode = z.object({
  code: z.string().check(z.minLength(1), z.maxLength(64)),
  expiresAt: isoTime,
  verificationUrl: webAddress,
})

/** `GET /api/device-auth/status/:code`. */
export const linkState = z.discriminatedUnion('status', [
  z.object({ status: z.literal('pending') }),
  z.object({ status: z.literal('expired') }),
  z.object({
    status: z.literal('approved'),
    tokens: z.object({ accessToken: secret, refreshToken: secret, expiresIn: seconds, user }),
  }),
])

/** `POST /api/device-auth/refresh`. */
export const renewedToken = z.object({
  accessToken: secret,
  expiresIn: seconds,
  refreshToken: z.optional(secret),
})

/** What is kept of a session between runs. Times are milliseconds since the epoch. */
export const storedSession = z.object({
  accessToken: secret,
  refreshToken: secret,
  issuedAt: z.number(),
  expiresAt: z.number(),
  user,
})

/** `POST /api/device-auth/revoke`: that there is an answer is enough. */
export const anything = z.unknown()

/** `GET /api/kull/credits/summary`. */
export const creditSummary = z.object({ balance: z.number() })

/** `GET /api/sync/status`. */
export const serviceStatus = z.object({
  status: z.string(),
  timestamp: z.optional(z.union([z.number(), z.string()])),
  service: z.optional(z.string()),
})

/** A user as it came over the wire, without the fields that hold nothing. */
export function toUser({ id, email, firstName, lastName }: z.output<typeof user>) {
  return {
    id,
    email,
    ...(typeof firstName === 'string' && { firstName }),
    ...(typeof lastName === 'string' && { lastName }),
  }
}
