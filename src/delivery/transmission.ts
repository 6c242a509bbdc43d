import { type AcknowledgedChannel, type Channel, delivered, sortByAnswer } from './channel.js'
import { InFlight } from './in-flight.js'
import type { OutboxEntry } from './outbox-entry.js'
import type { OutboxExpiry } from './outbox-expiry.js'
import type { OutboxParts } from './parts.js'
import type { OutboxQueue } from './queue.js'
import type { SendOutcome } from './receipt.js'
import { unknownOutcome } from './settle.js'
import type { OutboxStore } from './store/outbox-store.js'
import type { OutboxIdentity } from './store/identity.js'

/** The outbox whose messages a {@link Transmission} sends. */
export interface TransmittedOutbox {
  readonly queue: OutboxQueue
  /** `undefined` while another handle owns the outbox. */
  readonly identity: OutboxIdentity | undefined
  readonly store: OutboxStore | undefined
  readonly expiry: OutboxExpiry
  readonly counts: { transmitted: number; retransmitted: number }
  /** Settles a message that was removed from the queue. */
  settle(entry: OutboxEntry, outcome: SendOutcome): void
}

const refusedAsTooLarge = { outcome: 'refused', code: 'too-large' } as const

/**
 * Numbers messages, sends them, and reads what became of them. A number is written to the storage
 * before its message is sent, so that no other message ever gets it.
 */
export class Transmission {
  readonly inFlight: InFlight
  readonly #parts: OutboxParts
  readonly #outbox: TransmittedOutbox
  readonly #queue: OutboxQueue
  #channel: Channel | undefined
  #isFlowing = false
  // Numbers are being written to the storage.
  #isWriting = false
  #isPumping = false
  // A message was accepted in this turn of the event loop.
  #isTurnOpen = false
  #nextNumber = 1
  // The highest number that was ever given under the present `cid`.
  #highest = 0
  // Messages that got their number on this channel and were not sent yet.
  #outgoing: OutboxEntry[] = []

  constructor(parts: OutboxParts, outbox: TransmittedOutbox) {
    this.#parts = parts
    this.#outbox = outbox
    this.#queue = outbox.queue
    this.inFlight = new InFlight(() => parts.tell({ type: 'outbox.transmitted' }))
  }

  /** The highest number that a message was given; the server cannot have accepted a higher one. */
  get highest(): number {
    return this.#highest
  }

  /** The outbox is known to servers by this identity from now on. */
  begin({ numbered }: OutboxIdentity): void {
    this.#highest = numbered
  }

  /** All messages are for another `cid` from now on. They get their numbers on the next channel. */
  forgetNumbers(): void {
    for (const entry of this.#queue.numbered) entry.mayBeDuplicate ||= entry.wasTransmitted
    this.close()
  }

  /** A channel is there. Nothing is sent before {@link start}. */
  open(channel: Channel): void {
    this.#isFlowing = false
    this.#channel = channel
    this.inFlight.clear()
    if (channel.kind === 'acknowledged') this.#resume(channel)
    else this.#withdrawFrom(0)
  }

  close(): void {
    this.#isFlowing = false
    this.#channel = undefined
    this.#withdrawFrom(0)
    this.inFlight.clear()
  }

  /** Sends messages from now on, as they come. */
  start(): void {
    this.#isFlowing = true
    this.pump()
  }

  stop(): void {
    this.#isFlowing = false
  }

  /** Sends the messages that can be sent now. */
  pump(): void {
    const { identity } = this.#outbox
    // A handler that hears of an outcome may send at once: the loop below comes to that message.
    if (this.#isPumping || !this.#isFlowing || this.#isWriting || identity === undefined) return
    this.#isPumping = true
    // The expiry timer may be late, and a frame from the socket be read before it.
    this.#outbox.expiry.removeOverdue()
    const channel = this.#channel
    if (channel?.kind === 'plain') this.#pumpPlain(channel.maxBytes)
    else if (channel !== undefined && this.#sendOutgoing(identity, channel)) {
      this.#numberMore(identity, channel)
    }
    this.#isPumping = false
  }

  /**
   * Does the same after a message was accepted. The first message of a turn of the event loop is
   * sent at once, the others of that turn together at its end.
   */
  pumpAccepted(): void {
    if (this.#isTurnOpen) return
    this.#isTurnOpen = true
    queueMicrotask(() => {
      this.#isTurnOpen = false
      this.pump()
    })
    this.pump()
  }

  /** Takes a message's number back, unless the message was sent under it. */
  withdraw(entry: OutboxEntry): void {
    const at = this.#outgoing.indexOf(entry)
    if (at >= 0) this.#withdrawFrom(at)
  }

  /** The server has accepted all numbers up to this one. */
  acknowledge(n: number): void {
    const queue = this.#queue
    for (let entry = queue.numbered[0]; entry !== undefined; entry = queue.numbered[0]) {
      if (entry.n === undefined || entry.n > n) break
      this.#settle(entry, delivered(entry))
    }
    this.pump()
  }

  /** The server has refused a number for good. */
  refuse(n: number, code: string): void {
    const entry = this.#queue.numbered.find((numbered) => numbered.n === n)
    if (entry !== undefined) this.#settle(entry, { outcome: 'refused', code })
    this.pump()
  }

  /** The server has refused a number, and all after it, for now. */
  refuseForNow(n: number): void {
    this.#isFlowing = false
    this.#renumber(
      this.#queue.numbered.filter((entry) => entry.n !== undefined && entry.n >= n),
      n,
    )
    this.#parts.tell({ type: 'outbox.refusedForNow', n })
  }

  /** The server closed the connection because a message was too large: settles the largest. */
  refuseLargest(): void {
    const { largest } = this.inFlight
    if (largest !== undefined) this.#settle(largest, refusedAsTooLarge)
  }

  #pumpPlain(maxBytes: number): void {
    for (let entry = this.#nextPlain(); entry !== undefined; entry = this.#nextPlain()) {
      const encoded = this.#parts.encoder.encode(entry.message)
      if (entry.isAbandoned) this.#settle(entry, unknownOutcome('aborted'))
      else if (!encoded.ok) this.#settle(entry, { outcome: 'refused', code: 'invalid' })
      else if (entry.bytes > maxBytes) this.#settle(entry, refusedAsTooLarge)
      else if (!this.#send([entry], encoded.frame)) return
      else this.#settle(entry, { outcome: 'sent' })
    }
  }

  // A message keeps its number until it is sent. A server that looks plain may still send `$hello`,
  // and may have accepted that number on an earlier connection.
  #nextPlain(): OutboxEntry | undefined {
    return this.#isFlowing ? (this.#queue.numbered[0] ?? this.#nextPersisted()) : undefined
  }

  // A message that is still being written holds up those behind it: nothing overtakes it.
  #nextPersisted(): OutboxEntry | undefined {
    const entry = this.#isFlowing ? this.#queue.next() : undefined
    return entry?.persistence === 'pending' ? undefined : entry
  }

  /** Hands a frame to the link; gives whether the link took it. */
  #send(entries: readonly OutboxEntry[], frame: string): boolean {
    const { host, tell } = this.#parts
    const handover = host.link().send(frame)
    if (handover !== 'sent') {
      this.#isFlowing = false
      if (handover === 'full') tell({ type: 'outbox.blocked' })
      return false
    }
    const { counts } = this.#outbox
    counts.transmitted += entries.length
    for (const entry of entries) {
      if (entry.wasTransmitted) counts.retransmitted += 1
      entry.wasTransmitted = true
    }
    return true
  }

  /** Sends the messages that have their number; gives whether the link took them all. */
  #sendOutgoing({ cid }: OutboxIdentity, { maxBytes }: AcknowledgedChannel): boolean {
    const { encoder, host } = this.#parts
    while (this.#outgoing.length > 0) {
      const { entries, frame } = encoder.pack(this.#outgoing, cid, maxBytes)
      if (!this.#send(entries, frame)) return false
      this.#outgoing = this.#outgoing.slice(entries.length)
      this.inFlight.add(entries, host.clock.now())
    }
    return true
  }

  /** Gives numbers to waiting messages, as many as the window allows, and sends them. */
  #numberMore(identity: OutboxIdentity, channel: AcknowledgedChannel): void {
    const { encoder } = this.#parts
    while (this.#queue.numbered.length < channel.window) {
      const entry = this.#nextPersisted()
      if (entry === undefined) break
      if (encoder.isTooLarge(entry, identity.cid, this.#nextNumber, channel.maxBytes)) {
        this.#settle(entry, refusedAsTooLarge)
      } else {
        this.#queue.number(entry, this.#nextNumber)
        entry.sentEpoch = channel.epoch
        this.#nextNumber += 1
        this.#outgoing.push(entry)
      }
    }
    this.#highest = Math.max(this.#highest, this.#nextNumber - 1)
    if (this.#outgoing.length > 0) this.#writeNumbers(identity, channel)
  }

  #writeNumbers(identity: OutboxIdentity, channel: AcknowledgedChannel): void {
    const { store } = this.#outbox
    if (store === undefined) return void this.#sendOutgoing(identity, channel)
    const put = this.#outgoing.map(({ message, n }) => ({
      ...message,
      ...(n !== undefined && { sent: { n, epoch: channel.epoch } }),
    }))
    this.#isWriting = true
    void store.put(put, this.#highest).then(() => {
      this.#isWriting = false
      // If another channel is open by now, they have new numbers.
      this.pump()
    })
  }

  #settle(entry: OutboxEntry, outcome: SendOutcome): void {
    this.#queue.remove(entry)
    this.inFlight.delete(entry)
    this.#outbox.settle(entry, outcome)
  }

  #resume(channel: AcknowledgedChannel): void {
    const { answered, unsent } = sortByAnswer(this.#queue.numbered, channel)
    for (const [entry, outcome] of answered) this.#settle(entry, outcome)
    this.#renumber(unsent, channel.hwm + 1)
  }

  /** Takes the numbers of these messages away. They get new ones, from `n` on. */
  #renumber(entries: readonly OutboxEntry[], n: number): void {
    this.#outgoing = []
    this.#nextNumber = n
    for (const entry of entries) this.inFlight.delete(entry)
    // Before anything is settled: a handler that hears of one outcome may take other messages back.
    this.#queue.renumberLater(entries)
    for (const entry of entries) {
      if (entry.isAbandoned) this.#settle(entry, unknownOutcome('aborted'))
    }
  }

  /** Takes back the numbers from this place of `outgoing` on: no server has seen them. */
  #withdrawFrom(at: number): void {
    const withdrawn = this.#outgoing.slice(at)
    const [first] = withdrawn
    if (first === undefined) return
    this.#outgoing = this.#outgoing.slice(0, at)
    this.#nextNumber = first.n ?? this.#nextNumber
    this.#queue.renumberLater(withdrawn)
  }
}
