import type { RawFrame } from '../schemas/message.js'
import type { ConnectionFailure } from '../transport/failure.js'
import type { SocketHandlers } from '../transport/transport.js'
import type { FakeNetwork, NetworkPath } from './fake-network.js'

/** The state of a connection, as the client sees it. */
export type FakeSocketState = 'connecting' | 'open' | 'closing' | 'closed'

/** The state that both ends of one connection share, and the two paths between them. */
export class FakeConnection {
  readonly #network: FakeNetwork
  readonly #handlers: SocketHandlers
  readonly #maxMessageBytes: number
  readonly #toClient: NetworkPath
  readonly #toPeer: NetworkPath
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

  constructor(network: FakeNetwork, handlers: SocketHandlers, maxMessageBytes: number) {
    this.#network = network
    this.#handlers = handlers
    this.#maxMessageBytes = maxMessageBytes
    this.#toClient = network.createPath('toClient')
    this.#toPeer = network.createPath('toPeer')
  }

  /** Opens the connection on the peer's side now, and on the client's when the event arrives. */
  open(): void {
    this.peerState = 'open'
    this.#network.send(this.#toClient, () => {
      this.state = 'open'
      this.#handlers.opened()
    })
  }

  sendToClient(frame: RawFrame): void {
    this.#network.send(this.#toClient, () => {
      if (byteLength(frame) <= this.#maxMessageBytes) this.#handlers.received(frame)
      else this.finish(messageOverLimit(this.#maxMessageBytes))
    })
  }

  /** Sends a frame of the client: `arrive` runs when it reaches the peer. */
  sendToPeer(frame: RawFrame, arrive: () => void): void {
    if (this.#toPeer.isHeld) this.bufferedAmount += byteLength(frame)
    this.tellPeer(arrive)
  }

  /** Sends the peer an event that takes no bytes. */
  tellPeer(arrive: () => void): void {
    this.#network.send(this.#toPeer, arrive)
  }

  /** Ends the connection on the peer's side now. The client learns it after all earlier events. */
  end(outcome: ConnectionFailure): void {
    this.peerState = 'ended'
    this.#network.send(this.#toClient, () => this.finish(outcome))
  }

  /** Ends the connection and loses what is on its way. The client learns it in an event of its own. */
  breakOff(outcome: ConnectionFailure): void {
    this.peerState = 'ended'
    this.#loseEventsInTransit()
    this.#network.send(this.#toClient, () => this.finish(outcome))
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
    const isPeerHeld = this.#isSilent || !this.#isReading
    this.#network.setHeld(this.#toClient, this.#isSilent)
    if (!isPeerHeld) this.bufferedAmount = 0
    this.#network.setHeld(this.#toPeer, isPeerHeld)
  }

  #loseEventsInTransit(): void {
    this.#isSilent = false
    this.#isReading = true
    this.#network.clear(this.#toClient)
    this.#network.clear(this.#toPeer)
    this.#holdOrRelease()
  }
}

// The messages differ from those of the WebSocket transport on purpose: `message` is for people.
// A test on the fake shows code that reads it.

/** The connection broke off without a closing handshake. */
export function brokenOff(): ConnectionFailure {
  return { code: 'closed', closeCode: 1006, reason: '', message: 'The fake network broke off.' }
}

/** The peer was never reached. */
export function peerUnreachable(systemCode?: string): ConnectionFailure {
  const failure = { code: 'network', message: 'The fake peer cannot be reached.' } as const
  return systemCode === undefined ? failure : { ...failure, systemCode }
}

function messageOverLimit(limitBytes: number): ConnectionFailure {
  const message = `The fake peer sent more than ${limitBytes} bytes in one message.`
  return { code: 'message-too-large', limitBytes, message }
}

function byteLength(frame: RawFrame): number {
  return typeof frame === 'string' ? new TextEncoder().encode(frame).byteLength : frame.byteLength
}
