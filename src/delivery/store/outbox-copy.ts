import { createOutboxContents, type OutboxContents } from './outbox-contents.js'
import type { GuardedOutbox } from './outbox-guarded.js'
import type { StoredMessage, OutboxChange, OutboxIdentity } from './outbox-store.js'

/**
 * What a handle would lose with its storage, in memory: as the owner everything, else what it
 * added and has not heard the end of.
 */
export interface OutboxCopy {
  readonly identity: OutboxIdentity | undefined
  readonly messages: readonly StoredMessage[]
  has(id: string): boolean
  apply(change: OutboxChange): void
  /** The storage has these; what is over by then is left alone. */
  noteStored(messages: readonly StoredMessage[]): void
  isStored(id: string): boolean
  /** The storage's is what counts; what it does not have yet comes behind it. */
  begin(owned: { identity: OutboxIdentity | undefined; messages: readonly StoredMessage[] }): void
  /** What is stored is another handle's to send, under its identity. */
  leaveStored(): void
  /** The identity stays with the storage. */
  leaveIdentity(): void
}

/** Makes the copy of an outbox that was never used. */
export function createOutboxCopy(): OutboxCopy {
  const stored = new Set<string>()
  let contents: OutboxContents = createOutboxContents()

  function startAgain(): readonly StoredMessage[] {
    const unstored = contents.messages.filter(({ id }) => !stored.has(id))
    contents = createOutboxContents()
    stored.clear()
    return unstored
  }

  return {
    get identity() {
      return contents.identity
    },
    get messages() {
      return contents.messages
    },
    has: (id) => contents.has(id),
    apply(change) {
      contents.apply(change)
      for (const { id } of change.remove ?? []) stored.delete(id)
    },
    noteStored(messages) {
      for (const { id } of messages) if (contents.has(id)) stored.add(id)
    },
    isStored: (id) => stored.has(id),
    begin({ identity, messages }) {
      const unstored = startAgain()
      contents.apply({ put: messages, ...(identity !== undefined && { identity }) })
      for (const { id } of messages) stored.add(id)
      contents.apply({ put: unstored.filter(({ id }) => !contents.has(id)) })
    },
    leaveStored() {
      const unstored = startAgain()
      contents.apply({ put: unstored })
    },
    leaveIdentity() {
      const { messages } = contents
      contents = createOutboxContents()
      contents.apply({ put: messages })
    },
  }
}

/** Makes an owner of what is in the copy alone, until it is released or `isClosed`. */
export function ownCopy(
  copy: OutboxCopy,
  fence: number,
  isClosed: () => boolean,
  onReleased: () => void,
): GuardedOutbox {
  let isOver = false
  return {
    fence,
    identity: copy.identity,
    messages: copy.messages,
    lost: new AbortController().signal,
    write(change) {
      if (isOver || isClosed()) return Promise.resolve('lost')
      copy.apply(change)
      return Promise.resolve('done')
    },
    release() {
      isOver = true
      onReleased()
      return Promise.resolve()
    },
  }
}
