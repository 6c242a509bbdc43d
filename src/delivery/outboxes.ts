import type { OutboxEvent, OutboxPort } from '../machines/outbox.js'
import type { Channel } from './channel.js'
import { Outbox, type OutboxOptions } from './outbox.js'
import type { OutboxFact } from './outbox-fact.js'
import type { GuardedOutboxStore } from './store/outbox-store.js'

/** What {@link Outboxes} needs. None of the functions throws. */
export interface OutboxesOptions extends Omit<OutboxOptions, 'store' | 'tell'> {
  /** Opens the storage for a key; `undefined`: the outbox is in memory alone. */
  readonly openStore: (key: string) => GuardedOutboxStore | undefined
  /** Tells the delivery machine what happens in the current outbox. */
  readonly tellDelivery: (
    fact: Extract<OutboxFact, { type: 'outbox.acquired' | 'outbox.transmitted' }>,
  ) => void
}

interface OpenOutbox {
  readonly key: string
  readonly outbox: Outbox
  readonly store: GuardedOutboxStore | undefined
}

/** The outboxes of a client, one for each key. The outbox machine runs the current one. */
export class Outboxes implements OutboxPort {
  readonly #options: OutboxesOptions
  readonly #opened = new Map<string, OpenOutbox>()
  #current: OpenOutbox
  #tellMachine: (event: OutboxEvent) => void = () => undefined

  /** Opens the outbox of `key` and makes it the current one. */
  constructor(options: OutboxesOptions, key: string) {
    this.#options = options
    this.#current = this.#open(key)
  }

  get current(): Outbox {
    return this.#current.outbox
  }

  /** Whether messages that the current outbox accepts survive a crash. */
  get isDurable(): boolean {
    return this.#current.store?.isDurable === true
  }

  get key(): string {
    return this.#current.key
  }

  /** Makes the outbox of a key the current one. The messages of the others stay there. */
  use(key: string): void {
    if (key === this.key) return
    this.current.transmission.close()
    this.#current = this.#open(key)
    // The machine then acquires the current outbox and waits for its expiry.
    this.#tellMachine({ type: 'outbox.lost' })
    this.#options.changed()
  }

  /** Opens the channel of the current outbox. */
  openChannel(channel: Channel): void {
    this.current.transmission.open(channel)
    this.#tellMachine({ type: 'channel.opened' })
  }

  /** Sends no new messages; acknowledgements are still read. */
  pauseChannel(): void {
    this.#tellMachine({ type: 'channel.closed' })
  }

  closeChannel(): void {
    this.pauseChannel()
    this.current.transmission.close()
  }

  dispose(): void {
    for (const { outbox } of this.#opened.values()) outbox.dispose()
  }

  // What the machine asks for.

  listen(send: (event: OutboxEvent) => void): void {
    this.#tellMachine = send
  }

  acquire(): void {
    this.current.acquire()
  }

  startSending(): void {
    this.current.transmission.start()
  }

  stopSending(): void {
    this.current.transmission.stop()
  }

  removeExpired(): void {
    this.current.expiry.removeExpired()
  }

  nextExpiryAt(): number | undefined {
    return this.current.expiry.nextExpiryAt()
  }

  #open(key: string): OpenOutbox {
    const known = this.#opened.get(key)
    if (known !== undefined) return known
    const store = this.#options.openStore(key)
    const isCurrent = (): boolean => this.key === key
    const outbox = new Outbox({
      ...this.#options,
      store,
      changed: () => {
        if (isCurrent()) this.#options.changed()
      },
      tell: (fact) => {
        if (isCurrent()) this.#tell(fact)
      },
    })
    const opened = { key, outbox, store }
    this.#opened.set(key, opened)
    return opened
  }

  #tell(fact: OutboxFact): void {
    switch (fact.type) {
      case 'outbox.transmitted':
        this.#options.tellDelivery(fact)
        break
      case 'outbox.acquired':
        this.#tellMachine(fact)
        this.#options.tellDelivery(fact)
        break
      default:
        this.#tellMachine(fact)
    }
  }
}
