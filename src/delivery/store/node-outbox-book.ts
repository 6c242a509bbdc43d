import type { JournalChange, JournalMessage, JournalOutcome } from './node-outbox-files.js'
import type { StoredMessage, OutboxIdentity } from './outbox-store.js'

/** What a journal comes to, change by change. */
export interface OutboxBook {
  readonly identity: OutboxIdentity | undefined
  readonly messages: readonly StoredMessage[]
  /** Whether a message was never taken over, however long ago that was and it is over. */
  isNew(record: JournalMessage): boolean
  /** Gives what is to be told to others: of messages that `by` did not accept itself. */
  apply(change: JournalChange, by: string): readonly JournalOutcome[]
  /** Changes that come to the same. */
  summary(): readonly JournalChange[]
}

/** Of so many handles it is known what they added: the others ended long ago. */
const HANDLES_KEPT = 100

/** Makes the book of an outbox that was never used. */
export function createOutboxBook(): OutboxBook {
  const entries = new Map<string, JournalMessage>()
  // The latest to add last. A handle adds one message after the other.
  const seen = new Map<string, number>()
  let identity: OutboxIdentity | undefined

  function see(by: string, seq: number): void {
    const last = seen.get(by) ?? 0
    seen.delete(by)
    seen.set(by, Math.max(last, seq))
    for (const oldest of seen.keys()) {
      if (seen.size <= HANDLES_KEPT) break
      seen.delete(oldest)
    }
  }

  return {
    get identity() {
      return identity
    },
    get messages() {
      return Array.from(entries.values(), ({ message }) => message)
    },
    isNew: ({ by, seq, message }) =>
      !entries.has(message.id) && (seq === undefined || seq > (seen.get(by) ?? 0)),
    apply({ identity: next = identity, put = [], remove = [], seen: seenBefore = [] }, by) {
      identity = next
      for (const [handle, seq] of seenBefore) see(handle, seq)
      for (const record of put) {
        if (record.seq !== undefined) see(record.by, record.seq)
        const { id } = record.message
        // Who accepted a message stays who it was.
        entries.set(id, { by: entries.get(id)?.by ?? record.by, message: record.message })
      }
      return remove.filter(({ id }) => {
        const entry = entries.get(id)
        entries.delete(id)
        return entry !== undefined && entry.by !== by
      })
    },
    summary: () => [
      ...(identity === undefined ? [] : [{ identity }]),
      ...(seen.size === 0 ? [] : [{ seen: [...seen] }]),
      ...Array.from(entries.values(), (record) => ({ put: [record] })),
    ],
  }
}
