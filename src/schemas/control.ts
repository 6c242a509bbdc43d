import * as z from 'zod/mini'

/**
 * The frames that client and server exchange about delivery, beside the protocol's own messages.
 * docs/protocol.md says what each one means; every schema ignores fields that it does not know.
 */

/** The query parameter by which a client says that it understands delivery, and its value. */
export const CAPABILITIES = { parameter: 'caps', value: '1' } as const

/** The version of the delivery protocol that this library speaks. */
export const DELIVERY_VERSION = 1

// A whole number, 0 or more. A function, since zod's own checks bring 0.5 kB along.
const count = z.custom<number>((value) => Number.isSafeInteger(value) && value >= 0)
const refusals = z.array(z.tuple([count, z.string()]))

/** Where a server stands with the cid that was resumed. */
const standing = {
  hwm: z.optional(count),
  known: z.optional(z.boolean()),
  refused: z.optional(refusals),
}

/** Why a cursor was of no use. */
const resetReason = z.enum(['new', 'epoch', 'trimmed', 'ahead'])

/** The control frames of a server, by type, with the schema of each one's data. */
export const toClient = {
  $hello: z.object({
    v: count,
    epoch: z.string(),
    head: count,
    first: count,
    maxBytes: count,
    idleMs: z.number(),
    window: count,
  }),
  $resumed: z.object({ epoch: z.string(), head: count, ...standing }),
  $reset: z.object({ why: resetReason, epoch: z.string(), head: count, ...standing }),
  $snapshot: z.object({ epoch: z.string(), seq: count, state: z.optional(z.unknown()) }),
  $roster: null,
  $ack: z.object({ cid: z.string(), n: count }),
  $nack: z.object({ cid: z.string(), n: count, code: z.string(), retry: z.boolean() }),
  $ping: z.object({ epoch: z.string(), head: count }),
  $drain: z.object({ afterMs: z.number() }),
} as const

/** The control frames of a client, by type, with the schema of each one's payload. */
export const toServer = {
  $resume: z.object({
    epoch: z.optional(z.string()),
    seq: z.optional(count),
    cid: z.optional(z.string()),
    fence: z.optional(count),
  }),
  $pong: null,
} as const

/** What a server says about itself when a connection begins. */
export type Hello = z.output<typeof toClient.$hello>
/** Why a cursor was of no use. */
export type ResetReason = z.output<typeof resetReason>
/** What a client says about where it stands. */
export type Resume = z.output<typeof toServer.$resume>
/** A numbered message that was refused, and with which code. */
export type RefusedNumber = z.output<typeof refusals>[number]
