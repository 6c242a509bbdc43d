import type { Clock } from '../base/clock.js'
import { SyncError } from '../base/errors.js'
import type { MessageMeta } from '../schemas/envelope.js'
import type { RawFrame } from '../schemas/message.js'
import type { ConnectionFailure } from '../transport/failure.js'
import type { Socket, SocketHandlers, SocketRequest } from '../transport/transport.js'
import type { Delivery } from './delivery.js'
import type { FakeSocket, FakeSocketState } from './fake-actions.js'
import { closed, droppedOut, tooLarge, unreachable, upgradeRefused } from './fake-failures.js'
import type { FakeWire, ReceivedMessage } from './fake-wire.js'

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

/** Both ends of one connection. */
export interface FakeConnection {
  /** What the client holds. */
  readonly client: Socket
  /** What the peer acts on. */
  readonly peer: FakeSocket
  /** Ends it before the peer has seen it. */
  readonly fail: (failure: ConnectionFailure) => void
}

/** Makes one connection. */
export function createFakeSocket(options: FakeSocketOptions): FakeConnection {
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
  let isSilent = false
  let isReading = true

  function holdOrRelease(): void {
    if (isSilent) toClient.hold()
    else toClient.release()
    if (isSilent || !isReading) {
      toPeer.hold()
    } else {
      bufferedAmount = 0
      toPeer.release()
    }
  }

  function loseWhatIsUnderWay(): void {
    isSilent = false
    isReading = true
    toClient.clear()
    toPeer.clear()
    holdOrRelease()
  }

  function finish(outcome: ConnectionFailure): void {
    state = 'closed'
    peerState = 'ended'
    failure = outcome
    loseWhatIsUnderWay()
    handlers.closed(outcome)
  }

  /** Ends the connection by an event of its own, ahead of anything still on its way. */
  function breakOff(outcome: ConnectionFailure): void {
    peerState = 'ended'
    loseWhatIsUnderWay()
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
      breakOff(state === 'connecting' ? unreachable('ECONNRESET') : droppedOut())
    },
    goesSilent() {
      assertOpen()
      isSilent = true
      holdOrRelease()
    },
    speaksAgain() {
      isSilent = false
      holdOrRelease()
    },
    stopsReading() {
      assertOpen()
      isReading = false
      holdOrRelease()
    },
    readsAgain() {
      isReading = true
      holdOrRelease()
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
      if (state !== 'open') return false
      if (toPeer.isHeld) bufferedAmount += byteLength(frame)
      delivery.duringCall(() => toPeer.push(() => arrive(frame)))
      return true
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

  return { client, peer, fail: endWith }
}

function byteLength(frame: RawFrame): number {
  return typeof frame === 'string' ? new TextEncoder().encode(frame).byteLength : frame.byteLength
}

function misuse(message: string): SyncError {
  return new SyncError('testing-misuse', message)
}
