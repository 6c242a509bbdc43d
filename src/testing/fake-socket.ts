import type { Clock } from '../clock.js'
import { SyncError } from '../errors.js'
import type { MessageMeta } from '../schemas/envelope.js'
import type { RawFrame } from '../schemas/message.js'
import type { MessageSchemas, TypeOf } from '../schemas/schema.js'
import type { ConnectionFailure } from '../transport/failure.js'
import type { Socket, SocketHandlers, SocketRequest } from '../transport/transport.js'
import type { Delivery } from './delivery.js'
import {
  closed,
  droppedOut,
  tooLarge,
  type UpgradeAnswer,
  unreachable,
  upgradeRefused,
} from './fake-failures.js'
import type { BodyArguments, FakeWire, ReceivedMessage } from './fake-wire.js'

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

/** What {@link createFakeSocket} needs. */
export interface FakeSocketOptions {
  readonly attempt: number
  readonly request: SocketRequest
  readonly handlers: SocketHandlers
  readonly clock: Clock
  readonly wire: FakeWire
  readonly delivery: Delivery
  readonly answersPings: boolean
  readonly closesCleanly: boolean
  /** Hears each message that arrives at the peer. */
  readonly onReceived: (message: ReceivedMessage, socket: FakeSocket) => void
}

/** Makes both ends of one connection: what the client holds, and what the peer acts on. */
export function createFakeSocket(options: FakeSocketOptions): { client: Socket; peer: FakeSocket } {
  const { attempt, request, handlers, clock, wire, delivery } = options
  const toClient = delivery.lane('toClient')
  const toPeer = delivery.lane('toPeer')
  const received: ReceivedMessage[] = []
  let state: FakeSocketState = 'connecting'
  // What the peer made of the attempt; the client hears of it later.
  let peerState: 'undecided' | 'open' | 'ended' = 'undecided'
  let answersPings = options.answersPings
  let closesCleanly = options.closesCleanly
  let clientClose: FakeSocket['clientClose']
  let wasTerminated = false
  let failure: ConnectionFailure | undefined
  let bufferedAmount = 0

  function finish(outcome: ConnectionFailure): void {
    state = 'closed'
    peerState = 'ended'
    failure = outcome
    for (const lane of [toClient, toPeer]) {
      lane.clear()
      lane.release()
    }
    handlers.closed(outcome)
  }

  /** Ends the connection by an event of its own, ahead of anything still on its way. */
  function breakOff(outcome: ConnectionFailure): void {
    peerState = 'ended'
    for (const lane of [toClient, toPeer]) {
      lane.clear()
      lane.release()
    }
    toClient.push(() => finish(outcome))
  }

  function decide(outcome: () => void): void {
    if (peerState !== 'undecided' || state !== 'connecting') {
      throw misuse(`attempt ${attempt} was answered before, or given up by the client`)
    }
    outcome()
  }

  function assertOpen(): void {
    if (peerState === 'open') return
    throw misuse(`the connection of attempt ${attempt} is not open on the peer's side`)
  }

  function sendsRaw(frame: RawFrame): void {
    assertOpen()
    toClient.push(() => {
      if (byteLength(frame) > request.maxMessageBytes) finish(tooLarge(request.maxMessageBytes))
      else handlers.received(frame)
    })
  }

  function endWith(outcome: ConnectionFailure): void {
    peerState = 'ended'
    toClient.push(() => finish(outcome))
  }

  function arrive(raw: RawFrame): void {
    for (const opened of wire.open(raw)) {
      const message = { ...opened, attempt, at: clock.now(), raw }
      received.push(message)
      const answer = answersPings ? wire.answerTo(message.type) : undefined
      if (answer !== undefined && peerState === 'open') sendsRaw(answer)
      options.onReceived(message, peer)
    }
  }

  const peer: FakeSocket = {
    attempt,
    request,
    received,
    get state() {
      return state
    },
    get isOpen() {
      return peerState === 'open'
    },
    get clientClose() {
      return clientClose
    },
    get wasTerminated() {
      return wasTerminated
    },
    get failure() {
      return failure
    },

    accepts(then) {
      decide(() => {
        peerState = 'open'
        toClient.push(() => {
          state = 'open'
          handlers.opened()
        })
        then?.(peer)
      })
    },
    refuses(closeCode, reason) {
      peer.accepts(() => peer.closes(closeCode, reason))
    },
    rejects(answer) {
      decide(() => endWith(upgradeRefused(answer)))
    },
    isUnreachable(systemCode = 'ECONNREFUSED') {
      decide(() => endWith(unreachable(systemCode)))
    },
    staysSilent() {
      decide(() => {})
    },

    sends(type: string, data?: unknown, meta?: Partial<MessageMeta>) {
      sendsRaw(wire.seal(type, data, meta))
    },
    sendsRaw,
    sendsBatch(messages) {
      sendsRaw(wire.sealBatch(messages))
    },
    closes(closeCode = 1000, reason = '') {
      assertOpen()
      endWith(closed(closeCode, reason))
    },
    drops() {
      assertOpen()
      breakOff(droppedOut())
    },
    goesSilent() {
      assertOpen()
      toClient.hold()
      toPeer.hold()
    },
    speaksAgain() {
      toClient.release()
      peer.readsAgain()
    },
    stopsReading() {
      assertOpen()
      toPeer.hold()
    },
    readsAgain() {
      bufferedAmount = 0
      toPeer.release()
    },
    ignoresPings() {
      answersPings = false
    },
    answersPings() {
      answersPings = true
    },
    neverCloses() {
      closesCleanly = false
    },
    closesCleanly() {
      closesCleanly = true
    },
  }

  const client: Socket = {
    get bufferedAmount() {
      return bufferedAmount
    },
    send(frame) {
      if (state !== 'open') return
      if (toPeer.isHeld) bufferedAmount += byteLength(frame)
      delivery.duringCall(() => toPeer.push(() => arrive(frame)))
    },
    close(code, reason) {
      delivery.duringCall(() => {
        if (state === 'connecting') {
          state = 'closing'
          breakOff(unreachable())
        } else if (state === 'open') {
          state = 'closing'
          toPeer.push(() => {
            clientClose = { code, reason }
            if (closesCleanly && peerState === 'open') endWith(closed(code, reason))
          })
        }
      })
    },
    terminate() {
      if (state === 'closed') return
      wasTerminated = true
      delivery.duringCall(() => finish(droppedOut()))
    },
  }

  return { client, peer }
}

function byteLength(frame: RawFrame): number {
  return typeof frame === 'string' ? new TextEncoder().encode(frame).byteLength : frame.byteLength
}

function misuse(message: string): SyncError {
  return new SyncError('testing-misuse', message)
}
