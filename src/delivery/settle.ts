import type { OutboxEntry } from './outbox-entry.js'
import type { SendOutcome, UnknownReason } from './receipt.js'
import type { OutboxChange } from './store/outbox-store.js'

/** Who sends what is in an outbox, and how it changes the storage. */
export interface OutboxOwner {
  /** The outbox's name on the wire. */
  readonly cid: string
  /** The fencing token: larger than that of every owner before. */
  readonly fence: number
  /** Absent where the outbox is in memory alone. */
  readonly write?: (change: OutboxChange) => Promise<'done' | 'lost'>
}

const notSentDetails = {
  disposed: 'The client has been disposed.',
  dropped: 'The outbox was full, and the oldest message was dropped.',
  replaced: 'A later message with the same key replaced it.',
  expired: 'It waited longer than its time to live.',
  aborted: 'It was taken back.',
  cleared: 'The outbox was cleared.',
  full: 'The outbox is full.',
} as const

/** The outcome of a message that was accepted and will never be sent. */
export function notSent(reason: keyof typeof notSentDetails): SendOutcome {
  return { outcome: 'notSent', reason, detail: notSentDetails[reason] }
}

/** How a message was taken back: alone, or with all others. */
export type TakeBackReason = 'aborted' | 'cleared'

/** The outcome of a message that was, or may have been, transmitted before it was given up. */
export function unknownOutcome(reason: UnknownReason): SendOutcome {
  return { outcome: 'unknown', reason }
}

/**
 * Settles an entry that was removed from the queue: deletes it from the storage and settles its
 * receipt. `notSent` is told only after the deletion, since a later run would send a message that
 * it finds in the storage.
 */
export function settleEntry(
  entry: OutboxEntry,
  outcome: SendOutcome,
  write: OutboxOwner['write'],
): void {
  if (write === undefined || entry.persistence === 'none') return entry.receipt?.settle(outcome)
  const remove = [{ id: entry.message.id, outcome: { ...outcome } }]
  const deleteStored = (): void => {
    void write({ remove }).then((result) => {
      const isCertain = result === 'done' || outcome.outcome !== 'notSent'
      entry.receipt?.settle(isCertain ? outcome : unknownOutcome('takenOver'))
    })
  }
  // The storage may run a deletion before an addition that is still pending.
  if (entry.persistence === 'pending') entry.whenPersisted = deleteStored
  else deleteStored()
  if (outcome.outcome !== 'notSent') entry.receipt?.settle(outcome)
}
