import type { Identity, UpgradeRequest } from '../../schemas/protocol.js'
import type { UnsealedMessage } from '../outgoing.js'
import type { ClientConnection } from '../client-connection.js'
import type { LogPosition } from '../log/delivery-log.js'
import type { DeliveryCounters } from '../stats.js'

/**
 * What a server does differently with and without delivery. `ServerDelivery` numbers messages and
 * writes them to the log; `NoDelivery` sends them to whoever is connected.
 */
export interface ServerDeliveryPort {
  /** Absent without delivery. */
  readonly counters: DeliveryCounters | undefined
  /** Whether `drain` was called. What clients send after that is ignored. Without delivery: never. */
  readonly isDraining: boolean
  /**
   * Begins the part of a client that was just authenticated, once its user's log is loaded. A client
   * with delivery is greeted. `sendRoster` announces to the connection which of its user's devices
   * are present. `undefined` where the log cannot be read: the connection is closed.
   */
  subscribe(
    request: UpgradeRequest,
    identity: Identity,
    connection: SubscriberConnection,
    sendRoster: () => void,
  ): Promise<Subscription | undefined> | Subscription
  /**
   * Sends messages to all of a user's devices, once the log has them if there is one; returns how
   * many sockets took them, or will be sent them. Plain clients get several messages in one frame.
   *
   * @throws SyncError `message-invalid` where JSON cannot hold the data.
   */
  broadcast(userId: string, messages: readonly UnsealedMessage[]): number
  /** As `broadcast`, one message; resolves with its position once the log has it. */
  publish(userId: string, message: UnsealedMessage): Promise<LogPosition>
  /**
   * Sends what a client said to all of its user's devices, then calls `handle`: after a failure of
   * the log, too.
   *
   * @throws SyncError `message-invalid` where JSON cannot hold the data; `handle` is not called then.
   */
  relay(sender: Identity, message: UnsealedMessage, handle: () => void): void
  /** Calls `handle` after everything that is being written to a user's log. */
  afterPending(userId: string, handle: () => void): void
  /**
   * Tells clients with delivery that the server is about to close. Resolves once everything that
   * is being written is written, or after `graceMs`; `undefined` where there is nothing to wait for.
   */
  drain(graceMs: number): Promise<void> | undefined
}

/** What delivery does with a connection. */
export type SubscriberConnection = Pick<
  ClientConnection,
  'isOpen' | 'bufferedBytes' | 'onFlushed' | 'send' | 'close'
>

/** One connection's part in delivery. No method throws. */
export interface Subscription {
  /** Whether the connection has no delivery. */
  readonly isPlain: boolean
  /**
   * Whether the connection hears announcements. A client with delivery does so from its roster on:
   * announcements before it would be counted twice.
   */
  readonly hasRoster: boolean
  /** Accepts or refuses a numbered message. */
  receive(message: NumberedInput): void
  control(type: string, payload: unknown): ControlResult
  /** The connection is closed. */
  leave(): void
}

/** What became of a control frame. A server without delivery knows none. */
export type ControlResult = 'handled' | 'unknown' | 'invalid'

/** A numbered message of a client: number `n` of the outbox `cid`. */
export type NumberedInput =
  | {
      readonly kind: 'valid'
      readonly cid: string
      readonly n: number
      /** What `accept` is asked about. */
      readonly message: { readonly type: string }
      /** What goes to all of the user's devices if the message is accepted. */
      readonly relayed: UnsealedMessage | undefined
      /** Runs the handlers of the message. Called once it is accepted and written. */
      readonly handle: () => void
    }
  | {
      /** Its type is unknown, or it does not fit its schema: it can never be accepted. */
      readonly kind: 'unacceptable'
      readonly cid: string
      readonly n: number
      readonly code: string
    }
