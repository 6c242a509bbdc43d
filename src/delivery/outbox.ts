import type { Clock } from '../base/clock.js'
import type { WhenFull } from '../schemas/outbox-rule.js'
import { sizeOf } from '../transport/frame-size.js'
import type { Handover } from '../transport/link.js'
import type { MessageEncoder } from './message-encoder.js'
import { createMessage, type NewMessage } from './new-message.js'
import { createEntry, listMessages, type OutboxEntry } from './outbox-entry.js'
import { OutboxExpiry } from './outbox-expiry.js'
import type { OutboxFact } from './outbox-fact.js'
import type { DeliveryCounts, OutboxStatus, WaitingMessage } from './outbox-view.js'
import { type OutboxLimits, OutboxQueue } from './queue.js'
import { createUnsentReceipt, OpenReceipt, type Receipt, type SendOutcome } from './receipt.js'
import { notSent, type OutboxOwner, settleEntry, type TakeBackReason, unknown } from './settle.js'
import { StandbyMessages } from './standby-messages.js'
import type { GuardedOutbox, GuardedOutboxStore } from './store/outbox-store.js'
import type { StoredMessage } from './store/outbox-store.js'
import { createStoredEntry, takeOver } from './takeover.js'
import { Transmission } from './transmission.js'

/** What an {@link Outbox} needs. None of the functions throws. */
export interface OutboxOptions {
  readonly limits: OutboxLimits
  readonly clock: Clock
  readonly makeId: () => string
  /** Absent: the outbox is in memory alone. */
  readonly store: GuardedOutboxStore | undefined
  /** What makes room for a message of this type that another handle added. */
  readonly whenFull: (type: string) => WhenFull
  readonly encoder: MessageEncoder
  readonly sendFrame: (frame: string) => Handover
  /** `sendFrame` refuses a larger frame, in bytes. */
  readonly maxFrameBytes: number
  /** Called when the status has changed. */
  readonly changed: () => void
  readonly tell: (fact: OutboxFact) => void
}

/**
 * Messages from when they are accepted until they are settled. Nothing is read from the storage or
 * locked before `acquire`.
 */
export class Outbox {
  readonly transmission: Transmission
  readonly expiry: OutboxExpiry
  readonly #options: OutboxOptions
  readonly #queue: OutboxQueue
  readonly #standby: StandbyMessages
  readonly #disposal = new AbortController()
  // One random id for all messages: a new one for each would cost more than the rest of `accept`.
  readonly #idPrefix: string
  readonly #counts = { accepted: 0, delivered: 0 }
  #lastId = 0
  // `undefined` while another handle owns the outbox, or it is not known who does.
  #owner: OutboxOwner | undefined

  constructor(options: OutboxOptions) {
    const { limits, clock, encoder, sendFrame, maxFrameBytes, tell } = options
    this.#options = options
    this.#queue = new OutboxQueue(limits)
    this.#standby = new StandbyMessages(limits)
    this.#idPrefix = options.makeId()
    this.transmission = new Transmission({
      queue: this.#queue,
      clock,
      encoder,
      sendFrame,
      maxFrameBytes,
      tell,
      owner: () => this.#owner,
      removeExpired: () => this.expiry.removeOverdue(),
      settle: (entry, outcome) => this.#settle(entry, outcome),
    })
    this.expiry = new OutboxExpiry({
      queue: this.#queue,
      clock,
      withdraw: (entry) => this.transmission.withdraw(entry),
      settle: (entry) => this.#settle(entry, notSent('expired')),
      scheduled: () => tell({ type: 'outbox.expiryScheduled' }),
    })
    options.store?.watch({
      added: (messages) => this.#addOthers(messages),
      removed: (id, outcome) =>
        // A client of this library wrote it, so it is one of its outcomes.
        this.#noteRemoved(id, outcome as unknown as SendOutcome),
    })
  }

  /** Our name on the wire and our fencing token, while this handle owns the outbox. */
  get owner(): Pick<OutboxOwner, 'cid' | 'fence'> | undefined {
    return this.#owner
  }

  get status(): OutboxStatus {
    const queue = this.#queue
    const standby = this.#standby
    return {
      depth: queue.size + standby.size,
      inFlight: queue.numbered.length,
      bytes: queue.bytes + standby.bytes,
      oldestAt: (queue.oldest ?? standby.entries()[0])?.message.acceptedAt,
      isOwner: this.#owner !== undefined,
    }
  }

  get counts(): Pick<DeliveryCounts, 'accepted' | 'delivered' | 'transmitted' | 'retransmitted'> {
    return { ...this.#counts, ...this.transmission.counts }
  }

  /** Accepts a message, in any state. The receipt tells its outcome. */
  accept(given: NewMessage): Receipt {
    const { type, whenFull } = given
    const { clock, encoder, limits, store } = this.#options
    if (this.#disposal.signal.aborted) {
      return createUnsentReceipt(type, 'disposed', 'The client has been disposed.')
    }
    const message = createMessage(given, this.#nextId(), clock.epoch())
    const encoded = encoder.encode(message)
    if (!encoded.ok) return createUnsentReceipt(type, 'invalid', encoded.detail)
    const open = new OpenReceipt(type, () => void this.takeBack(message.id, 'aborted'))
    const entry = createEntry(message, sizeOf(encoded.frame), 'none', open)
    // The owner sends it. While nobody here knows who that is, it waits.
    const isStandby = store !== undefined && this.#owner === undefined
    if (!(isStandby ? this.#standby.offer(entry) : this.#enqueue(entry, whenFull))) {
      const bounds = `${limits.maxMessages} messages, ${limits.maxBytes} bytes`
      return createUnsentReceipt(type, 'full', `The outbox is full (${bounds}).`)
    }
    this.#counts.accepted += 1
    this.#persist(entry)
    this.expiry.schedule()
    this.transmission.pumpAccepted()
    this.#options.changed()
    return open.receipt
  }

  /** Waits for ownership, and tells `outbox.acquired`: at once where there is no storage. */
  acquire(): void {
    const { changed, makeId, store, tell } = this.#options
    this.expiry.reschedule()
    if (this.#owner !== undefined) {
      tell({ type: 'outbox.acquired' })
    } else if (store !== undefined) {
      void store.acquire(this.#disposal.signal).then((stored) => {
        if (stored !== undefined) this.#own(stored)
      })
    } else {
      this.#owner = { cid: makeId(), fence: 1 }
      tell({ type: 'outbox.acquired' })
      changed()
    }
  }

  messages(): readonly WaitingMessage[] {
    return listMessages(this.#entries())
  }

  /** Takes a message back; gives whether it was there. */
  takeBack(id: string, reason: TakeBackReason): boolean {
    const entry = this.#queue.find(id)
    if (entry === undefined) return this.#takeBackStandby(id, reason)
    if (entry.isAbandoned) return false
    this.transmission.withdraw(entry)
    if (entry.n === undefined) {
      this.#queue.remove(entry)
      this.#settle(entry, entry.wasTransmitted ? unknown(reason) : notSent(reason))
    } else {
      // The server has its number, or will: the entry stays until the server answers for it.
      entry.isAbandoned = true
      entry.receipt?.settle(unknown(reason))
      this.#options.changed()
    }
    return true
  }

  /** Takes all messages back. */
  clear(): void {
    for (const { message } of this.#entries()) this.takeBack(message.id, 'cleared')
  }

  /** Settles all receipts and closes the storage, which keeps its messages for the next run. */
  dispose(): void {
    if (this.#disposal.signal.aborted) return
    this.#disposal.abort()
    this.transmission.close()
    for (const { persistence, receipt, wasTransmitted } of this.#entries()) {
      const isLost = persistence === 'none' && !wasTransmitted
      receipt?.settle(isLost ? notSent('disposed') : { outcome: 'unknown', reason: 'disposed' })
    }
    void this.#options.store?.close()
  }

  #entries(): OutboxEntry[] {
    return [...this.#queue.entries(), ...this.#standby.entries()]
  }

  #nextId(): string {
    this.#lastId += 1
    return `${this.#idPrefix}/${this.#lastId}`
  }

  #enqueue(entry: OutboxEntry, whenFull: WhenFull): boolean {
    const displaced = this.#queue.offer(entry, whenFull)
    if (displaced === undefined) return false
    if (displaced.replaced !== undefined) this.#settle(displaced.replaced, notSent('replaced'))
    for (const dropped of displaced.dropped) this.#settle(dropped, notSent('dropped'))
    return true
  }

  #persist(entry: OutboxEntry): void {
    const { changed, store } = this.#options
    if (store === undefined) {
      entry.receipt?.tellDurable(false)
      return
    }
    const wasDurable = store.isDurable
    entry.persistence = 'pending'
    void store.add([entry.message]).then(({ durable }) => {
      entry.persistence = 'done'
      entry.receipt?.tellDurable(durable)
      if (durable !== wasDurable) changed()
      entry.whenPersisted?.()
      if (this.#owner !== undefined && this.#standby.hasTakenBack(entry.message.id))
        this.#forget(entry)
      this.transmission.pumpAccepted()
    })
  }

  /** Settles a message that was removed from the queue. */
  #settle(entry: OutboxEntry, outcome: SendOutcome): void {
    if (outcome.outcome === 'delivered' && !entry.isAbandoned) this.#counts.delivered += 1
    settleEntry(entry, outcome, this.#owner?.write)
    this.#options.changed()
  }

  #takeBackStandby(id: string, reason: TakeBackReason): boolean {
    const entry = this.#standby.takeBack(id)
    entry?.receipt?.settle(unknown(reason))
    this.#options.changed()
    return entry !== undefined
  }

  /** Another handle, which cannot know how full this outbox is, has accepted messages. */
  #addOthers(messages: readonly StoredMessage[]): void {
    const { changed, encoder, whenFull } = this.#options
    if (this.#owner === undefined) return
    for (const message of messages) {
      const entry = createStoredEntry(message, undefined, encoder)
      if (!this.#enqueue(entry, whenFull(message.type))) this.#settle(entry, notSent('full'))
      this.expiry.schedule()
    }
    this.transmission.pump()
    changed()
  }

  /** The owner has settled a message. It may tell so before this handle knows that it is no owner. */
  #noteRemoved(id: string, outcome: SendOutcome): void {
    this.#standby.forgetTakenBack(id)
    const entry = this.#standby.take(id) ?? this.#queue.find(id)
    if (entry === undefined) return
    this.#queue.remove(entry)
    entry.receipt?.settle(outcome)
    this.#options.changed()
  }

  #own(stored: GuardedOutbox): void {
    const { changed, encoder, makeId, tell } = this.#options
    if (this.#disposal.signal.aborted) return
    const { identity = { cid: makeId() }, fence } = stored
    this.#owner = { cid: identity.cid, fence, write: (change) => stored.write(change) }
    if (stored.identity === undefined) void stored.write({ identity })
    const { entries, withdrawn } = takeOver(stored.messages, this.#standby, encoder)
    this.#queue.restore(entries)
    for (const entry of withdrawn) this.#forget(entry)
    stored.lost.addEventListener('abort', () => this.#lose(), { once: true })
    this.expiry.schedule()
    tell({ type: 'outbox.acquired' })
    if (stored.lost.aborted) this.#lose()
    changed()
  }

  /** Deletes from the storage a message that was taken back while on standby. */
  #forget(entry: OutboxEntry): void {
    this.#standby.forgetTakenBack(entry.message.id)
    settleEntry(entry, unknown('aborted'), this.#owner?.write)
  }

  #lose(): void {
    if (this.#owner === undefined) return
    this.#owner = undefined
    this.transmission.close()
    for (const entry of this.#queue.entries()) {
      if (entry.receipt !== undefined && !entry.isAbandoned) this.#standby.restore(entry)
    }
    this.#queue.clear()
    this.#options.tell({ type: 'outbox.lost' })
    this.#options.changed()
  }
}
