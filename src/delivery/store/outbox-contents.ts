import type { StoredMessage, OutboxChange, OutboxIdentity } from './outbox-store.js'

/** An outbox in memory: its identity, and its messages in the order in which they were accepted. */
export class OutboxContents {
  // A map keeps the position of a key whose value is replaced.
  readonly #messages = new Map<string, StoredMessage>()
  #identity: OutboxIdentity | undefined

  get identity(): OutboxIdentity | undefined {
    return this.#identity
  }

  get messages(): readonly StoredMessage[] {
    return [...this.#messages.values()]
  }

  has(id: string): boolean {
    return this.#messages.has(id)
  }

  apply({ identity = this.#identity, put = [], remove = [] }: OutboxChange): void {
    this.#identity = identity
    for (const message of put) this.#messages.set(message.id, message)
    for (const { id } of remove) this.#messages.delete(id)
  }

  /** Forgets the identity. */
  leaveIdentity(): void {
    this.#identity = undefined
  }

  protected clear(): void {
    this.#messages.clear()
    this.#identity = undefined
  }
}

/**
 * The copy, in memory, of what a handle would lose with its storage: as the owner all messages,
 * as a standby those that it added and that are not settled.
 */
export class OutboxCopy extends OutboxContents {
  /** The ids of the messages that the storage has. */
  readonly #stored = new Set<string>()

  override apply(change: OutboxChange): void {
    super.apply(change)
    for (const { id } of change.remove ?? []) this.#stored.delete(id)
  }

  /** Notes that the storage has these messages. Ignores those that were removed meanwhile. */
  noteStored(messages: readonly StoredMessage[]): void {
    for (const { id } of messages) if (this.has(id)) this.#stored.add(id)
  }

  isStored(id: string): boolean {
    return this.#stored.has(id)
  }

  /** Takes over what the storage has. Messages that it does not have yet follow behind. */
  begin({ identity, messages }: Pick<OutboxContents, 'identity' | 'messages'>): void {
    const unstored = this.#reset()
    this.apply({ put: messages, ...(identity !== undefined && { identity }) })
    this.noteStored(messages)
    this.apply({ put: unstored.filter(({ id }) => !this.has(id)) })
  }

  /** Forgets what is stored, and the identity: another handle sends it. */
  leaveStored(): void {
    const unstored = this.#reset()
    this.apply({ put: unstored })
  }

  /** Empties the copy, and gives the messages that the storage does not have. */
  #reset(): readonly StoredMessage[] {
    const unstored = this.messages.filter(({ id }) => !this.#stored.has(id))
    this.clear()
    this.#stored.clear()
    return unstored
  }
}
