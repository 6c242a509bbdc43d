import type { SendOptions } from '../schemas/outbox-rule.js'
import { sizeOf } from '../transport/frame-size.js'
import { openStore } from './open-store.js'
import { createEntry, listMessages, type OutboxEntry } from './outbox-entry.js'
import { OutboxExpiry } from './outbox-expiry.js'
import type { OutboxState, WaitingMessage } from './outbox-view.js'
import type { OutboxParts } from './parts.js'
import { OutboxQueue } from './queue.js'
import { createUnsentReceipt, OpenReceipt, type Receipt, type SendOutcome } from './receipt.js'
import { notSent, settleEntry, type TakeBackReason, unknownOutcome } from './settle.js'
import { StandbyMessages } from './standby-messages.js'
import { StoredCursor } from './stored-cursor.js'
import type { OutboxStoreEvents, OwnedOutbox } from './store/outbox-port.js'
import type { OutboxStore } from './store/outbox-store.js'
import { createIdentity, type OutboxIdentity } from './store/identity.js'
import type { StoredMessage } from './store/stored-message.js'
import { Transmission, type TransmittedOutbox } from './transmission.js'

/** Messages from when they are accepted until they are settled. */
export class Outbox implements TransmittedOutbox {
  readonly queue: OutboxQueue
  readonly transmission: Transmission
  readonly expiry: OutboxExpiry
  /** Absent: the outbox is in memory alone. */
  readonly store: OutboxStore | undefined
  readonly storedCursor: StoredCursor
  readonly counts: OutboxParts['counts']
  readonly #parts: OutboxParts
  readonly #standby: StandbyMessages
  readonly #disposal = new AbortController()
  // One random id for all messages: a new one for each would cost more than the rest of `accept`.
  readonly #idPrefix: string
  #lastId = 0
  // `undefined` while another handle owns the outbox, or it is not known who does.
  #identity: OutboxIdentity | undefined

  constructor(parts: OutboxParts) {
    const { options } = parts
    this.#parts = parts
    this.counts = parts.counts
    this.store = openStore(parts, this.#createEvents())
    this.storedCursor = new StoredCursor(this.store, () => {
      if (!this.#disposal.signal.aborted) parts.tell({ type: 'outbox.opened' })
    })
    this.queue = new OutboxQueue(options)
    this.#standby = new StandbyMessages(options)
    this.#idPrefix = options.makeId()
    this.transmission = new Transmission(parts, this)
    this.expiry = new OutboxExpiry(parts, this.queue, (entry) => this.#expire(entry))
  }

  /** How servers know the outbox and this handle, while this handle owns it. */
  get identity(): OutboxIdentity | undefined {
    return this.#identity
  }

  /** Whether nobody here waits for anything of it. */
  get isIdle(): boolean {
    return this.queue.size === 0 && this.#standby.isIdle
  }

  get status(): Omit<OutboxState, 'delivery'> {
    const queue = this.queue
    const standby = this.#standby
    return {
      depth: queue.size + standby.size,
      inFlight: queue.numbered.length,
      bytes: queue.bytes + standby.bytes,
      oldestAt: (queue.oldest ?? standby.entries()[0])?.message.acceptedAt,
      isOwner: this.#identity !== undefined,
      isDurable: this.store?.isDurable === true,
    }
  }

  /** Accepts a message, in any state. The receipt tells its outcome. */
  accept(type: string, payload: unknown, given: SendOptions): Receipt {
    const { encoder, host, options, rules } = this.#parts
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
    const isStandby = this.store !== undefined && this.#identity === undefined
    if (!(isStandby ? this.#standby.offer(entry) : this.#enqueue(entry))) {
      const bounds = `${options.maxMessages} messages, ${options.maxBytes} bytes`
      return createUnsentReceipt(type, 'full', `The outbox is full (${bounds}).`)
    }
    if (isStandby) this.#persist(entry)
    this.counts.accepted += 1
    this.expiry.schedule()
    this.transmission.pumpAccepted()
    this.#parts.changed()
    return open.receipt
  }

  /** Waits for ownership, and tells `outbox.acquired`: at once where there is no storage. */
  acquire(): void {
    this.expiry.reschedule()
    if (this.#identity !== undefined) this.#parts.tell({ type: 'outbox.acquired' })
    else if (this.store !== undefined) this.store.acquire()
    else this.#adopt(createIdentity(this.#parts.options.makeId))
  }

  /** Takes a new `cid`, since the server does not take what comes under this one. */
  async renew(): Promise<void> {
    const identity =
      this.store === undefined
        ? createIdentity(this.#parts.options.makeId)
        : await this.store.renew()
    if (identity === undefined || this.#identity === undefined) return
    for (const entry of this.queue.entries()) entry.mayBeDuplicate ||= entry.receipt === undefined
    this.#adopt(identity)
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

  /** Another outbox is in use: other handles may send what is stored in this one. */
  leave(): void {
    this.transmission.close()
    // A storage that does not work can pass nothing on.
    if (this.store?.isDurable !== true || this.#identity === undefined) return
    this.store.release()
    this.#lose()
  }

  /** Settles all receipts and closes the storage, which keeps its messages for the next run. */
  async dispose(): Promise<void> {
    if (this.#disposal.signal.aborted) return
    this.#disposal.abort()
    this.transmission.close()
    for (const { persistence, receipt, wasTransmitted } of this.#entries()) {
      const isLost = persistence === 'none' && !wasTransmitted
      receipt?.settle(isLost ? notSent('disposed') : unknownOutcome('disposed'))
    }
    await this.store?.close()
  }

  settle(entry: OutboxEntry, outcome: SendOutcome): void {
    if (outcome.outcome === 'delivered' && !entry.isAbandoned) this.counts.delivered += 1
    settleEntry(entry, outcome, this.store)
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
    // First: a handler that hears of the others may take this one back.
    if (entry.persistence === 'none') this.#persist(entry)
    if (displaced.replaced !== undefined) this.settle(displaced.replaced, notSent('replaced'))
    for (const dropped of displaced.dropped) this.settle(dropped, notSent('dropped'))
    return true
  }

  #persist(entry: OutboxEntry): void {
    const { store } = this
    if (store === undefined) return entry.receipt?.durable.give(false)
    entry.persistence = 'pending'
    void store.add(entry.message).then((durable) => {
      entry.persistence = durable ? 'stored' : 'failed'
      const isSent = entry.receipt?.outcome.value?.outcome !== 'notSent'
      entry.receipt?.durable.give(durable && isSent)
      if (this.#identity !== undefined && this.#standby.hasTakenBack(entry.message.id))
        this.#forget(entry)
      this.transmission.pumpAccepted()
    })
  }

  /** Another handle, which cannot know how full this outbox is, has accepted messages. */
  #addOthers(messages: readonly StoredMessage[]): void {
    const { changed, encoder } = this.#parts
    if (this.#identity === undefined) return
    for (const message of messages) {
      if (this.queue.find(message.id) !== undefined) continue
      const entry = createEntry(message, encoder.sizeOf(message), 'stored', undefined)
      if (!this.#enqueue(entry)) this.settle(entry, notSent('full'))
      this.expiry.schedule()
    }
    this.transmission.pump()
    changed()
  }

  /** The owner has settled a message. This handle may not know yet that another one is the owner. */
  #noteRemoved(id: string, outcome: SendOutcome): void {
    this.#standby.forgetTakenBack(id)
    const entry = this.#standby.take(id) ?? this.queue.find(id)
    if (entry === undefined) return
    this.queue.remove(entry)
    entry.receipt?.settle(outcome)
    this.#parts.changed()
  }

  #own({ identity, ...stored }: OwnedOutbox): void {
    if (this.#disposal.signal.aborted) return
    // What was accepted while the storage did not work is here already.
    const messages = stored.messages.filter(({ id }) => this.queue.find(id) === undefined)
    const found = this.#standby.takeOver({ ...stored, messages }, this.#parts.encoder)
    this.#adopt(identity, found.entries)
    for (const entry of found.withdrawn) this.#forget(entry)
    this.expiry.schedule()
  }

  /** Is known to servers by this identity from now on. Messages of another one lose their numbers. */
  #adopt(identity: OutboxIdentity, restored: readonly OutboxEntry[] = []): void {
    const { changed, tell } = this.#parts
    this.transmission.forgetNumbers()
    this.#identity = identity
    this.queue.restore(restored)
    this.transmission.begin(identity)
    tell({ type: 'outbox.acquired' })
    changed()
  }

  /** Deletes from the storage a message that was taken back while on standby. */
  #forget(entry: OutboxEntry): void {
    this.#standby.forgetTakenBack(entry.message.id)
    settleEntry(entry, unknownOutcome('aborted'), this.store)
  }

  #lose(): void {
    this.#identity = undefined
    this.transmission.close()
    for (const entry of this.queue.entries()) {
      if (entry.isAbandoned) this.#standby.noteTakenBack(entry.message.id)
      else if (entry.receipt !== undefined) this.#standby.restore(entry)
    }
    this.queue.clear()
    this.#parts.tell({ type: 'outbox.lost' })
    this.#parts.changed()
  }

  #createEvents(): OutboxStoreEvents {
    return {
      owned: (outbox) => this.#own(outbox),
      lost: () => this.#lose(),
      added: (messages) => this.#addOthers(messages),
      // A client of this library wrote it, so it is one of its outcomes.
      removed: (id, outcome) => this.#noteRemoved(id, outcome as unknown as SendOutcome),
      gone: () => this.#noteGone(),
      changed: this.#parts.changed,
    }
  }

  /** The storage has lost its data: whoever owned the outbox cannot tell the outcomes any more. */
  #noteGone(): void {
    // Only those that were stored are left: the others are in the queue of the outbox in memory.
    for (const { receipt } of this.#standby.takeAll()) {
      receipt?.settle(unknownOutcome('takenOver'))
    }
    this.#parts.changed()
  }
}
