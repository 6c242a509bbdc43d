import type { Clock } from '../base/clock.js'
import type { MessageMeta } from '../schemas/envelope.js'
import type { RawFrame } from '../schemas/message.js'
import type { ConnectionFailure } from '../transport/failure.js'
import type { SocketRequest } from '../transport/transport.js'
import type { FakeSocket, FakeSocketState } from './fake-actions.js'
import type { FakeConnection, PeerEnd } from './fake-connection.js'
import {
  brokenOff,
  peerClosed,
  peerUnreachable,
  type UpgradeAnswer,
  upgradeAnswered,
} from './fake-failures.js'
import type { FakeWire, ReceivedMessage } from './fake-wire.js'
import { testingMisuse } from './misuse.js'

/** What {@link PeerSocket} needs. */
export interface PeerSocketOptions {
  /** Counted from 1. */
  readonly attempt: number
  readonly request: SocketRequest
  readonly connection: FakeConnection
  readonly clock: Clock
  readonly wire: FakeWire
  /** Hears each message that arrives at the peer. */
  readonly onReceived: (message: ReceivedMessage, socket: FakeSocket) => void
}

/** The peer's end of a connection. */
export class PeerSocket implements FakeSocket, PeerEnd {
  readonly attempt: number
  readonly request: SocketRequest
  readonly received: ReceivedMessage[] = []
  readonly #connection: FakeConnection
  readonly #clock: Clock
  readonly #wire: FakeWire
  readonly #onReceived: PeerSocketOptions['onReceived']
  #clientClose: FakeSocket['clientClose']
  #wasTerminated = false
  #answersPings = true
  #closesCleanly = true

  constructor({ attempt, request, connection, clock, wire, onReceived }: PeerSocketOptions) {
    this.attempt = attempt
    this.request = request
    this.#connection = connection
    this.#clock = clock
    this.#wire = wire
    this.#onReceived = onReceived
  }

  get state(): FakeSocketState {
    return this.#connection.state
  }

  get isOpen(): boolean {
    return this.#connection.peerState === 'open'
  }

  get clientClose(): FakeSocket['clientClose'] {
    return this.#clientClose
  }

  get wasTerminated(): boolean {
    return this.#wasTerminated
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

  /** Takes a frame that arrived from the client: answers pings, and reports each message. */
  receive(raw: RawFrame): void {
    for (const decoded of this.#wire.decode(raw)) {
      const message = { ...decoded, attempt: this.attempt, at: this.#clock.now(), raw }
      this.received.push(message)
      const answer = this.#answersPings ? this.#wire.answerTo(message.type) : undefined
      if (answer !== undefined && this.isOpen) this.sendsRaw(answer)
      this.#onReceived(message, this)
    }
  }

  /** Takes the client's close frame. */
  receiveClose(code: number, reason: string): void {
    this.#clientClose = { code, reason }
    if (this.#closesCleanly && this.isOpen) this.#connection.end(peerClosed(code, reason))
  }

  noteTerminated(): void {
    this.#wasTerminated = true
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
