/** A message as it is stored. Plain JSON data. */
export interface StoredMessage {
  /** Unique. Made by the handle that accepted the message. */
  readonly id: string
  readonly type: string
  /** Valid by the schema of its type. Absent if the type has no payload. */
  readonly payload?: unknown
  /** In milliseconds since the epoch. */
  readonly acceptedAt: number
  /** When the message expires, in milliseconds since the epoch. */
  readonly expiresAt?: number
  /** Messages with a larger priority are sent first. */
  readonly priority: number
  /** Of several messages with the same type and key, only the latest is sent. */
  readonly key?: string
  /** Its number, and the epoch of the server that it is for. Written before the first transmission. */
  readonly sent?: { readonly n: number; readonly epoch: string }
}

/** How servers know an outbox and the handle that owns it. */
export interface OutboxIdentity {
  /** The id of the outbox on the wire: a UUID. */
  readonly cid: string
  /** The fencing token: larger than that of every owner of this `cid` before; from 1. */
  readonly fence: number
  /** A random text, new for each owner. A copy of the outbox has owners of its own. */
  readonly start: string
  /**
   * The starts of earlier owners that a server may know as the latest, newest first. The last one
   * is the latest that a server is known to have heard of.
   */
  readonly past: readonly string[]
  /** The highest number that a message of this `cid` was given; 0: none yet. */
  readonly numbered: number
}

/** How a message was settled, for the handle that accepted it. Plain JSON data. */
export interface StoredOutcome {
  readonly outcome: string
  readonly [detail: string]: unknown
}
