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
}
