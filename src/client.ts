import type { Observable } from 'rxjs'
import { createActor } from 'xstate'
import { createLog } from './base/log.js'
import { createClientMachine } from './client/machine.js'
import { type CommonOptions, resolveOptions, type SyncOptions } from './client/options.js'
import { Publisher } from './streams/publisher.js'
import { createSettledReceipt, type Receipt } from './delivery/receipt.js'
import type { SendOptions } from './schemas/outbox-rule.js'
import {
  type AttachedDelivery,
  noOutbox,
  offlineOutbox,
  type OutboxState,
  type OutboxView,
} from './delivery/port.js'
import { isShallowEqual } from './base/shallow-equal.js'
import { createSender } from './client/sender.js'
import { SyncError } from './base/errors.js'
import { type ConnectionStatus, getConnectionStatus } from './machines/connection/status.js'
import { createFolding } from './state/folding.js'
import type { AnyMessage, InvalidFrame, MessageOf, UnknownMessage } from './schemas/message.js'
import type { Protocol } from './schemas/protocol.js'
import { createReader } from './schemas/reader.js'
import type { BodyInputOf, MessageSchemas, Schema, TypeOf } from './schemas/schema.js'
import { createFrameReader } from './transport/frame-reader.js'
import { createLink } from './transport/link.js'
import type { Stream } from './streams/streams.js'
import type { Target } from './transport/target.js'

/** The payload of a sent type as an argument list: none, optional, or required; then options. */
export type PayloadArgs<S> =
  undefined extends BodyInputOf<S>
    ? [payload?: BodyInputOf<S>, options?: SendOptions]
    : [payload: BodyInputOf<S>, options?: SendOptions]

/** Everything that can be seen of a client at one moment. Immutable. */
export interface SyncSnapshot<State> {
  readonly status: ConnectionStatus
  readonly state: State
  /** When the last message came, in ms since the epoch. */
  readonly lastSyncTime: number | undefined
  /** The messages that wait to be sent or acknowledged. */
  readonly outbox: OutboxState
}

/**
 * One client of one server. What each call does in each state of the connection is a table in
 * docs/spec.md.
 *
 * It is a store, too: `subscribe` and `getSnapshot` fit React's `useSyncExternalStore` and
 * Svelte's store contract.
 */
export interface SyncClient<
  R extends MessageSchemas,
  S extends MessageSchemas,
  State extends object,
> {
  /** Connects, and loads state. Harmless when repeated. */
  start(): void
  /** Disconnects and clears the state; what waits in the outbox stays there. */
  stop(): void
  /** Connects, without touching the state; while waiting to reconnect, hurries. */
  connect(): void
  /** Disconnects, without touching the state. */
  disconnect(): void
  /**
   * Moves to another server, or comes back as someone else: connects anew at once, from any state
   * but `disconnected`. Without an argument: the URL and credentials functions are asked anew.
   */
  reconnect(target?: Partial<Target>): void

  /**
   * Sends a message, if there is a connection to send it over; with `delivery`, as soon as there
   * is one. Returns at once: the receipt says what becomes of it. The options are for messages
   * that may wait.
   */
  send<K extends TypeOf<S>>(type: K, ...args: PayloadArgs<S[K]>): Receipt

  /** The messages of a type, validated. Who subscribes hears what comes after. */
  on<K extends TypeOf<R>>(type: K): Observable<MessageOf<R, K>>
  /** Calls a handler for each message of a type; gives the function that ends it. */
  on<K extends TypeOf<R>>(type: K, handler: (message: MessageOf<R, K>) => void): () => void
  /** All messages of known types, in order. */
  readonly messages$: Observable<AnyMessage<R>>
  /** Messages of types that the protocol does not know. */
  readonly unknown$: Observable<UnknownMessage>
  /** Frames, or parts of a batch, that could not be read. */
  readonly invalid$: Observable<InvalidFrame>

  /** Where the connection stands; the current status first. */
  readonly status$: Observable<ConnectionStatus>
  readonly status: ConnectionStatus
  readonly isConnected: boolean
  /** The folded state; the current one first. */
  readonly state$: Observable<State>
  readonly state: State
  /** What a function makes of the state, whenever that changes; the current value first. */
  select<T>(selector: (state: State) => T): Observable<T>
  /** When the last message came, whatever its type, in ms since the epoch. */
  readonly lastSyncTime: number | undefined

  /** Messages that wait to be sent, or to be acknowledged; without `delivery` there are none. */
  readonly outbox: OutboxView
  /** What the outbox holds; the current state first. */
  readonly outbox$: Observable<OutboxState>

  /** The current snapshot; the same object until something changes. */
  getSnapshot(): SyncSnapshot<State>
  /** Calls a listener with the current snapshot and with each later one. */
  subscribe(listener: (snapshot: SyncSnapshot<State>) => void): () => void

  /** Stops for good: streams complete, and `start` and `connect` throw from then on. */
  dispose(): void
  [Symbol.dispose](): void
}

/**
 * Makes a client of a protocol. Nothing happens until `start()` or `connect()`.
 *
 * @throws SyncError `option-invalid` where an option makes no sense; the message names it.
 *
 * @example
 * const sync = createSyncClient(chat, { url: 'wss://example.com/ws' })
 * sync.on('SAID', ({ data }) => console.log(data.text))
 * sync.start()
 */
export function createSyncClient<
  R extends MessageSchemas,
  S extends MessageSchemas,
  State extends object,
  Snapshot extends Schema,
  Credentials extends Schema,
  Checkpoint extends Schema,
>(
  protocol: Protocol<R, S, State, Snapshot, Credentials, Checkpoint>,
  options: SyncOptions<Credentials>,
): SyncClient<R, S, State> {
  const common: CommonOptions & { readonly credentials?: unknown } = options
  const resolved = resolveOptions(protocol, common)
  const { clock, random, report, policy } = resolved
  const log = createLog(common.log, clock, report)

  const folding = createFolding(protocol.coordinator, { clock, report })
  const publisher = new Publisher<State, ConnectionStatus, OutboxState>({
    folding,
    ...resolved,
    log,
    firstStatus: { state: 'disconnected' },
    firstOutbox: common.delivery === undefined ? noOutbox.status : offlineOutbox,
    outbox: (): OutboxState => outbox.status,
  })
  const sender = createSender(protocol, { clock, hand: (frame) => link.send(frame) })
  const delivery: AttachedDelivery | undefined = common.delivery?.attach({
    protocol,
    clock,
    report,
    log,
    link: () => link,
    maxBufferedBytes: resolved.maxBufferedBytes,
    noteSync: () => publisher.noteSync(),
    flush: () => publisher.flush(),
    restore,
    listing: () => coordinator.send({ type: 'roster.begun' }),
    listed: () => coordinator.send({ type: 'roster.complete' }),
    outboxChanged: () => publisher.noteOutbox(),
  })
  const outbox = delivery?.outbox ?? noOutbox
  const inbound = createFrameReader(
    createReader({
      schemas: protocol.receive,
      direction: protocol.envelope.toClient,
      heartbeat: protocol.heartbeat,
      compile: common.compile,
      gate: delivery?.gate,
      sink: {
        ...publisher.sink,
        pinged() {
          sender.answerPing()
        },
        ponged() {
          publisher.noteSync()
          link.ponged()
        },
      },
    }),
    (frame) => {
      publisher.sink.invalid(frame)
    },
  )
  const link = createLink({
    ...resolved,
    target: { url: common.url, credentials: common.credentials },
    credentials: protocol.credentials,
    prepare: (request) => delivery?.prepare(request),
    makePing: () => sender.makePing(),
    onFrame: inbound,
  })

  const root = createActor(createClientMachine(), {
    clock,
    ...(resolved.inspect && { inspect: resolved.inspect }),
    input: {
      connection: {
        policy,
        link,
        environment: resolved.environment,
        clock,
        random,
        report,
      },
      coordinator: {
        folding,
        clock,
        random,
        loadSnapshot: common.loadSnapshot,
        onChanged: () => publisher.flush(),
      },
      children: delivery?.children ?? (() => []),
    },
  })
  const { connection, coordinator, children } = root.getSnapshot().context
  delivery?.started(children)
  root.start()

  let isDisposed = false
  connection.subscribe((snapshot) => {
    // It changes with every ping; the status only when one of its parts does.
    const status = getConnectionStatus(snapshot)
    const before = publisher.latestStatus()
    if (isShallowEqual(before, status)) return
    // What came before the change is published before it.
    publisher.flush()
    log('info', 'connection', 'status.changed', { ...status })
    if (status.state === 'connected') {
      coordinator.send({ type: 'connection.opened' })
      delivery?.connectionOpened()
    } else if (before.state === 'connected') {
      coordinator.send({ type: 'connection.dropped' })
      delivery?.connectionDropped(status.state === 'reconnecting' ? status.cause : undefined)
    }
    publisher.publishStatus(status)
  })

  function assertLive(): void {
    if (isDisposed) throw new SyncError('disposed', 'The client has been disposed.')
  }

  function restore(state: unknown): void {
    if (!folding.restoreCheckpoint(state)) return
    publisher.flush()
    // What is loaded beside it may be older than the server's state: it is loaded anew.
    coordinator.send({ type: 'state.restored' })
  }

  function connect(): void {
    assertLive()
    if (delivery?.aim(false) === true) connection.send({ type: 'reconnect' })
    connection.send({ type: 'connect' })
  }

  function stop(): void {
    if (isDisposed) return
    publisher.dropBatch()
    connection.send({ type: 'disconnect' })
    delivery?.forgetState()
    coordinator.send({ type: 'coordinator.stop' })
  }

  function dispose(): void {
    if (isDisposed) return
    stop()
    isDisposed = true
    common.signal?.removeEventListener('abort', dispose)
    delivery?.dispose()
    root.stop()
    publisher.complete()
  }

  function send(type: string, payload: unknown, options: SendOptions | undefined): Receipt {
    if (isDisposed) {
      const detail = 'The client has been disposed.'
      return createSettledReceipt(type, { outcome: 'notSent', reason: 'disposed', detail })
    }
    const validated = sender.validate(type, payload)
    if (!validated.ok) return createSettledReceipt(type, validated.outcome)
    if (delivery !== undefined) return delivery.send(type, validated.value, options)
    return createSettledReceipt(type, sender.send(type, validated.value))
  }

  function on<K extends TypeOf<R>>(type: K): Observable<MessageOf<R, K>>
  function on<K extends TypeOf<R>>(type: K, handler: Handler<MessageOf<R, K>>): () => void
  function on<K extends TypeOf<R>>(
    type: K,
    handler?: Handler<MessageOf<R, K>>,
  ): Observable<MessageOf<R, K>> | (() => void) {
    // The reader gives each stream the messages of its type, validated by its schema.
    const { observable } = publisher.streamOf(type) as unknown as Stream<MessageOf<R, K>>
    return handler === undefined ? observable : subscribe(observable, handler)
  }

  const client: SyncClient<R, S, State> = {
    start() {
      assertLive()
      coordinator.send({ type: 'coordinator.start' })
      connect()
    },
    stop,
    connect,
    disconnect() {
      if (!isDisposed) connection.send({ type: 'disconnect' })
    },
    reconnect(target = {}) {
      assertLive()
      delivery?.aim(true)
      link.retarget(target)
      connection.send({ type: 'reconnect' })
    },
    send(type, ...[payload, options]) {
      const receipt = send(type, payload, options)
      const { outcome } = receipt
      if (outcome?.outcome === 'notSent') {
        log('warn', 'messages', 'message.notSent', { type, reason: outcome.reason })
      }
      return receipt
    },
    on,
    messages$: publisher.messages$ as unknown as Observable<AnyMessage<R>>,
    unknown$: publisher.unknown$,
    invalid$: publisher.invalid$,
    status$: publisher.status$,
    state$: publisher.state$,
    select: (selector) => publisher.select(selector),
    get status() {
      return publisher.snapshot().status
    },
    get isConnected() {
      return publisher.snapshot().status.state === 'connected'
    },
    get state() {
      return publisher.snapshot().state
    },
    get lastSyncTime() {
      return publisher.snapshot().lastSyncTime
    },
    outbox,
    outbox$: publisher.outbox$,
    getSnapshot: () => publisher.snapshot(),
    subscribe: (listener) => subscribe(publisher.snapshots$, listener),
    dispose,
    [Symbol.dispose]: dispose,
  }
  if (common.signal?.aborted === true) dispose()
  else common.signal?.addEventListener('abort', dispose, { once: true })
  return client
}

type Handler<T> = (value: T) => void

function subscribe<T>(observable: Observable<T>, handler: Handler<T>): () => void {
  const subscription = observable.subscribe(handler)
  return () => {
    subscription.unsubscribe()
  }
}
