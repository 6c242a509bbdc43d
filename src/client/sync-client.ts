import type { Observable } from 'rxjs'
import type { OutboxState, OutboxView } from '../delivery/outbox-view.js'
import type { Resync } from '../delivery/port.js'
import type { Receipt } from '../delivery/receipt.js'
import type { ConnectionStatus } from '../machines/connection/status.js'
import type { AnyMessage, InvalidFrame, MessageOf, UnknownMessage } from '../schemas/message.js'
import type { SendOptions } from '../schemas/outbox-rule.js'
import type { BodyInputOf, MessageSchemas, TypeOf } from '../schemas/schema.js'
import type { Target } from '../transport/target.js'

/** Everything that can be seen of a client at one moment. Immutable. */
export interface SyncSnapshot<State> {
  readonly status: ConnectionStatus
  readonly state: State
  /** When the last message of any type arrived, in milliseconds since the epoch. */
  readonly lastSyncTime: number | undefined
  /** The messages that wait to be sent or acknowledged. */
  readonly outbox: OutboxState
}

/** The payload of a sent type as an argument list: none, optional, or required; then options. */
export type PayloadArgs<S> =
  undefined extends BodyInputOf<S>
    ? [payload?: BodyInputOf<S>, options?: SendOptions]
    : [payload: BodyInputOf<S>, options?: SendOptions]

/**
 * One client of one server. What each call does in each state of the connection is a table in
 * docs/spec.md.
 *
 * It is also a store: `subscribe` and `getSnapshot` fit React's `useSyncExternalStore` and
 * Svelte's store contract.
 */
export interface SyncClient<
  R extends MessageSchemas,
  S extends MessageSchemas,
  State extends object,
> {
  /** Connects, and loads the state. A second call changes nothing. */
  start(): void
  /** Disconnects and clears the state. Messages in the outbox stay there. */
  stop(): void
  /** Connects, and leaves the state alone. While waiting to reconnect: retries at once. */
  connect(): void
  /** Disconnects, and leaves the state alone. */
  disconnect(): void
  /**
   * Connects anew at once, to another URL or with other credentials, from any state but
   * `disconnected`. Without an argument the URL and credentials functions are called again. When
   * `disconnected` it only stores the target.
   */
  reconnect(target?: Partial<Target>): void

  /**
   * Sends a message if there is an open connection; with `delivery`, as soon as there is one.
   * Returns at once; the receipt tells the outcome. The options apply to messages that wait.
   */
  send<K extends TypeOf<S>>(type: K, ...args: PayloadArgs<S[K]>): Receipt

  /** The messages of a type, validated. A subscriber gets those that arrive from then on. */
  on<K extends TypeOf<R>>(type: K): Observable<MessageOf<R, K>>
  /** Calls a handler for each message of a type; gives the function that unsubscribes it. */
  on<K extends TypeOf<R>>(type: K, handler: (message: MessageOf<R, K>) => void): () => void
  /** All messages of known types, in order. */
  readonly messages$: Observable<AnyMessage<R>>
  /** Messages of types that are not in the protocol. */
  readonly unknown$: Observable<UnknownMessage>
  /** Frames, and parts of batches, that could not be read. */
  readonly invalid$: Observable<InvalidFrame>
  /**
   * Tells when messages of the server may be missing: load again what they would have told. The
   * first connection after `start` does not count.
   */
  readonly resync$: Observable<Resync>

  /** The status of the connection; the current one first. */
  readonly status$: Observable<ConnectionStatus>
  readonly status: ConnectionStatus
  readonly isConnected: boolean
  /** The folded state; the current one first. */
  readonly state$: Observable<State>
  readonly state: State
  /** The value of a selector, whenever it changes; the current value first. */
  select<T>(selector: (state: State) => T): Observable<T>
  /** When the last message of any type arrived, in milliseconds since the epoch. */
  readonly lastSyncTime: number | undefined

  /** Messages that wait to be sent or acknowledged. Without `delivery` there are none. */
  readonly outbox: OutboxView
  /** The status of the outbox; the current one first. */
  readonly outbox$: Observable<OutboxState>

  /** The current snapshot: the same object until something changes. */
  getSnapshot(): SyncSnapshot<State>
  /** Calls a listener with the current snapshot and with each later one. */
  subscribe(listener: (snapshot: SyncSnapshot<State>) => void): () => void

  /** Stops for good: streams complete, and `start` and `connect` throw from then on. */
  dispose(): void
  /**
   * Resolves once `dispose` has let everything go: what was to be stored is stored, and another
   * client may own the outbox. Then its database can be closed. Takes no longer than 3 s.
   */
  readonly disposed: Promise<void>
  [Symbol.dispose](): void
}
