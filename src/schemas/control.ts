import * as z from 'zod/mini'

/**
 * The control frames: what client and server send about delivery, beside the protocol's own
 * messages. docs/protocol.md explains each. Every schema ignores unknown fields.
 */

/** The query parameter, and its value, by which a client says that it supports delivery. */
export const CAPABILITIES = { parameter: 'caps', value: '1' } as const

/** The version of the delivery protocol that this library speaks. */
export const DELIVERY_VERSION = 1

// A whole number, 0 or more. Checked by a function: zod's own checks add 0.5 kB to a bundle.
const count = z.custom<number>((value) => Number.isSafeInteger(value) && value >= 0)
const refusedNumbers = z.array(z.tuple([count, z.string()]))

/** What a server knows of the outbox that was resumed. */
const outboxMarks = {
  hwm: z.optional(count),
  known: z.optional(z.boolean()),
  refused: z.optional(refusedNumbers),
}

/** Why a server cannot continue from a client's cursor. */
const resetReason = z.enum(['new', 'epoch', 'trimmed', 'ahead'])

/** The control frames that a server sends, by type, with the schema of each one's data. */
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
  $resumed: z.object({ epoch: z.string(), head: count, ...outboxMarks }),
  $reset: z.object({ why: resetReason, epoch: z.string(), head: count, ...outboxMarks }),
  $snapshot: z.object({ epoch: z.string(), seq: count, state: z.optional(z.unknown()) }),
  $roster: null,
  $ack: z.object({ cid: z.string(), n: count }),
  $nack: z.object({ cid: z.string(), n: count, code: z.string(), retry: z.boolean() }),
  $ping: z.object({ epoch: z.string(), head: count }),
  $drain: z.object({ afterMs: z.number() }),
} as const

/** The control frames that a client sends, by type, with the schema of each one's payload. */
export const toServer = {
  $resume: z.object({
    epoch: z.optional(z.string()),
    seq: z.optional(count),
    cid: z.optional(z.string()),
    fence: z.optional(count),
    start: z.optional(z.string()),
    past: z.optional(z.array(z.string())),
  }),
  $pong: null,
} as const

/** The data of `$hello`: what a server says about itself when a connection begins. */
export type Hello = z.output<typeof toClient.$hello>
/** Why a server cannot continue from a client's cursor. */
export type ResetReason = z.output<typeof resetReason>
/** The payload of `$resume`: the client's cursor and its outbox. */
export type Resume = z.output<typeof toServer.$resume>
/** The number of a message that the server refused, and the code of the refusal. */
export type RefusedNumber = z.output<typeof refusedNumbers>[number]
