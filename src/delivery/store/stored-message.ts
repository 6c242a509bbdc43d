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

/** How a message was settled, for the handle that accepted it. Plain JSON data. */
export interface StoredOutcome {
  readonly outcome: string
  readonly [detail: string]: unknown
}
