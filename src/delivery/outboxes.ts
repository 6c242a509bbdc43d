import { SyncError } from '../base/errors.js'
import type { DeliveryEvent } from '../machines/delivery.js'
import type { OutboxActions, OutboxEvent } from '../machines/outbox.js'
import type { Channel } from './channel.js'
import { Outbox } from './outbox.js'
import type { DeliveryParts } from './parts.js'

/** The outboxes of a client, one for each key. The outbox machine runs the current one. */
export class Outboxes implements OutboxActions {
  readonly #parts: DeliveryParts
  readonly #tellDelivery: (event: DeliveryEvent) => void
  readonly #opened = new Map<string, Outbox>()
  /** Of all outboxes of the client. */
  readonly counts = { accepted: 0, delivered: 0, transmitted: 0, retransmitted: 0 }
  #key = 'default'
  #current: Outbox
  #tellMachine: (event: OutboxEvent) => void = () => undefined

  /** Opens the outbox of the app's key. `tellDelivery` tells the delivery machine what happens in it. */
  constructor(parts: DeliveryParts, tellDelivery: (event: DeliveryEvent) => void) {
    this.#parts = parts
    this.#tellDelivery = tellDelivery
    this.#key = this.askKey()
    this.#current = this.#open(this.#key)
  }

  get current(): Outbox {
    return this.#current
  }

  /** The key of the current outbox. */
  get key(): string {
    return this.#key
  }

  /** Asks the app for its key; if that throws, the key stays. */
  askKey(): string {
    const { host, options } = this.#parts
    try {
      return options.key()
    } catch (cause) {
      host.report(new SyncError('handler-threw', 'delivery.key threw.', { cause }))
      return this.#key
    }
  }

  /** Makes the outbox of a key the current one. The messages of the others stay there. */
  use(key: string): void {
    if (key === this.#key) return
    const before = this.#current
    const { isIdle } = before
    before.leave()
    if (isIdle) {
      this.#opened.delete(this.#key)
      void before.dispose()
    }
    this.#key = key
    this.#current = this.#opened.get(key) ?? this.#open(key)
    // The machine then acquires the current outbox and waits for its expiry.
    this.#tellMachine({ type: 'outbox.lost' })
    this.#parts.host.outboxChanged()
  }

  /** Opens the channel of the current outbox. */
  openChannel(channel: Channel): void {
    this.#current.transmission.open(channel)
    this.#tellMachine({ type: 'channel.opened' })
  }

  /** Sends no new messages; acknowledgements are still read. */
  pauseChannel(): void {
    this.#tellMachine({ type: 'channel.closed' })
  }

  dispose(): Promise<unknown> {
    return Promise.all([...this.#opened.values()].map((outbox) => outbox.dispose()))
  }

  // What the machine asks for.

  listen(send: (event: OutboxEvent) => void): void {
    this.#tellMachine = send
  }

  acquire(): void {
    this.#current.acquire()
  }

  startSending(): void {
    this.#current.transmission.start()
  }

  stopSending(): void {
    this.#current.transmission.stop()
  }

  removeExpired(): void {
    this.#current.expiry.removeExpired()
  }

  nextExpiryAt(): number | undefined {
    return this.#current.queue.nextExpiryAt
  }

  #open(key: string): Outbox {
    const outbox = new Outbox({
      ...this.#parts,
      counts: this.counts,
      key,
      changed: () => {
        if (key === this.#key) this.#parts.host.outboxChanged()
      },
      tell: (fact) => {
        if (key !== this.#key) return
        // Each machine ignores the facts that only the other one has to know.
        this.#tellMachine(fact as OutboxEvent)
        this.#tellDelivery(fact as DeliveryEvent)
      },
    })
    this.#opened.set(key, outbox)
    return outbox
  }
}
