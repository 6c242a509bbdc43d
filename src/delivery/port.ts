import type { AnyActorLogic } from 'xstate'
import type { Clock } from '../base/clock.js'
import type { ReportError } from '../base/errors.js'
import type { DeliveryState } from '../machines/delivery/machine.js'
import type { OutboxCounts, OutboxStatus, WaitingMessage } from './outbox.js'
import type { ChannelCounts } from './channel.js'
import type { Receipt } from './receipt.js'
import type { SendOptions } from '../schemas/outbox-rule.js'
import type { ConnectRequest, Protocol } from '../schemas/protocol.js'
import type { Gate } from '../schemas/reader.js'
import type { ConnectionFailure } from '../transport/failure.js'
import type { Link } from '../transport/link.js'
import type { WriteLog } from '../base/log.js'

/**
 * Delivery as a client takes it: made by `createDelivery` of `statewire/delivery`, an entry of its
 * own, so that nobody downloads it who does not use it.
 */
export interface Delivery {
  /** Binds it to a client. @internal */
  attach(context: DeliveryContext): AttachedDelivery
}

/** What a client lends to its delivery. @internal */
export interface DeliveryContext {
  readonly protocol: Pick<Protocol, 'envelope' | 'send'> & { readonly outbox?: unknown }
  readonly clock: Clock
  readonly report: ReportError
  readonly log: WriteLog
  readonly link: () => Link
  /** The link takes no frame larger than this, in bytes. */
  readonly maxBufferedBytes: number
  /** A message or control frame came. */
  readonly noteSync: () => void
  /** Publishes what was taken in so far. */
  readonly flush: () => void
  /** Puts a state that the server wrote down in place of ours, and publishes it. */
  readonly restore: (state: unknown) => void
  /** From now on the peers that are there are announced. */
  readonly listing: () => void
  /** Those were all. */
  readonly listed: () => void
  /** What the outbox holds is something else. */
  readonly outboxChanged: () => void
}

/** An actor of the client's system. @internal */
export interface ChildActor {
  readonly id: string
  readonly logic: AnyActorLogic
  readonly input: unknown
}

/** A delivery at work. None of its functions throws. @internal */
export interface AttachedDelivery {
  readonly gate: Gate
  /** A function, so that no inspector is shown a whole machine as an input. */
  readonly children: () => readonly ChildActor[]
  /** Takes the actors that were made of the children, by id. */
  started(actors: ReadonlyMap<string, DeliveryActor>): void
  /** Says in a request that we understand delivery. */
  prepare(request: ConnectRequest): void
  /** Accepts a validated message. */
  send(type: string, payload: unknown, options: SendOptions | undefined): Receipt
  /**
   * What is sent from now on may be for another server or user. A live connection stays with the
   * outbox it has, unless it is about to be left. Gives whether what is being connected is to be
   * left, too: it was begun for another.
   */
  aim(isLeaving: boolean): boolean
  connectionOpened(): void
  connectionDropped(failure: ConnectionFailure | undefined): void
  /** The state is cleared. */
  forgetState(): void
  readonly outbox: OutboxView
  dispose(): void
}

/** What is used of an actor. @internal */
export interface DeliveryActor {
  send(event: { readonly type: string }): void
  getSnapshot(): unknown
}

/** Messages that wait to be sent, or to be acknowledged. */
export interface OutboxView {
  readonly status: OutboxState
  /** The messages that wait, in the order in which they are sent. */
  messages(): readonly WaitingMessage[]
  /** Takes a message back, as its receipt's `abort` does; gives whether it was there. */
  remove(id: string): boolean
  /** Takes all messages back. */
  clear(): void
  /** What was counted since the client was made. */
  counts(): DeliveryCounts
}

/** An outbox, and the way out of it. Immutable. */
export interface OutboxState extends OutboxStatus {
  /** Whether what is accepted survives a crash: it is given a storage, and that works. */
  readonly isDurable: boolean
  /** Where the connection stands with delivery; `none` for a client without it. */
  readonly delivery: DeliveryState | 'none'
}

/** Counts since the client was made. */
export interface DeliveryCounts extends OutboxCounts, Readonly<ChannelCounts> {}

const empty: OutboxState = {
  depth: 0,
  inFlight: 0,
  bytes: 0,
  oldestAt: undefined,
  isOwner: false,
  isDurable: false,
  delivery: 'none',
}

/** The outbox of a client with delivery, before anything has happened. */
export const offlineOutbox: OutboxState = { ...empty, delivery: 'offline' }

const noCounts: DeliveryCounts = {
  accepted: 0,
  delivered: 0,
  transmitted: 0,
  retransmitted: 0,
  resumed: 0,
  reset: 0,
  duplicates: 0,
  gaps: 0,
}

/** The outbox of a client without delivery. */
export const noOutbox: OutboxView = {
  status: empty,
  messages: () => [],
  remove: () => false,
  clear() {},
  counts: () => noCounts,
}
