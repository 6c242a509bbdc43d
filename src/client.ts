import type { Observable } from 'rxjs'
import { type Actor, createActor } from 'xstate'
import { SyncError } from './base/errors.js'
import { createLog, type WriteLog } from './base/log.js'
import { isShallowEqual } from './base/shallow-equal.js'
import { type ClientActors, type ClientMachine, createClientMachine } from './client/machine.js'
import {
  type ResolvedOptions,
  resolveOptions,
  type SyncOptions,
  type UntypedOptions,
} from './client/options.js'
import { createClientReader } from './client/reader.js'
import { Sender } from './client/sender.js'
import type { PayloadArgs, SyncClient, SyncSnapshot } from './client/sync-client.js'
import type { OutboxState, OutboxView } from './delivery/outbox-view.js'
import {
  type AttachedDelivery,
  type DeliveryHost,
  noDelivery,
  type Resync,
} from './delivery/port.js'
import { createSettledReceipt, createUnsentReceipt, type Receipt } from './delivery/receipt.js'
import { type ConnectionStatus, getConnectionStatus } from './machines/connection/status.js'
import type { AnyMessage } from './schemas/message.js'
import type { SendOptions } from './schemas/outbox-rule.js'
import type { Protocol } from './schemas/protocol.js'
import type { MessageSchemas, Schema, TypeOf } from './schemas/schema.js'
import { createFolding, type Folding } from './state/folding.js'
import { Publisher } from './streams/publisher.js'
import { subscribe } from './streams/streams.js'
import { createLink, type Link } from './transport/link.js'
import type { Target } from './transport/target.js'

type ClientPublisher<State extends object> = Publisher<State, ConnectionStatus, OutboxState>

/**
 * Makes a client of a protocol. Nothing happens until `start()` or `connect()`.
 *
 * @throws SyncError `option-invalid` if an option makes no sense; the message names it.
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
  return new Client(protocol, options)
}

/**
 * The only place where the layers meet. The public methods are arrow functions, so that they also
 * work when they are taken off the client, as `useSyncExternalStore` does.
 */
class Client<R extends MessageSchemas, S extends MessageSchemas, State extends object>
  implements SyncClient<R, S, State>
{
  readonly messages$: Observable<AnyMessage<R>>
  readonly unknown$: ClientPublisher<State>['unknown$']
  readonly invalid$: ClientPublisher<State>['invalid$']
  readonly resync$: Observable<Resync>
  readonly status$: ClientPublisher<State>['status$']
  readonly state$: ClientPublisher<State>['state$']
  readonly outbox$: ClientPublisher<State>['outbox$']
  readonly outbox: OutboxView

  readonly #log: WriteLog
  readonly #sender: Sender
  readonly #delivery: AttachedDelivery
  readonly #folding: Folding<State>
  readonly #publisher: ClientPublisher<State>
  readonly #link: Link
  readonly #root: Actor<ClientMachine>
  readonly #actors: ClientActors
  readonly #signal: AbortSignal | undefined
  #isDisposed = false
  #noteDisposed: () => void = () => undefined
  readonly disposed = new Promise<void>((resolve) => {
    this.#noteDisposed = resolve
  })

  constructor(protocol: Protocol<R, S, State>, options: UntypedOptions) {
    const resolved = resolveOptions(protocol, options)
    const { clock, environment, policy, random, report } = resolved
    const { delivery = noDelivery, signal } = options
    this.#log = createLog(options.log, clock, report)
    this.#signal = signal
    this.#sender = new Sender(protocol, clock, (frame) => this.#link.send(frame))
    this.#delivery = delivery.attach(this.#createHost(protocol, resolved))
    this.#folding = createFolding(protocol.coordinator, { clock, report })
    this.#publisher = new Publisher<State, ConnectionStatus, OutboxState>({
      ...resolved,
      folding: this.#folding,
      log: this.#log,
      firstStatus: { state: 'disconnected' },
      firstOutbox: this.#delivery.outbox.status,
      outbox: () => this.#delivery.outbox.status,
    })
    this.#link = createLink({
      ...resolved,
      target: { url: options.url, credentials: options.credentials },
      credentials: protocol.credentials,
      prepare: (request) => this.#delivery.prepare(request),
      makePing: () => this.#sender.makeHeartbeat('ping'),
      onFrame: createClientReader(protocol, {
        compile: options.compile,
        gate: this.#delivery.gate,
        publisher: this.#publisher,
        pinged: () => this.#sender.answerPing(),
        ponged: () => this.#link.ponged(),
      }),
    })
    this.#root = createActor(createClientMachine(this.#delivery.actor.logic), {
      clock,
      ...(resolved.inspect && { inspect: resolved.inspect }),
      input: {
        connection: { policy, link: this.#link, environment, clock, random, report },
        coordinator: {
          folding: this.#folding,
          clock,
          random,
          loadSnapshot: options.loadSnapshot,
          onChanged: () => this.#publisher.flush(),
        },
        delivery: this.#delivery.actor.input,
      },
    })
    this.#actors = this.#root.getSnapshot().context

    this.messages$ = this.#publisher.messages$ as unknown as Observable<AnyMessage<R>>
    this.unknown$ = this.#publisher.unknown$
    this.invalid$ = this.#publisher.invalid$
    this.resync$ = this.#publisher.resync$ as Observable<Resync>
    this.status$ = this.#publisher.status$
    this.state$ = this.#publisher.state$
    this.outbox$ = this.#publisher.outbox$
    this.outbox = this.#delivery.outbox

    this.#root.start()
    this.#actors.connection.subscribe((snapshot) => this.#noteStatus(getConnectionStatus(snapshot)))
    if (signal?.aborted === true) this.dispose()
    else signal?.addEventListener('abort', this.dispose, { once: true })
  }

  get status(): ConnectionStatus {
    return this.#publisher.snapshot().status
  }

  get isConnected(): boolean {
    return this.status.state === 'connected'
  }

  get state(): State {
    return this.#publisher.snapshot().state
  }

  get lastSyncTime(): number | undefined {
    return this.#publisher.snapshot().lastSyncTime
  }

  readonly start = (): void => {
    this.#assertLive()
    this.#actors.coordinator.send({ type: 'coordinator.start' })
    this.connect()
  }

  readonly stop = (): void => {
    if (this.#isDisposed) return
    this.#publisher.dropBatch()
    this.#actors.connection.send({ type: 'disconnect' })
    this.#delivery.forgetPosition()
    this.#actors.coordinator.send({ type: 'coordinator.stop' })
  }

  readonly connect = (): void => {
    this.#assertLive()
    if (this.#delivery.selectOutbox(false)) this.#actors.connection.send({ type: 'reconnect' })
    this.#actors.connection.send({ type: 'connect' })
  }

  readonly disconnect = (): void => {
    if (!this.#isDisposed) this.#actors.connection.send({ type: 'disconnect' })
  }

  readonly reconnect = (target: Partial<Target> = {}): void => {
    this.#assertLive()
    this.#delivery.selectOutbox(true)
    this.#link.retarget(target)
    this.#actors.connection.send({ type: 'reconnect' })
  }

  readonly send = <K extends TypeOf<S>>(
    type: K,
    ...[payload, options]: PayloadArgs<S[K]>
  ): Receipt => {
    const receipt = this.#send(type, payload, options)
    const { outcome } = receipt
    if (outcome?.outcome === 'notSent') {
      this.#log('warn', 'messages', 'message.notSent', { type, reason: outcome.reason })
    }
    return receipt
  }

  // The reader puts into each stream the messages of its type alone, validated by its schema.
  readonly on = ((type: string, handler?: (message: unknown) => void) => {
    const { observable } = this.#publisher.streamOf(type)
    return handler === undefined ? observable : subscribe(observable, handler)
  }) as unknown as SyncClient<R, S, State>['on']

  readonly select = <T>(selector: (state: State) => T): Observable<T> =>
    this.#publisher.select(selector)

  readonly getSnapshot = (): SyncSnapshot<State> => this.#publisher.snapshot()

  readonly subscribe = (listener: (snapshot: SyncSnapshot<State>) => void): (() => void) =>
    subscribe(this.#publisher.snapshots$, listener)

  readonly dispose = (): void => {
    if (this.#isDisposed) return
    this.stop()
    this.#isDisposed = true
    this.#signal?.removeEventListener('abort', this.dispose)
    void this.#delivery.dispose().then(this.#noteDisposed)
    this.#root.stop()
    this.#publisher.complete()
  }

  readonly [Symbol.dispose] = this.dispose

  /** What delivery may ask of the client. */
  #createHost(protocol: DeliveryHost['protocol'], options: ResolvedOptions): DeliveryHost {
    const { clock, report, maxBufferedBytes } = options
    return {
      protocol,
      clock,
      report,
      log: this.#log,
      maxBufferedBytes,
      link: () => this.#link,
      sendNow: (type, payload) => this.#sender.send(type, payload),
      noteSync: () => this.#publisher.noteSync(),
      flush: () => this.#publisher.flush(),
      restore: (state) => this.#restore(state),
      tellRoster: (type) => this.#actors.coordinator.send({ type }),
      resync: (reason) => this.#publisher.resync({ reason } satisfies Resync),
      outboxChanged: () => this.#publisher.noteOutbox(),
    }
  }

  /** Publishes a change of the connection, and tells the other parts. */
  #noteStatus(status: ConnectionStatus): void {
    // The connection machine changes with every ping, the status only with one of its parts.
    const before = this.#publisher.latestStatus()
    if (isShallowEqual(before, status)) return
    // Messages that came before the change are published before it.
    this.#publisher.flush()
    this.#log('info', 'connection', 'status.changed', { ...status })
    if (status.state === 'connected') {
      this.#actors.coordinator.send({ type: 'connection.opened' })
      this.#delivery.connectionOpened()
    } else if (before.state === 'connected') {
      this.#actors.coordinator.send({ type: 'connection.dropped' })
      this.#delivery.connectionDropped(status.state === 'reconnecting' ? status.cause : undefined)
    }
    this.#publisher.publishStatus(status)
  }

  /** Replaces the state by the one that the server wrote down. */
  #restore(state: unknown): void {
    if (!this.#folding.restoreCheckpoint(state)) return
    this.#publisher.flush()
    // The snapshot that was loaded may be older than the server's state: it is loaded again.
    this.#actors.coordinator.send({ type: 'state.restored' })
  }

  #send(type: string, payload: unknown, options: SendOptions | undefined): Receipt {
    if (this.#isDisposed) {
      return createUnsentReceipt(type, 'disposed', 'The client has been disposed.')
    }
    const validated = this.#sender.validate(type, payload)
    if (!validated.ok) return createSettledReceipt(type, validated.outcome)
    return this.#delivery.send(type, validated.value, options)
  }

  #assertLive(): void {
    if (this.#isDisposed) throw new SyncError('disposed', 'The client has been disposed.')
  }
}
