import type { BodyInputOf, BodyOf, MessageSchemas, Schema, TypeOf } from '../schemas/schema.js'
import type { Identity } from '../schemas/protocol.js'

/** The rest arguments that carry the body of a message to clients: none for a type without one. */
export type OutgoingBody<S> = S extends Schema
  ? undefined extends BodyInputOf<S>
    ? [data?: BodyInputOf<S>]
    : [data: BodyInputOf<S>]
  : []

/** A message to clients as data, for batches. */
export type Outgoing<R extends MessageSchemas> = {
  readonly [K in TypeOf<R>]: R[K] extends Schema
    ? { readonly type: K; readonly data: BodyInputOf<R[K]> }
    : { readonly type: K; readonly data?: undefined }
}[TypeOf<R>]

/** A connected client: one authenticated socket of one device. */
export interface ConnectedClient<R extends MessageSchemas> extends Identity {
  readonly isAdmin: boolean
  /** When it was authenticated, in milliseconds since the epoch. */
  readonly connectedAt: number
  /** Sends to this socket alone; returns whether the socket took the frame. */
  send<K extends TypeOf<R>>(type: K, ...body: OutgoingBody<R[K]>): boolean
  /**
   * Closes this socket, by default with 1000, and terminates it 2 s later if it has not closed.
   *
   * @throws SyncError `option-invalid` for a code that cannot be sent.
   */
  close(code?: number, reason?: string): void
  /** Ends this socket at once, without a closing handshake: the client sees 1006. */
  terminate(): void
}

/** How a socket ended: the close code (1006: without a handshake) and the peer's reason. */
export interface SocketEnd {
  readonly code: number
  readonly reason: string
}

/** One valid message of a client. */
export interface IncomingMessage<
  R extends MessageSchemas,
  S extends MessageSchemas,
  K extends TypeOf<S>,
> {
  readonly client: ConnectedClient<R>
  readonly type: K
  readonly payload: BodyOf<S[K]>
  /**
   * `cid/n` of a message with delivery. A message that is seen again has the same id, and no other
   * message of the user's device has it. Absent for a plain message.
   */
  readonly id?: string
}

/** A valid message of any type: a union discriminated by `type`. */
export type AnyIncomingMessage<R extends MessageSchemas, S extends MessageSchemas> = {
  readonly [K in TypeOf<S>]: IncomingMessage<R, S, K>
}[TypeOf<S>]

/** Handlers for messages of clients, by type. */
export type IncomingHandlers<R extends MessageSchemas, S extends MessageSchemas> = {
  readonly [K in TypeOf<S>]?: (message: IncomingMessage<R, S, K>) => unknown
}
