import { createDeliveryMachine } from '../machines/delivery.js'
import { CAPABILITIES } from '../schemas/control.js'
import type { SendOptions } from '../schemas/outbox-rule.js'
import type { ConnectRequest } from '../schemas/protocol.js'
import type { ConnectionFailure } from '../transport/failure.js'
import { ControlFrames } from './control-frames.js'
import { MessageEncoder } from './message-encoder.js'
import { MessageRules } from './message-rules.js'
import { type DeliveryOptions, type ResolvedDelivery, resolveDelivery } from './options.js'
import type { OutboxView } from './outbox-view.js'
import { Outboxes } from './outboxes.js'
import type { AttachedDelivery, Delivery, DeliveryHost } from './port.js'
import { createUnsentReceipt, type Receipt } from './receipt.js'

/**
 * Makes the delivery of a client. Messages wait while there is no connection. A server that has
 * delivery too acknowledges them, and sends what the client missed. With any other server messages
 * wait, and are then sent as without delivery. docs/delivery.md says what is promised.
 *
 * @throws SyncError `option-invalid`, naming the option.
 *
 * @example
 * const sync = createSyncClient(chat, { url, delivery: createDelivery({ maxMessages: 100 }) })
 * const receipt = sync.send('SAY', { text: 'hello' }) // in any state
 * await receipt.settled // { outcome: 'delivered' }
 */
export function createDelivery(options: DeliveryOptions = {}): Delivery {
  const resolved = resolveDelivery(options)
  return { attach: (host) => new ClientDelivery(resolved, host) }
}

/** The delivery of one client: its outboxes, and what is said about them and about its cursor. */
class ClientDelivery implements AttachedDelivery {
  readonly gate: ControlFrames
  readonly actor: AttachedDelivery['actor']
  readonly outbox: OutboxView
  readonly #host: DeliveryHost
  readonly #outboxes: Outboxes
  // The outbox is for the server of the live connection.
  #isOnline = false
  // Since the newest attempt to connect began.
  #hasKeyChanged = false

  constructor(options: ResolvedDelivery, host: DeliveryHost) {
    const { clock, protocol, report } = host
    const rules = new MessageRules(protocol.outbox, report)
    const encoder = new MessageEncoder(protocol.envelope.toServer)
    const parts = { host, options, rules, encoder }
    this.#host = host
    this.#outboxes = new Outboxes(parts, (event) => this.gate.tell(event))
    this.gate = new ControlFrames(parts, this.#outboxes)
    this.actor = {
      logic: createDeliveryMachine(),
      input: { actions: this.gate, outbox: this.#outboxes, clock, policy: options },
    }
    this.outbox = createView(this.#outboxes, this.gate)
  }

  prepare({ url }: ConnectRequest): void {
    this.#hasKeyChanged = false
    // The outbox changes together with the URL and the credentials.
    this.#outboxes.use(this.#outboxes.askKey())
    const { parameter, value } = CAPABILITIES
    if (url.searchParams.has(parameter)) return
    // By hand: servers may depend on how the protocol has written the other parameters.
    url.search = `${url.search === '' ? '?' : `${url.search}&`}${parameter}=${value}`
  }

  send(type: string, payload: unknown, given: SendOptions = {}): Receipt {
    const { signal } = given
    if (signal?.aborted === true) {
      return createUnsentReceipt(type, 'aborted', 'Its signal was aborted before.')
    }
    const receipt = this.#outboxes.current.accept(type, payload, given)
    if (signal !== undefined) abortWith(receipt, signal)
    return receipt
  }

  selectOutbox(isLeaving: boolean): boolean {
    if (this.#isOnline && !isLeaving) return false
    const key = this.#outboxes.askKey()
    if (key === this.#outboxes.key) return false
    this.#hasKeyChanged = true
    // Before the outbox changes: the messages of the next one are not for this server.
    this.#goOffline()
    this.#outboxes.use(key)
    return true
  }

  connectionOpened(): void {
    // This connection is for another outbox, and is about to be left.
    if (this.#hasKeyChanged) return
    this.#isOnline = true
    this.gate.tell({ type: 'connection.opened' })
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
    this.gate.forgetPosition()
  }

  dispose(): Promise<unknown> {
    return this.#outboxes.dispose()
  }

  #goOffline(): void {
    this.#isOnline = false
    this.gate.tell({ type: 'connection.dropped' })
  }
}

/** The current outbox, as the app sees it. */
function createView(outboxes: Outboxes, controlFrames: ControlFrames): OutboxView {
  return {
    get status() {
      return { ...outboxes.current.status, delivery: controlFrames.state }
    },
    messages: () => outboxes.current.messages(),
    remove: (id) => outboxes.current.takeBack(id, 'aborted'),
    clear: () => outboxes.current.clear(),
    counts: () => ({ ...outboxes.current.counts, ...controlFrames.counts }),
  }
}

function abortWith(receipt: Receipt, signal: AbortSignal): void {
  const abort = (): void => receipt.abort()
  signal.addEventListener('abort', abort)
  void receipt.settled.then(() => signal.removeEventListener('abort', abort))
}
