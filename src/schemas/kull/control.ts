import * as z from 'zod/mini'

/**
 * The payload of `PING` and `PONG` from a client. It may be absent; the server's answer has no data
 * at all.
 */
export const pingPayload = z.optional(
  z.object({
    /** Milliseconds since the epoch. */
    timestamp: z.optional(z.number()),
  }),
)
