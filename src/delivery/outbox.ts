import type { SendOptions } from '../schemas/outbox-rule.js'
import { sizeOf } from '../transport/frame-size.js'
import { createEntry, listMessages, type OutboxEntry } from './outbox-entry.js'
import { OutboxExpiry } from './outbox-expiry.js'
import type { OutboxState, WaitingMessage } from './outbox-view.js'
import type { OutboxParts } from './parts.js'
import { OutboxQueue } from './queue.js'
import { createUnsentReceipt, OpenReceipt, type Receipt, type SendOutcome } from './receipt.js'
import {
  notSent,
  type OutboxOwner,
  settleEntry,
  type TakeBackReason,
  unknownOutcome,
} from './settle.js'
import { StandbyMessages } from './standby-messages.js'
import type { GuardedOutbox, StoredMessage } from './store/outbox-store.js'
import { Transmission, type TransmittedOutbox } from './transmission.js'

/**
 * Messages from when they are accepted until they are settled. Nothing is read from the storage or
 * locked before `acquire`.
 */
export class Outbox implements TransmittedOutbox {
  readonly queue: OutboxQueue
  readonly transmission: Transmission
  readonly expiry: OutboxExpiry
  readonly counts = { accepted: 0, delivered: 0, transmitted: 0, retransmitted: 0 }
  readonly #parts: OutboxParts
  readonly #standby: StandbyMessages
  readonly #disposal = new AbortController()
  // One random id for all messages: a new one for each would cost more than the rest of `accept`.
  readonly #idPrefix: string
  #lastId = 0
  // `undefined` while another handle owns the outbox, or it is not known who does.
  #owner: OutboxOwner | undefined

  constructor(parts: OutboxParts) {
    const { options, store } = parts
    this.#parts = parts
    this.queue = new OutboxQueue(options)
    this.#standby = new StandbyMessages(options)
    this.#idPrefix = options.makeId()
    this.transmission = new Transmission(parts, this)
    this.expiry = new OutboxExpiry(parts, this.queue, (entry) => this.#expire(entry))
    store?.watch({
      added: (messages) => this.#addOthers(messages),
      removed: (id, outcome) =>
        // A client of this library wrote it, so it is one of its outcomes.
        this.#noteRemoved(id, outcome as unknown as SendOutcome),
    })
  }

  /** Our name on the wire and our fencing token, while this handle owns the outbox. */
  get owner(): OutboxOwner | undefined {
    return this.#owner
  }

  get status(): Omit<OutboxState, 'delivery'> {
    const queue = this.queue
    const standby = this.#standby
    return {
      depth: queue.size + standby.size,
      inFlight: queue.numbered.length,
      bytes: queue.bytes + standby.bytes,
      oldestAt: (queue.oldest ?? standby.entries()[0])?.message.acceptedAt,
      isOwner: this.#owner !== undefined,
      isDurable: this.#parts.store?.isDurable === true,
    }
  }

  /** Accepts a message, in any state. The receipt tells its outcome. */
  accept(type: string, payload: unknown, given: SendOptions): Receipt {
    const { encoder, host, options, rules, store } = this.#parts
    this.#lastId += 1
    const id = `${this.#idPrefix}/${this.#lastId}`
    const acceptedAt = host.clock.epoch()
    const message = rules.apply({ id, type, payload, acceptedAt }, given)
    const encoded = encoder.encode(message)
    if (!encoded.ok) return createUnsentReceipt(type, 'invalid', encoded.detail)
    // `keepLatestBy` and the envelope are the user's code: they may have disposed the client.
    if (this.#disposal.signal.aborted) {
      return createUnsentReceipt(type, 'disposed', 'The client has been disposed.')
    }
    const open = new OpenReceipt(type, () => void this.takeBack(id, 'aborted'))
    const entry = createEntry(message, sizeOf(encoded.frame), 'none', open)
    // The owner sends it. While nobody here knows who that is, it waits.
    const isStandby = store !== undefined && this.#owner === undefined
    if (!(isStandby ? this.#standby.offer(entry) : this.#enqueue(entry))) {
      const bounds = `${options.maxMessages} messages, ${options.maxBytes} bytes`
      return createUnsentReceipt(type, 'full', `The outbox is full (${bounds}).`)
    }
    this.counts.accepted += 1
    this.#persist(entry)
    this.expiry.schedule()
    this.transmission.pumpAccepted()
    this.#parts.changed()
    return open.receipt
  }

  /** Waits for ownership, and tells `outbox.acquired`: at once where there is no storage. */
  acquire(): void {
    const { changed, options, store, tell } = this.#parts
    this.expiry.reschedule()
    if (this.#owner !== undefined) {
      tell({ type: 'outbox.acquired' })
    } else if (store !== undefined) {
      void store.acquire(this.#disposal.signal).then((stored) => {
        if (stored !== undefined) this.#own(stored)
      })
    } else {
      this.#owner = { cid: options.makeId(), fence: 1 }
      tell({ type: 'outbox.acquired' })
      changed()
    }
  }

  messages(): readonly WaitingMessage[] {
    return listMessages(this.#entries())
  }

  /** Takes a message back; gives whether it was there. */
  takeBack(id: string, reason: TakeBackReason): boolean {
    const entry = this.queue.find(id)
    if (entry === undefined) {
      const standby = this.#standby.takeBack(id)
      standby?.receipt?.settle(unknownOutcome(reason))
      this.#parts.changed()
      return standby !== undefined
    }
    if (entry.isAbandoned) return false
    this.transmission.withdraw(entry)
    if (entry.n === undefined) {
      this.queue.remove(entry)
      this.settle(entry, entry.wasTransmitted ? unknownOutcome(reason) : notSent(reason))
    } else {
      // The server has its number, or will: the entry stays until the server answers for it.
      entry.isAbandoned = true
      entry.receipt?.settle(unknownOutcome(reason))
      this.#parts.changed()
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
      receipt?.settle(isLost ? notSent('disposed') : unknownOutcome('disposed'))
    }
    void this.#parts.store?.close()
  }

  settle(entry: OutboxEntry, outcome: SendOutcome): void {
    if (outcome.outcome === 'delivered' && !entry.isAbandoned) this.counts.delivered += 1
    settleEntry(entry, outcome, this.#owner?.write)
    this.#parts.changed()
  }

  #expire(entry: OutboxEntry): void {
    this.transmission.withdraw(entry)
    // A handler that heard of another expiry may have taken this one back.
    if (this.queue.remove(entry)) this.settle(entry, notSent('expired'))
  }

  #entries(): OutboxEntry[] {
    return [...this.queue.entries(), ...this.#standby.entries()]
  }

  #enqueue(entry: OutboxEntry): boolean {
    const displaced = this.queue.offer(entry, this.#parts.rules.whenFull(entry.message.type))
    if (displaced === undefined) return false
    if (displaced.replaced !== undefined) this.settle(displaced.replaced, notSent('replaced'))
    for (const dropped of displaced.dropped) this.settle(dropped, notSent('dropped'))
    return true
  }

  #persist(entry: OutboxEntry): void {
    const { changed, store } = this.#parts
    if (store === undefined) return entry.receipt?.durable.give(false)
    const wasDurable = store.isDurable
    entry.persistence = 'pending'
    void store.add([entry.message]).then(({ durable }) => {
      entry.persistence = 'answered'
      entry.receipt?.durable.give(durable)
      if (durable !== wasDurable) changed()
      entry.whenPersisted?.()
      if (this.#owner !== undefined && this.#standby.hasTakenBack(entry.message.id))
        this.#forget(entry)
      this.transmission.pumpAccepted()
    })
  }

  /** Another handle, which cannot know how full this outbox is, has accepted messages. */
  #addOthers(messages: readonly StoredMessage[]): void {
    const { changed, encoder } = this.#parts
    if (this.#owner === undefined) return
    for (const message of messages) {
      const entry = createEntry(message, encoder.sizeOf(message), 'answered', undefined)
      if (!this.#enqueue(entry)) this.settle(entry, notSent('full'))
      this.expiry.schedule()
    }
    this.transmission.pump()
    changed()
  }

  /** The owner has settled a message. It may tell so before this handle knows that it is no owner. */
  #noteRemoved(id: string, outcome: SendOutcome): void {
    this.#standby.forgetTakenBack(id)
    const entry = this.#standby.take(id) ?? this.queue.find(id)
    if (entry === undefined) return
    this.queue.remove(entry)
    entry.receipt?.settle(outcome)
    this.#parts.changed()
  }

  #own(stored: GuardedOutbox): void {
    const { changed, encoder, options, tell } = this.#parts
    if (this.#disposal.signal.aborted) return
    const { identity = { cid: options.makeId() }, fence } = stored
    this.#owner = { cid: identity.cid, fence, write: (change) => stored.write(change) }
    if (stored.identity === undefined) void stored.write({ identity })
    const { entries, withdrawn } = this.#standby.takeOver(stored.messages, encoder)
    this.queue.restore(entries)
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
    settleEntry(entry, unknownOutcome('aborted'), this.#owner?.write)
  }

  #lose(): void {
    if (this.#owner === undefined) return
    this.#owner = undefined
    this.transmission.close()
    for (const entry of this.queue.entries()) {
      if (entry.receipt !== undefined && !entry.isAbandoned) this.#standby.restore(entry)
    }
    this.queue.clear()
    this.#parts.tell({ type: 'outbox.lost' })
    this.#parts.changed()
  }
}
