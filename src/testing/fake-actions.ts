import type { RawFrame } from '../schemas/message.js'
import type { MessageSchemas, TypeOf } from '../schemas/schema.js'
import type { ConnectionFailure } from '../transport/failure.js'
import type { SocketRequest } from '../transport/transport.js'
import type { UpgradeAnswer } from './fake-failures.js'
import type { BodyArguments, ReceivedMessage } from './fake-wire.js'

/** The ways in which a server can answer an attempt to connect. */
export interface AttemptActions<R extends MessageSchemas = MessageSchemas> {
  /** Opens the connection. The server calls `then` right after. */
  accepts(then?: (socket: FakeSocket<R>) => void): void
  /** Opens the connection and closes it at once with this code, as servers do with invalid tokens. */
  refuses(closeCode: number, reason?: string): void
  /** Answers the upgrade request with an HTTP status. */
  rejects(answer: UpgradeAnswer): void
  /** Lets the attempt fail at once, like a server that is not there. `systemCode`: default `ECONNREFUSED`. */
  isUnreachable(systemCode?: string): void
  /** Leaves the attempt unanswered. */
  staysSilent(): void
}

/** What a server or the network can do with an open connection. */
export interface ConnectionActions<R extends MessageSchemas = MessageSchemas> {
  /** Sends a message in the protocol's envelope. Its timestamp is the clock's `epoch()`. */
  sends<K extends TypeOf<R>>(type: K, ...body: BodyArguments<R[K]>): void
  /** Sends a frame as it is, however malformed. */
  sendsRaw(frame: RawFrame): void
  /** Sends several messages in one frame. */
  sendsBatch(messages: readonly { readonly type: TypeOf<R>; readonly data?: unknown }[]): void
  /** Closes with a handshake, also after `neverCloses`. Default: code 1000 without a reason. */
  closes(closeCode?: number, reason?: string): void
  /** Breaks the connection off (1006). Frames on their way are lost. */
  drops(): void
  /** Makes the connection half-open: nothing arrives at either side, and neither learns it. */
  goesSilent(): void
  /** Ends the silence. Frames that were sent meanwhile arrive in order. */
  speaksAgain(): void
  /** Stops reading from the network: the client's `bufferedAmount` grows. */
  stopsReading(): void
  readsAgain(): void
  /** Leaves pings unanswered, and does everything else as before. */
  ignoresPings(): void
  /** Answers pings as the protocol's heartbeat says. This is the default. */
  answersPings(): void
  /** Leaves the client's closing handshake unanswered. */
  neverCloses(): void
  /** Answers the client's closing handshake. This is the default. */
  closesCleanly(): void
}

/** The state of a connection, as the client sees it. */
export type FakeSocketState = 'connecting' | 'open' | 'closing' | 'closed'

/** The peer's end of one attempt and of the connection that it became. */
export interface FakeSocket<R extends MessageSchemas = MessageSchemas>
  extends AttemptActions<R>,
    ConnectionActions<R> {
  /** Counted from 1. */
  readonly attempt: number
  /** The client's request: URL, headers, subprotocols. */
  readonly request: SocketRequest
  readonly state: FakeSocketState
  /** Whether the peer can send: it accepted the attempt, and neither side ended the connection. */
  readonly isOpen: boolean
  /** What the client sent, one entry per message. */
  readonly received: readonly ReceivedMessage[]
  /** The client's close frame; `undefined` before it arrives. */
  readonly clientClose: { readonly code: number; readonly reason: string } | undefined
  /** Whether the client terminated the connection without a closing handshake. */
  readonly wasTerminated: boolean
  /** What the client was told about the end; `undefined` before the end. */
  readonly failure: ConnectionFailure | undefined
}
