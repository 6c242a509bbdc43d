import type { RefusedNumber } from '../../schemas/control.js'

/** A message to all devices of a user, as the log stores it. Plain JSON data. */
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

/** The position in the log of a message to all devices of a user. */
export interface LogPosition {
  readonly epoch: string
  readonly seq: number
}

/** How far the server has come with an outbox of a device. Plain JSON data. */
export interface ClientMark {
  readonly deviceId: string
  readonly cid: string
  /** The number of its last message that was accepted or refused for good; 0: none yet. */
  readonly hwm: number
  /** The fencing token that it was last resumed with. */
  readonly fence: number
  /** The start that it was last resumed with: a random text, new each time a client takes it over. */
  readonly start: string
  /** Its recent messages that were refused. */
  readonly refused: readonly RefusedNumber[]
}

/** A stored state. */
export interface LoggedCheckpoint {
  /** The number of the last message that is part of the state. */
  readonly seq: number
  /** As JSON text. */
  readonly state: string
}

/** What a log has of a user. */
export interface UserLog {
  /**
   * A text that no former log of the user had. A log that has no memory of the user makes a new
   * random one.
   */
  readonly epoch: string
  /** The number of the oldest stored message; the number of the next one where none is stored. */
  readonly first: number
  /** Numbered from `first` on, without a gap. */
  readonly messages: readonly LoggedMessage[]
  /** The least recently written ones first. */
  readonly marks: readonly ClientMark[]
  readonly checkpoint?: LoggedCheckpoint
}

/** What is written in one step, in the order of these fields. */
export interface LogChange {
  /** New messages, numbered on from the last. */
  readonly append?: readonly LoggedMessage[]
  /** New marks. Each replaces the former mark of its device and cid, if there is one. */
  readonly marks?: readonly ClientMark[]
  /** Marks to delete. */
  readonly forget?: readonly Pick<ClientMark, 'deviceId' | 'cid'>[]
  /** Deletes the messages before `first`. The checkpoint, if given, replaces the former one. */
  readonly trim?: { readonly first: number; readonly checkpoint?: LoggedCheckpoint }
}

/**
 * Where a server stores what it sent to all of a user's devices, and how far their outboxes have
 * come. One server at a time uses a log. It waits for each answer about a user before it asks
 * again.
 */
export interface DeliveryLog {
  /**
   * Aborts, with an error that says why, when this server can never use the log again. The server
   * then closes its connections with delivery, and accepts no others.
   */
  readonly lost?: AbortSignal
  /** Reads what the log has of a user. */
  open(userId: string): Promise<UserLog>
  /**
   * Writes a change of an opened user, wholly or not at all. Resolves once the change survives
   * whatever the log is meant to survive. Where it rejects, the change may have been written or
   * not: the server calls `open` before it writes anything else of that user.
   */
  commit(userId: string, change: LogChange): Promise<void>
  /** The user is not needed for now. `open` is called before anything else about the user. */
  close?(userId: string): void
}
