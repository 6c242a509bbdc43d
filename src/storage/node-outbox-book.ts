import type { Change, MessageRecord, OutcomeRecord } from './node-outbox-files.js'
import type { KeptMessage, OutboxIdentity } from './outbox-store.js'

/** What a journal comes to, change by change. */
export interface OutboxBook {
  readonly identity: OutboxIdentity | undefined
  readonly messages: readonly KeptMessage[]
  has(id: string): boolean
  /** Gives what is to be told to others: of messages that `by` did not accept itself. */
  apply(change: Change, by: string): readonly OutcomeRecord[]
  /** Changes that come to the same. */
  summary(): readonly Change[]
}

/** Makes the book of an outbox that was never used. */
export function createOutboxBook(): OutboxBook {
  const entries = new Map<string, MessageRecord>()
  let identity: OutboxIdentity | undefined
  return {
    get identity() {
      return identity
    },
    get messages() {
      return Array.from(entries.values(), ({ message }) => message)
    },
    has: (id) => entries.has(id),
    apply({ identity: next = identity, put = [], remove = [] }, by) {
      identity = next
      for (const record of put) {
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
      ...Array.from(entries.values(), (record) => ({ put: [record] })),
    ],
  }
}
