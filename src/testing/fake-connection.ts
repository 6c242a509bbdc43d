import type { RawFrame } from '../schemas/message.js'
import type { ConnectionFailure } from '../transport/failure.js'
import type { Socket, SocketHandlers } from '../transport/transport.js'
import type { FakeSocketState } from './fake-actions.js'
import { brokenOff, messageOverLimit, peerUnreachable } from './fake-failures.js'
import type { FakeNetwork, NetworkPath } from './fake-network.js'

/** What {@link FakeConnection} needs. */
export interface FakeConnectionOptions {
  readonly network: FakeNetwork
  readonly handlers: SocketHandlers
  readonly maxMessageBytes: number
}

/** The state that both ends of one connection share, and the two paths between them. */
export class FakeConnection {
  readonly network: FakeNetwork
  readonly toClient: NetworkPath
  readonly toPeer: NetworkPath
  readonly #handlers: SocketHandlers
  readonly #maxMessageBytes: number
  /** The state as the client sees it. */
  state: FakeSocketState = 'connecting'
  /** What the peer decided about the attempt. The client learns it later. */
  peerState: 'undecided' | 'open' | 'ended' = 'undecided'
  /** What the client was told about the end; `undefined` before it. */
  failure: ConnectionFailure | undefined
  /** Bytes that the client sent and that the peer has not taken from the network. */
  bufferedAmount = 0
  #isSilent = false
  #isReading = true

  constructor({ network, handlers, maxMessageBytes }: FakeConnectionOptions) {
    this.network = network
    this.toClient = network.createPath('toClient')
    this.toPeer = network.createPath('toPeer')
    this.#handlers = handlers
    this.#maxMessageBytes = maxMessageBytes
  }

  /** Opens the connection on the peer's side now, and on the client's when the event arrives. */
  open(): void {
    this.peerState = 'open'
    this.toClient.push(() => {
      this.state = 'open'
      this.#handlers.opened()
    })
  }

  sendToClient(frame: RawFrame): void {
    this.toClient.push(() => {
      if (byteLength(frame) <= this.#maxMessageBytes) this.#handlers.received(frame)
      else this.finish(messageOverLimit(this.#maxMessageBytes))
    })
  }

  sendToPeer(frame: RawFrame, arrive: () => void): void {
    if (this.toPeer.isHeld) this.bufferedAmount += byteLength(frame)
    this.network.duringCall(() => this.toPeer.push(arrive))
  }

  /** Ends the connection on the peer's side now. The client learns it after all earlier events. */
  end(outcome: ConnectionFailure): void {
    this.peerState = 'ended'
    this.toClient.push(() => this.finish(outcome))
  }

  /** Ends the connection and loses what is on its way. The client learns it in an event of its own. */
  breakOff(outcome: ConnectionFailure): void {
    this.peerState = 'ended'
    this.#loseEventsInTransit()
    this.toClient.push(() => this.finish(outcome))
  }

  /** Ends the connection on both sides now. */
  finish(outcome: ConnectionFailure): void {
    this.state = 'closed'
    this.peerState = 'ended'
    this.failure = outcome
    this.#loseEventsInTransit()
    this.#handlers.closed(outcome)
  }

  /** A silent network holds what is sent in both directions. */
  setSilent(isSilent: boolean): void {
    this.#isSilent = isSilent
    this.#holdOrRelease()
  }

  /** A peer that does not read leaves what the client sends on the network. */
  setReading(isReading: boolean): void {
    this.#isReading = isReading
    this.#holdOrRelease()
  }

  #holdOrRelease(): void {
    if (this.#isSilent) this.toClient.hold()
    else this.toClient.release()
    if (this.#isSilent || !this.#isReading) {
      this.toPeer.hold()
    } else {
      this.bufferedAmount = 0
      this.toPeer.release()
    }
  }

  #loseEventsInTransit(): void {
    this.#isSilent = false
    this.#isReading = true
    this.toClient.clear()
    this.toPeer.clear()
    this.#holdOrRelease()
  }
}

/** What the client's end tells the peer's end, when it arrives there. */
export interface PeerEnd {
  receive(frame: RawFrame): void
  receiveClose(code: number, reason: string): void
  noteTerminated(): void
}

/** The client's end of a connection. */
export class ClientSocket implements Socket {
  readonly #connection: FakeConnection
  readonly #peer: PeerEnd

  constructor(connection: FakeConnection, peer: PeerEnd) {
    this.#connection = connection
    this.#peer = peer
  }

  get bufferedAmount(): number {
    return this.#connection.bufferedAmount
  }

  send(frame: RawFrame): boolean {
    if (this.#connection.state !== 'open') return false
    this.#connection.sendToPeer(frame, () => this.#peer.receive(frame))
    return true
  }

  close(code: number, reason: string): void {
    const connection = this.#connection
    const { state } = connection
    if (state !== 'connecting' && state !== 'open') return
    connection.state = 'closing'
    connection.network.duringCall(() => {
      if (state === 'connecting') connection.breakOff(peerUnreachable())
      else connection.toPeer.push(() => this.#peer.receiveClose(code, reason))
    })
  }

  terminate(): void {
    if (this.#connection.state === 'closed') return
    this.#peer.noteTerminated()
    this.#connection.network.duringCall(() => this.#connection.finish(brokenOff()))
  }
}

function byteLength(frame: RawFrame): number {
  return typeof frame === 'string' ? new TextEncoder().encode(frame).byteLength : frame.byteLength
}
