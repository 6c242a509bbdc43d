import type { StoredMessage, OutboxChange, OutboxIdentity } from './outbox-store.js'

/** What an outbox holds, in the order in which it was accepted. */
export interface OutboxContents {
  readonly identity: OutboxIdentity | undefined
  readonly messages: readonly StoredMessage[]
  has(id: string): boolean
  apply(change: OutboxChange): void
}

/** Makes the contents of an outbox that was never used. */
export function createOutboxContents(): OutboxContents {
  // A map keeps the place of a key whose value is replaced.
  const messages = new Map<string, StoredMessage>()
  let identity: OutboxIdentity | undefined
  return {
    get identity() {
      return identity
    },
    get messages() {
      return [...messages.values()]
    },
    has: (id) => messages.has(id),
    apply({ identity: next = identity, put = [], remove = [] }) {
      identity = next
      for (const message of put) messages.set(message.id, message)
      for (const { id } of remove) messages.delete(id)
    },
  }
}
