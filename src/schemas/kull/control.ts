import * as z from 'zod/mini'

/**
 * The payload of `PING` and `PONG` from a client. The answer to them has no data at all, and so
 * may the question.
 */
export const pingPayload = z.optional(
  z.object({
    /** Milliseconds since the epoch. */
    timestamp: z.optional(z.number()),
  }),
)
