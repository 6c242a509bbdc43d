import type { RawFrame } from '../schemas/message.js'
import type { MessageSchemas, TypeOf } from '../schemas/schema.js'
import type { ConnectionFailure } from '../transport/failure.js'
import type { SocketRequest } from '../transport/transport.js'
import type { UpgradeAnswer } from './fake-failures.js'
import type { BodyArguments, ReceivedMessage } from './fake-wire.js'

/** What a server can do with an attempt to connect. */
export interface AttemptActions<R extends MessageSchemas = MessageSchemas> {
  /** Opens the connection; `then` says what the server does right after. */
  accepts(then?: (socket: FakeSocket<R>) => void): void
  /** Opens the connection and closes it at once with this code, as servers do with bad tokens. */
  refuses(closeCode: number, reason?: string): void
  /** Answers the upgrade with an HTTP status instead. */
  rejects(answer: UpgradeAnswer): void
  /** Is not there: the attempt fails at once. `systemCode`: default `ECONNREFUSED`. */
  isUnreachable(systemCode?: string): void
  /** Lets the attempt hang: neither opened nor refused. */
  staysSilent(): void
}

/** What a server, or the network, can do with an open connection. */
export interface ConnectionActions<R extends MessageSchemas = MessageSchemas> {
  /** Sends a message in the protocol's envelope, stamped with the clock's `epoch()`. */
  sends<K extends TypeOf<R>>(type: K, ...body: BodyArguments<R[K]>): void
  /** Sends a frame as it is, however malformed. */
  sendsRaw(frame: RawFrame): void
  /** Sends several messages in one frame. */
  sendsBatch(messages: readonly { readonly type: TypeOf<R>; readonly data?: unknown }[]): void
  /** Closes with a handshake, whatever it was told about closing. Default: 1000 without a reason. */
  closes(closeCode?: number, reason?: string): void
  /** Breaks the connection off (1006); what was on its way is lost. */
  drops(): void
  /** Goes half-open: nothing arrives at either side, and neither is told. */
  goesSilent(): void
  /** Ends the silence; what was sent meanwhile arrives, in order. */
  speaksAgain(): void
  /** Takes nothing more off the wire, so that the client's `bufferedAmount` grows. */
  stopsReading(): void
  readsAgain(): void
  /** Leaves pings unanswered; everything else goes on. */
  ignoresPings(): void
  /** Answers pings as the protocol's heartbeat says: the default. */
  answersPings(): void
  /** Leaves the client's closing handshake unanswered. */
  neverCloses(): void
  /** Answers the client's closing handshake: the default. */
  closesCleanly(): void
}

/** Where a fake socket stands, as the client sees it. */
export type FakeSocketState = 'connecting' | 'open' | 'closing' | 'closed'

/** One attempt and what came of it, from the peer's side. */
export interface FakeSocket<R extends MessageSchemas = MessageSchemas>
  extends AttemptActions<R>,
    ConnectionActions<R> {
  /** Counted from 1. */
  readonly attempt: number
  /** What the client asked for: URL, headers, subprotocols. */
  readonly request: SocketRequest
  readonly state: FakeSocketState
  /** Whether the peer can send on it: accepted, and not ended by either side. */
  readonly isOpen: boolean
  /** What the client sent, one entry a message. */
  readonly received: readonly ReceivedMessage[]
  /** The client's close frame, once it arrived. */
  readonly clientClose: { readonly code: number; readonly reason: string } | undefined
  /** Whether the client let go of it without a handshake. */
  readonly wasTerminated: boolean
  /** What the client was told about the end; `undefined` until then. */
  readonly failure: ConnectionFailure | undefined
}
