import type { OutboxEntry } from './outbox-entry.js'
import type { SendOutcome, UnknownReason } from './receipt.js'
import type { OutboxStore } from './store/outbox-store.js'

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
  { message, receipt }: OutboxEntry,
  outcome: SendOutcome,
  store: OutboxStore | undefined,
): void {
  if (store === undefined) return receipt?.settle(outcome)
  if (outcome.outcome !== 'notSent') receipt?.settle(outcome)
  void store.remove(message.id, { ...outcome }).then((result) => {
    receipt?.settle(result === 'stored' ? outcome : unknownOutcome('takenOver'))
  })
}
