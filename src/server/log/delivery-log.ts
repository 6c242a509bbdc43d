import type { RefusedNumber } from '../../schemas/control.js'

/** A message to all devices of a user, as it is kept. Plain JSON data. */
export interface LoggedMessage {
  /** Its number within the epoch, from 1. */
  readonly seq: number
  readonly type: string
  /** Its data as JSON text; absent where the message has none. */
  readonly data?: string
  /** When it was made, in milliseconds since the epoch. */
  readonly timestamp: number
  /** The device that caused it; `"server"` where none did. */
  readonly deviceId: string
  /** `cid/n` of the client's message that caused it. */
  readonly id?: string
}

/** Where a message to all devices of a user stands in the log. */
export interface LogPosition {
  readonly epoch: string
  readonly seq: number
}

/** How far an outbox of a device has come. Plain JSON data. */
export interface ClientMark {
  readonly deviceId: string
  readonly cid: string
  /** The number of its last message that was taken or refused for good; 0: none yet. */
  readonly hwm: number
  /** The largest fence that it was resumed with. */
  readonly fence: number
  /** Its refused messages among the last ones. */
  readonly refused: readonly RefusedNumber[]
}

/** A state written down. */
export interface LoggedCheckpoint {
  /** The state is that after this message. */
  readonly seq: number
  /** As JSON text. */
  readonly state: string
}

/** What a log has of a user. */
export interface UserLog {
  /** A text that no former log of the user had: fresh and random where there is no memory of it. */
  readonly epoch: string
  /** The number of the oldest message that is kept; of the next one where none is. */
  readonly first: number
  /** Numbered from `first` on, without a gap. */
  readonly messages: readonly LoggedMessage[]
  /** The least recently written ones first. */
  readonly marks: readonly ClientMark[]
  readonly checkpoint?: LoggedCheckpoint
}

/** What is written in one step; in this order. */
export interface LogChange {
  /** The epoch that `open` gave. */
  readonly epoch: string
  /** New messages, numbered on from the last. */
  readonly append?: readonly LoggedMessage[]
  /** New marks, and such that take the place of the former one of their device and cid. */
  readonly marks?: readonly ClientMark[]
  /** Marks that are over. */
  readonly forget?: readonly Pick<ClientMark, 'deviceId' | 'cid'>[]
  /** Messages before `first` are over; the checkpoint, where there is one, takes the former's place. */
  readonly trim?: { readonly first: number; readonly checkpoint?: LoggedCheckpoint }
}

/**
 * Where a server keeps what it sent to all of a user's devices, and how far their outboxes have
 * come. One server at a time uses a log, and asks for one thing at a time of each user; both
 * functions may answer at once or by a promise.
 */
export interface DeliveryLog {
  /** What is there of a user. */
  open(userId: string): UserLog | PromiseLike<UserLog>
  /**
   * Writes a change of a user that is open, wholly or not at all; done once it survives whatever
   * the log is meant to survive. Where it throws or rejects nothing has changed, and the next
   * change has the same numbers.
   */
  commit(userId: string, change: LogChange): undefined | PromiseLike<unknown>
  /** The user is not needed for now; `open` comes before anything else about it. */
  close?(userId: string): void
}
