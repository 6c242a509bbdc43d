import type { MessageMeta } from '../schemas/envelope.js'
import type { RawFrame } from '../schemas/message.js'
import type { MessageSchemas, TypeOf } from '../schemas/schema.js'
import type { ConnectionFailure } from '../transport/failure.js'
import type { SocketRequest } from '../transport/transport.js'
import {
  brokenOff,
  type FakeConnection,
  type FakeSocketState,
  peerUnreachable,
} from './fake-connection.js'
import type { BodyArguments, FakeWire, ReceivedMessage } from './fake-wire.js'
import { testingMisuse } from './misuse.js'

/** An HTTP response in place of a connection. */
export interface UpgradeAnswer {
  readonly status: number
  /** The value of the `Retry-After` header, in ms. Default: no header. */
  readonly retryAfterMs?: number
}

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

/** The peer's end of a connection. */
export class PeerSocket implements FakeSocket {
  readonly attempt: number
  readonly request: SocketRequest
  readonly received: ReceivedMessage[] = []
  clientClose: FakeSocket['clientClose']
  wasTerminated = false
  readonly #connection: FakeConnection
  readonly #wire: FakeWire
  readonly #onReceived: (message: ReceivedMessage, socket: FakeSocket) => void
  #answersPings = true
  #closesCleanly = true

  /** `onReceived` hears each message that arrives at the peer. */
  constructor(
    attempt: number,
    request: SocketRequest,
    connection: FakeConnection,
    wire: FakeWire,
    onReceived: (message: ReceivedMessage, socket: FakeSocket) => void,
  ) {
    this.attempt = attempt
    this.request = request
    this.#connection = connection
    this.#wire = wire
    this.#onReceived = onReceived
  }

  get state(): FakeSocketState {
    return this.#connection.state
  }

  get isOpen(): boolean {
    return this.#connection.peerState === 'open'
  }

  get failure(): ConnectionFailure | undefined {
    return this.#connection.failure
  }

  accepts(then?: (socket: FakeSocket) => void): void {
    this.#assertUndecided()
    this.#connection.open()
    then?.(this)
  }

  refuses(closeCode: number, reason?: string): void {
    this.accepts(() => this.closes(closeCode, reason))
  }

  rejects(answer: UpgradeAnswer): void {
    this.#assertUndecided()
    this.#connection.end(upgradeAnswered(answer))
  }

  isUnreachable(systemCode = 'ECONNREFUSED'): void {
    this.#assertUndecided()
    this.#connection.end(peerUnreachable(systemCode))
  }

  staysSilent(): void {
    this.#assertUndecided()
  }

  sends(type: string, data?: unknown, meta?: Partial<MessageMeta>): void {
    this.sendsRaw(this.#wire.encode(type, data, meta))
  }

  sendsRaw(frame: RawFrame): void {
    this.#assertOpen()
    this.#connection.sendToClient(frame)
  }

  sendsBatch(messages: readonly { readonly type: string; readonly data?: unknown }[]): void {
    this.sendsRaw(this.#wire.encodeBatch(messages))
  }

  closes(closeCode = 1000, reason = ''): void {
    this.#assertOpen()
    this.#connection.end(peerClosed(closeCode, reason))
  }

  drops(): void {
    this.#assertOpen()
    const isConnecting = this.#connection.state === 'connecting'
    this.#connection.breakOff(isConnecting ? peerUnreachable('ECONNRESET') : brokenOff())
  }

  goesSilent(): void {
    this.#assertOpen()
    this.#connection.setSilent(true)
  }

  speaksAgain(): void {
    this.#connection.setSilent(false)
  }

  stopsReading(): void {
    this.#assertOpen()
    this.#connection.setReading(false)
  }

  readsAgain(): void {
    this.#connection.setReading(true)
  }

  ignoresPings(): void {
    this.#answersPings = false
  }

  answersPings(): void {
    this.#answersPings = true
  }

  neverCloses(): void {
    this.#closesCleanly = false
  }

  closesCleanly(): void {
    this.#closesCleanly = true
  }

  /** Records the messages of a frame that arrived from the client, and answers pings. */
  receive(raw: RawFrame): void {
    for (const message of this.#wire.decode(raw, this.attempt)) {
      this.received.push(message)
      const answer = this.#answersPings ? this.#wire.answerTo(message.type) : undefined
      if (answer !== undefined && this.isOpen) this.sendsRaw(answer)
      this.#onReceived(message, this)
    }
  }

  receiveClose(code: number, reason: string): void {
    this.clientClose = { code, reason }
    if (this.#closesCleanly && this.isOpen) this.#connection.end(peerClosed(code, reason))
  }

  #assertUndecided(): void {
    if (this.#connection.peerState === 'undecided' && this.state === 'connecting') return
    throw testingMisuse(`attempt ${this.attempt} was answered before, or given up by the client`)
  }

  #assertOpen(): void {
    if (this.isOpen) return
    throw testingMisuse(`the connection of attempt ${this.attempt} is not open on the peer's side`)
  }
}

function peerClosed(closeCode: number, reason: string): ConnectionFailure {
  return { code: 'closed', closeCode, reason, message: `The fake peer closed with ${closeCode}.` }
}

function upgradeAnswered({ status, retryAfterMs }: UpgradeAnswer): ConnectionFailure {
  const message = `The fake peer answered the upgrade with HTTP ${status}.`
  const failure = { code: 'upgrade-refused', status, message } as const
  return retryAfterMs === undefined ? failure : { ...failure, retryAfterMs }
}
