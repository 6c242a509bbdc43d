import { OutboxContents } from './outbox-contents.js'
import type { StoredMessage, OutboxChange, OutboxIdentity } from './outbox-store.js'

/**
 * The copy, in memory, of what a handle would lose with its storage: as the owner all messages,
 * as a standby those that it added and that are not settled.
 */
export class OutboxCopy {
  /** The ids of the messages that the storage has. */
  readonly #stored = new Set<string>()
  #contents = new OutboxContents()

  get identity(): OutboxIdentity | undefined {
    return this.#contents.identity
  }

  get messages(): readonly StoredMessage[] {
    return this.#contents.messages
  }

  has(id: string): boolean {
    return this.#contents.has(id)
  }

  apply(change: OutboxChange): void {
    this.#contents.apply(change)
    for (const { id } of change.remove ?? []) this.#stored.delete(id)
  }

  /** Notes that the storage has these messages. Ignores those that were removed meanwhile. */
  noteStored(messages: readonly StoredMessage[]): void {
    for (const { id } of messages) if (this.#contents.has(id)) this.#stored.add(id)
  }

  isStored(id: string): boolean {
    return this.#stored.has(id)
  }

  /** Takes over what the storage has. Messages that it does not have yet follow behind. */
  begin(owned: {
    readonly identity: OutboxIdentity | undefined
    readonly messages: readonly StoredMessage[]
  }): void {
    const unstored = this.#reset()
    const { identity, messages } = owned
    this.#contents.apply({ put: messages, ...(identity !== undefined && { identity }) })
    for (const { id } of messages) this.#stored.add(id)
    this.#contents.apply({ put: unstored.filter(({ id }) => !this.#contents.has(id)) })
  }

  /** Forgets what is stored, and the identity: another handle sends it. */
  leaveStored(): void {
    const unstored = this.#reset()
    this.#contents.apply({ put: unstored })
  }

  /** Forgets the identity, which belongs to the storage. */
  leaveIdentity(): void {
    const { messages } = this.#contents
    this.#contents = new OutboxContents()
    this.#contents.apply({ put: messages })
  }

  /** Empties the copy, and gives the messages that the storage does not have. */
  #reset(): readonly StoredMessage[] {
    const unstored = this.#contents.messages.filter(({ id }) => !this.#stored.has(id))
    this.#contents = new OutboxContents()
    this.#stored.clear()
    return unstored
  }
}
