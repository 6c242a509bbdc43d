import * as z from 'zod/mini'
import { token, user } from '../session/stored-session.js'

// What the product's HTTP API answers. Fields that an app does not use are dropped.

// Shown as a link, so it must not be a `javascript:` address or the like.
const webAddress = z.string().check(
  z.maxLength(2_048),
  z.refine((text) => /^https?:\/\//i.test(text) && URL.canParse(text)),
)

/** A time in ISO 8601. */
const isoTime = z.string().check(z.refine((text) => !Number.isNaN(Date.parse(text))))

const seconds = z.number().check(z.positive(), z.maximum(2 ** 31))

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
    tokens: z.object({ accessToken: token, refreshToken: token, expiresIn: seconds, user }),
  }),
])

/** `POST /api/device-auth/refresh`. */
export const renewedToken = z.object({
  accessToken: token,
  expiresIn: seconds,
  refreshToken: z.optional(token),
})

/** `POST /api/device-auth/revoke`: any answer with a status of success will do. */
export const anything = z.unknown()

/** `GET /api/sync/status`. */
export const serviceStatus = z.object({
  status: z.string(),
  timestamp: z.optional(z.union([z.number(), z.string()])),
  service: z.optional(z.string()),
})
