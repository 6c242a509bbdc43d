import { type AnyActorLogic, fromCallback } from 'xstate'
import type { Clock } from '../base/clock.js'
import type { ReportError } from '../base/errors.js'
import type { WriteLog } from '../base/log.js'
import type { ResetReason } from '../schemas/control.js'
import type { SendOptions } from '../schemas/outbox-rule.js'
import type { ConnectRequest, Protocol } from '../schemas/protocol.js'
import type { Gate } from '../schemas/reader.js'
import type { ConnectionFailure } from '../transport/failure.js'
import type { Link } from '../transport/link.js'
import { emptyOutbox, type OutboxView } from './outbox-view.js'
import { createSettledReceipt, type Receipt, type SendOutcome } from './receipt.js'

/**
 * Why messages of the server may be missing. `plain`: the connection was away, and the server has
 * no delivery. Else the server could not continue from the last message that was applied: it is of
 * another `epoch`, those after it were `trimmed`, or it is `ahead` of the server's log.
 */
export type ResyncReason = 'plain' | Exclude<ResetReason, 'new'>

/** Tells that messages of the server may be missing. */
export interface Resync {
  readonly reason: ResyncReason
}

/**
 * Delivery as a client takes it. `createDelivery` of `statewire/delivery` makes one; that is an
 * entry of its own, so that a page without delivery does not download it.
 */
export interface Delivery {
  /** Binds it to a client. @internal */
  attach(host: DeliveryHost): AttachedDelivery
}

/** What a client gives to its delivery. None of the functions throws. @internal */
export interface DeliveryHost {
  readonly protocol: Pick<Protocol, 'envelope' | 'send'> & {
    readonly outbox?: unknown
    readonly coordinator?: { readonly checkpoint?: unknown } | undefined
  }
  readonly clock: Clock
  readonly report: ReportError
  readonly log: WriteLog
  /** The link. A function, since the client makes it after its delivery. */
  readonly link: () => Link
  /** The link refuses a larger frame, in bytes. */
  readonly maxBufferedBytes: number
  /** Sends a validated message over the open connection, or not at all. */
  sendNow(type: string, payload: unknown): SendOutcome
  /** A message or a control frame arrived. */
  noteSync(): void
  /** Publishes the messages applied so far. */
  flush(): void
  /** Replaces the state by the server's, and publishes it. */
  restore(state: unknown): void
  /** The server announces the peers that are present from now on, or has announced all of them. */
  tellRoster(fact: 'roster.begun' | 'roster.complete'): void
  /** Messages of the server may be missing. */
  resync(reason: ResyncReason): void
  /** The status of the outbox has changed. */
  outboxChanged(): void
}

/** The delivery of one client. None of the functions throws. @internal */
export interface AttachedDelivery {
  /** Stands before the reader. Without one, control frames are messages of unknown types. */
  readonly gate: Gate | undefined
  /** The actor that the client runs in its actor system. */
  readonly actor: { readonly logic: AnyActorLogic; readonly input: unknown }
  readonly outbox: OutboxView
  /** Adds to a request that this client understands delivery. */
  prepare(request: ConnectRequest): void
  /** Accepts a validated message. */
  send(type: string, payload: unknown, options: SendOptions | undefined): Receipt
  /**
   * Asks the app for the key of the outbox, and switches to that outbox. A live connection keeps
   * its outbox, unless `isLeaving` says that it is about to be left. Gives whether an attempt
   * under way has to be begun anew, because it was begun for another key.
   */
  selectOutbox(isLeaving: boolean): boolean
  connectionOpened(): void
  connectionDropped(failure: ConnectionFailure | undefined): void
  /** The client's state was cleared: no message can follow it. */
  forgetPosition(): void
  /** Resolves once the outboxes are released. */
  dispose(): Promise<unknown>
}

const idle = fromCallback(() => undefined)

/** The delivery of a client that has none: a message is sent at once or not at all. @internal */
export const noDelivery: Delivery = {
  attach(host) {
    let connections = 0
    return {
      gate: undefined,
      actor: { logic: idle, input: undefined },
      outbox: emptyOutbox,
      prepare() {},
      send: (type, payload) => createSettledReceipt(type, host.sendNow(type, payload)),
      selectOutbox: () => false,
      connectionOpened() {
        connections += 1
        if (connections > 1) host.resync('plain')
      },
      connectionDropped() {},
      forgetPosition() {
        connections = 0
      },
      dispose: () => Promise.resolve(),
    }
  },
}
