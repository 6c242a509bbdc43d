import type { MessageEncoder } from './message-encoder.js'
import { createEntry, forgetNumber, type OutboxEntry } from './outbox-entry.js'
import type { OutboxLimits } from './queue.js'
import type { OwnedOutbox } from './store/outbox-port.js'

/**
 * Messages accepted through this handle while it does not own the outbox: their owner sends them
 * and reports their outcomes. While the owner is not known yet, they wait here too.
 */
export class StandbyMessages {
  readonly #limits: OutboxLimits
  readonly #entries = new Map<string, OutboxEntry>()
  // Ids of messages taken back here, which their owner may have sent.
  readonly #takenBack = new Set<string>()
  #bytes = 0

  constructor(limits: OutboxLimits) {
    this.#limits = limits
  }

  get size(): number {
    return this.#entries.size
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Adds a message; `false` if there is no room. */
  offer(entry: OutboxEntry): boolean {
    const { maxMessages, maxBytes } = this.#limits
    if (this.#entries.size >= maxMessages || this.#bytes + entry.bytes > maxBytes) return false
    this.restore(entry)
    return true
  }

  /** Adds a message that was accepted before, whatever the limits. */
  restore(entry: OutboxEntry): void {
    this.#entries.set(entry.message.id, entry)
    this.#bytes += entry.bytes
  }

  /** Removes a message and gives it; `undefined` if it is not here. */
  take(id: string): OutboxEntry | undefined {
    const entry = this.#entries.get(id)
    if (entry === undefined) return undefined
    this.#entries.delete(id)
    this.#bytes -= entry.bytes
    return entry
  }

  /** Removes a message that nobody wants any more, and notes that. */
  takeBack(id: string): OutboxEntry | undefined {
    const entry = this.take(id)
    if (entry !== undefined) this.#takenBack.add(id)
    return entry
  }

  hasTakenBack(id: string): boolean {
    return this.#takenBack.has(id)
  }

  /** The message is not in the storage any more. */
  forgetTakenBack(id: string): void {
    this.#takenBack.delete(id)
  }

  entries(): OutboxEntry[] {
    return [...this.#entries.values()]
  }

  /** Removes all messages, and gives them. */
  takeAll(): OutboxEntry[] {
    const entries = this.entries()
    for (const { message } of entries) this.take(message.id)
    return entries
  }

  /**
   * What a new owner finds in the storage, joined with the receipts from here: `entries` are for
   * the queue; `withdrawn` were taken back here and never sent, so they are to be deleted from the
   * storage. What stays here was sent and settled by the owner before.
   */
  takeOver(
    { messages, isRenewed }: Pick<OwnedOutbox, 'messages' | 'isRenewed'>,
    encoder: MessageEncoder,
  ): { readonly entries: OutboxEntry[]; readonly withdrawn: OutboxEntry[] } {
    const found = messages.map((message) => {
      const receipt = this.take(message.id)?.receipt
      const entry = createEntry(message, encoder.sizeOf(message), 'stored', receipt)
      if (isRenewed) forgetNumber(entry)
      return entry
    })
    // Not in the storage when it was read, but on the way there.
    const rest = this.entries().filter(({ persistence }) => persistence !== 'stored')
    for (const { message } of rest) this.take(message.id)
    for (const entry of found) entry.isAbandoned = this.#takenBack.has(entry.message.id)
    const isWithdrawn = (entry: OutboxEntry): boolean => entry.isAbandoned && !entry.wasTransmitted
    return {
      entries: [...found.filter((entry) => !isWithdrawn(entry)), ...rest],
      withdrawn: found.filter(isWithdrawn),
    }
  }
}
