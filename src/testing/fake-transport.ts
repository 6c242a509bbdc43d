import type { Clock } from '../base/clock.js'
import { SyncError } from '../base/errors.js'
import type { MessageSchemas } from '../schemas/schema.js'
import type { Transport } from '../transport/transport.js'
import { createDelivery, type DeliveryMode } from './delivery.js'
import type { FakeSocket } from './fake-actions.js'
import { urlUnusable } from './fake-failures.js'
import { createFakePeer, type FakePeer } from './fake-peer.js'
import { createFakeSocket } from './fake-socket.js'
import { createFakeWire, type WireProtocol } from './fake-wire.js'

/** One call of the client to connect. */
export interface FakeAttempt {
  /** Counted from 1. */
  readonly attempt: number
  /** When, by the clock's `now()`. */
  readonly at: number
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly protocols: readonly string[]
}

/** A transport whose far end is a script, with everything that happened on it. */
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
   * Delivers what is on its way to the client, and what that gives rise to, up to `most` events;
   * gives their number. What is held by silence stays. For `manual` delivery.
   */
  flush(most?: number): number
  /** Events on their way to the client, those held by silence left out. */
  readonly inFlight: number
}

/** Options of {@link createFakeTransport}. */
export interface FakeTransportOptions<R extends MessageSchemas, S extends MessageSchemas> {
  /** What latency is measured by, and when the peer's answers come: the client's own clock. */
  readonly clock: Clock
  /** Types what the peer sends and hears. Default: any message in the standard envelope. */
  readonly protocol?: WireProtocol<R, S>
  /** See {@link DeliveryMode}. Default `immediate`. */
  readonly delivery?: DeliveryMode
  /** How long an event takes one way, fixed or drawn anew for each, in milliseconds. Default 0. */
  readonly latencyMs?: number | (() => number)
}

/**
 * Makes a network with one server on it, to be given to a client as its transport.
 *
 * What you make the peer do reaches the client before the call returns, unless there is latency.
 * What the peer does by itself (to open, answer a ping, close) comes as a timer on the clock, due
 * at once: it takes `clock.advance(0)`, or any other. With `delivery: 'manual'` everything waits
 * for `flush()`.
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
  if (mode === 'manual' && latencyMs !== 0) {
    throw new SyncError('option-invalid', 'latencyMs has no meaning with manual delivery')
  }
  if (typeof latencyMs === 'number' && !(latencyMs >= 0 && latencyMs < Infinity)) {
    throw new SyncError('option-invalid', `latencyMs must be from 0 up, not ${latencyMs}`)
  }
  const delivery = createDelivery({
    clock,
    mode,
    latencyMs: typeof latencyMs === 'number' ? () => latencyMs : latencyMs,
  })
  const wire = createFakeWire(clock, protocol)
  const attempts: FakeAttempt[] = []
  const sockets: FakeSocket[] = []
  const control = createFakePeer(sockets, wire.isControl)

  const network: FakeTransport = {
    peer: control.peer,
    attempts,
    sockets,
    connect(request, handlers) {
      const attempt = attempts.length + 1
      const { url, headers, protocols } = request
      attempts.push({ attempt, at: clock.now(), url, headers, protocols })
      return delivery.duringCall(() => {
        const { client, peer, fail } = createFakeSocket({
          attempt,
          request,
          handlers,
          clock,
          wire,
          delivery,
          answersPings: control.answersPings,
          closesCleanly: control.closesCleanly,
          onReceived: control.hear,
        })
        sockets.push(peer)
        if (isUsable(url)) control.meet(peer)
        else fail(urlUnusable())
        return client
      })
    },
    flush: delivery.flush,
    get inFlight() {
      return delivery.inFlight
    },
  }
  // Which types there are is known to the compiler alone.
  return network as unknown as FakeTransport<R, S>
}

function isUsable(url: string): boolean {
  return URL.canParse(url) && /^wss?:$/.test(new URL(url).protocol)
}
