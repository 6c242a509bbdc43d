import { SyncError } from '../base/errors.js'
import { createDeliveryMachine } from '../machines/delivery.js'
import { CAPABILITIES } from '../schemas/control.js'
import type { SendOptions } from '../schemas/outbox-rule.js'
import type { ConnectRequest } from '../schemas/protocol.js'
import type { ConnectionFailure } from '../transport/failure.js'
import { ControlFrames } from './control-frames.js'
import { Cursor } from './cursor.js'
import { MessageEncoder } from './message-encoder.js'
import type { ResolvedDelivery } from './options.js'
import { MessageRules } from './message-rules.js'
import type { OutboxView } from './outbox-view.js'
import { Outboxes } from './outboxes.js'
import type { AttachedDelivery, DeliveryHost } from './port.js'
import { createUnsentReceipt, type Receipt } from './receipt.js'
import { createGuardedOutboxStore } from './store/outbox-guard.js'
import type { GuardedOutboxStore } from './store/outbox-store.js'

/** The delivery of one client: its outboxes, its cursor, and what is said about both. */
export class ClientDelivery implements AttachedDelivery {
  readonly gate: ControlFrames
  readonly actor: AttachedDelivery['actor']
  readonly outbox: OutboxView
  readonly #options: ResolvedDelivery
  readonly #host: DeliveryHost
  readonly #rules: MessageRules
  readonly #cursor = new Cursor()
  readonly #outboxes: Outboxes
  readonly #controlFrames: ControlFrames
  // The outbox is for the server of the live connection.
  #isOnline = false
  // How often the key has changed: now, and when the newest attempt began.
  #keyChanges = { all: 0, atAttempt: 0 }

  constructor(options: ResolvedDelivery, host: DeliveryHost) {
    const { clock, link, protocol, report } = host
    this.#options = options
    this.#host = host
    this.#rules = new MessageRules(protocol.outbox, report)
    const encoder = new MessageEncoder(protocol.envelope.toServer)
    this.#outboxes = new Outboxes(
      {
        limits: options.limits,
        clock,
        makeId: options.makeId,
        whenFull: (type) => this.#rules.whenFull(type),
        encoder,
        sendFrame: (frame) => link().send(frame),
        maxFrameBytes: host.maxBufferedBytes,
        changed: () => host.outboxChanged(),
        tellDelivery: (fact) => this.#controlFrames.tell(fact),
        openStore: (key) => this.#openStore(key),
      },
      this.#askKey('default'),
    )
    this.#controlFrames = new ControlFrames({
      host,
      encoder,
      cursor: this.#cursor,
      outboxes: this.#outboxes,
      window: options.window,
      answerTimeoutMs: options.policy.answerTimeoutMs,
    })
    this.gate = this.#controlFrames
    this.actor = {
      logic: createDeliveryMachine(),
      input: {
        port: this.#controlFrames,
        outbox: this.#outboxes,
        clock,
        policy: options.policy,
      },
    }
    this.outbox = createView(this.#outboxes, this.#controlFrames)
  }

  prepare(request: ConnectRequest): void {
    this.#keyChanges = { ...this.#keyChanges, atAttempt: this.#keyChanges.all }
    // The outbox changes together with the URL and the credentials.
    this.#outboxes.use(this.#askKey(this.#outboxes.key))
    addCapabilities(request)
  }

  send(type: string, payload: unknown, given: SendOptions = {}): Receipt {
    if (given.signal?.aborted === true) {
      return createUnsentReceipt(type, 'aborted', 'Its signal was aborted before.')
    }
    const receipt = this.#outboxes.current.accept(this.#rules.apply(type, payload, given))
    if (given.signal !== undefined) abortWith(receipt, given.signal)
    return receipt
  }

  selectOutbox(isLeaving: boolean): boolean {
    if (this.#isOnline && !isLeaving) return false
    const key = this.#askKey(this.#outboxes.key)
    if (key === this.#outboxes.key) return false
    this.#keyChanges = { ...this.#keyChanges, all: this.#keyChanges.all + 1 }
    // Before the outbox changes: the messages of the next one are not for this server.
    this.#goOffline()
    this.#outboxes.use(key)
    return true
  }

  connectionOpened(): void {
    // The key has changed since the attempt began: this connection is about to be left.
    if (this.#keyChanges.atAttempt !== this.#keyChanges.all) return
    this.#isOnline = true
    this.#controlFrames.tell({ type: 'connection.opened' })
  }

  connectionDropped(failure: ConnectionFailure | undefined): void {
    // The server read only the size of a message, and refused it. It would do so each time.
    if (failure?.code === 'closed' && failure.closeCode === 1009) {
      this.#outboxes.current.transmission.refuseLargest()
    }
    this.#goOffline()
    this.#host.outboxChanged()
  }

  forgetPosition(): void {
    this.#cursor.forget()
  }

  dispose(): void {
    this.#outboxes.dispose()
  }

  #goOffline(): void {
    this.#isOnline = false
    this.#controlFrames.tell({ type: 'connection.dropped' })
  }

  #openStore(key: string): GuardedOutboxStore | undefined {
    const { clock, report } = this.#host
    if (this.#options.openStore === undefined) return undefined
    try {
      return createGuardedOutboxStore(this.#options.openStore(key), { clock, onError: report })
    } catch (cause) {
      report(new SyncError('storage-failed', 'delivery.store threw.', { cause }))
      return undefined
    }
  }

  #askKey(fallback: string): string {
    try {
      return this.#options.key()
    } catch (cause) {
      this.#host.report(new SyncError('handler-threw', 'delivery.key threw.', { cause }))
      return fallback
    }
  }
}

/** The current outbox, as the app sees it. */
function createView(outboxes: Outboxes, controlFrames: ControlFrames): OutboxView {
  return {
    get status() {
      const { isDurable } = outboxes
      return { ...outboxes.current.status, isDurable, delivery: controlFrames.state }
    },
    messages: () => outboxes.current.messages(),
    remove: (id) => outboxes.current.takeBack(id, 'aborted'),
    clear: () => outboxes.current.clear(),
    counts: () => ({ ...outboxes.current.counts, ...controlFrames.counts }),
  }
}

/** Adds the parameter by hand: servers may depend on how the protocol has written the others. */
function addCapabilities({ url }: ConnectRequest): void {
  const { parameter, value } = CAPABILITIES
  if (url.searchParams.has(parameter)) return
  url.search = `${url.search === '' ? '?' : `${url.search}&`}${parameter}=${value}`
}

function abortWith(receipt: Receipt, signal: AbortSignal): void {
  const abort = (): void => receipt.abort()
  signal.addEventListener('abort', abort, { once: true })
  void receipt.settled.then(() => {
    signal.removeEventListener('abort', abort)
  })
}
