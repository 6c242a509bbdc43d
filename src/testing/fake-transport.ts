import type { Clock } from '../base/clock.js'
import { assertOption } from '../base/errors.js'
import type { RawFrame } from '../schemas/message.js'
import type { MessageSchemas } from '../schemas/schema.js'
import type { Socket, SocketHandlers, SocketRequest, Transport } from '../transport/transport.js'
import { brokenOff, FakeConnection, peerUnreachable } from './fake-connection.js'
import { type DeliveryMode, FakeNetwork } from './fake-network.js'
import { type FakePeer, ScriptedPeer } from './fake-peer.js'
import { type FakeSocket, PeerSocket } from './fake-socket.js'
import { FakeWire, type WireProtocol } from './fake-wire.js'

/** One call of the client to connect. */
export interface FakeAttempt {
  /** Counted from 1. */
  readonly attempt: number
  /** The clock's `now()` at the call. */
  readonly at: number
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly protocols: readonly string[]
}

/** A transport whose server is a script, with a record of what happened on it. */
export interface FakeTransport<
  R extends MessageSchemas = MessageSchemas,
  S extends MessageSchemas = MessageSchemas,
> extends Transport {
  readonly peer: FakePeer<R, S>
  /** Every attempt so far. */
  readonly attempts: readonly FakeAttempt[]
  /** The socket of every attempt so far, closed ones included. */
  readonly sockets: readonly FakeSocket<R>[]
  /**
   * Delivers the events on their way to the client, and the events that these cause, up to `most`
   * in number. Returns how many it delivered. Events that a silent connection holds stay where they
   * are. For `manual` delivery.
   */
  flush(most?: number): number
  /** How many events are on their way to the client, without those that a silent connection holds. */
  readonly inFlight: number
}

/** Options of {@link createFakeTransport}. */
export interface FakeTransportOptions<R extends MessageSchemas, S extends MessageSchemas> {
  /** Times the latency and the peer's answers. Use the client's own clock. */
  readonly clock: Clock
  /** Types what the peer sends and receives. Default: any message in the standard envelope. */
  readonly protocol?: WireProtocol<R, S>
  /** See {@link DeliveryMode}. Default `immediate`. */
  readonly delivery?: DeliveryMode
  /** How long an event takes one way, in ms: a number, or a function called for each event. Default 0. */
  readonly latencyMs?: number | (() => number)
}

/**
 * Makes a network with one server on it. Give it to a client as its `transport`.
 *
 * - What a test makes the peer do reaches the client before the call returns, unless there is
 *   latency.
 * - What the peer does by itself (to open, to answer a ping, to close) is a timer on the clock
 *   that is due at once: `clock.advance(0)` runs it, and so does any longer advance.
 * - With `delivery: 'manual'` every event to the client waits for `flush()`.
 *
 * @example
 * const clock = createManualClock()
 * const network = createFakeTransport({ clock, protocol: kull })
 * network.peer.onAttempt(2).refuses(4001, 'No token provided')
 */
export function createFakeTransport<
  R extends MessageSchemas = MessageSchemas,
  S extends MessageSchemas = MessageSchemas,
>(options: FakeTransportOptions<R, S>): FakeTransport<R, S> {
  const { clock, protocol, delivery: mode = 'immediate', latencyMs = 0 } = options
  const isMeant = mode !== 'manual' || latencyMs === 0
  assertOption(isMeant, 'latencyMs has no meaning with manual delivery')
  const latency = typeof latencyMs === 'number' ? () => latencyMs : latencyMs
  const isUsable = typeof latencyMs !== 'number' || (latencyMs >= 0 && latencyMs < Infinity)
  assertOption(isUsable, `latencyMs must be from 0 up, not ${latencyMs.toString()}`)
  const network = new FakeNetwork(clock, latency, mode)
  const transport: FakeTransport = new ScriptedTransport(clock, network, protocol)
  // Only the compiler knows the protocol's types.
  return transport as unknown as FakeTransport<R, S>
}

class ScriptedTransport implements FakeTransport {
  readonly peer: ScriptedPeer
  readonly attempts: FakeAttempt[] = []
  readonly sockets: FakeSocket[] = []
  readonly #clock: Clock
  readonly #network: FakeNetwork
  readonly #wire: FakeWire

  constructor(clock: Clock, network: FakeNetwork, protocol: WireProtocol | undefined) {
    this.#clock = clock
    this.#network = network
    this.#wire = new FakeWire(clock, protocol)
    this.peer = new ScriptedPeer(this.sockets, (type) => this.#wire.isControl(type))
  }

  connect(request: SocketRequest, handlers: SocketHandlers): Socket {
    const attempt = this.attempts.length + 1
    const { url, headers, protocols, maxMessageBytes } = request
    this.attempts.push({ attempt, at: this.#clock.now(), url, headers, protocols })
    const connection = new FakeConnection(this.#network, handlers, maxMessageBytes)
    const socket = new PeerSocket(attempt, request, connection, this.#wire, (message, from) =>
      this.peer.hear(message, from),
    )
    this.sockets.push(socket)
    this.#network.duringCall(() => {
      if (isUsable(url)) this.peer.meet(socket)
      else
        connection.end({ code: 'url-unusable', message: 'The fake network knows no such address.' })
    })
    return new ClientSocket(this.#network, connection, socket)
  }

  flush(most?: number): number {
    return this.#network.flush(most)
  }

  get inFlight(): number {
    return this.#network.inFlight
  }
}

/** The client's end of a connection. */
class ClientSocket implements Socket {
  readonly #network: FakeNetwork
  readonly #connection: FakeConnection
  readonly #peer: PeerSocket

  constructor(network: FakeNetwork, connection: FakeConnection, peer: PeerSocket) {
    this.#network = network
    this.#connection = connection
    this.#peer = peer
  }

  get bufferedAmount(): number {
    return this.#connection.bufferedAmount
  }

  send(frame: RawFrame): boolean {
    if (this.#connection.state !== 'open') return false
    this.#network.duringCall(() =>
      this.#connection.sendToPeer(frame, () => this.#peer.receive(frame)),
    )
    return true
  }

  close(code: number, reason: string): void {
    const connection = this.#connection
    const { state } = connection
    if (state !== 'connecting' && state !== 'open') return
    connection.state = 'closing'
    this.#network.duringCall(() => {
      if (state === 'connecting') connection.breakOff(peerUnreachable())
      else connection.tellPeer(() => this.#peer.receiveClose(code, reason))
    })
  }

  terminate(): void {
    if (this.#connection.state === 'closed') return
    this.#peer.wasTerminated = true
    this.#network.duringCall(() => this.#connection.finish(brokenOff()))
  }
}

function isUsable(url: string): boolean {
  return URL.canParse(url) && /^wss?:$/.test(new URL(url).protocol)
}
