import type { KeptOutcome } from './store/outbox-store.js'
import type { Entry } from './queue.js'
import type { SendOutcome } from './receipt.js'
import type { Ownership } from './transmission.js'

const details = {
  disposed: 'The client has been disposed.',
  dropped: 'The outbox was full, and the oldest went.',
  replaced: 'A later message took its place.',
  expired: 'It waited for too long.',
  aborted: 'It was taken back.',
  cleared: 'The outbox was cleared.',
  full: 'The outbox is full.',
} as const

/** The outcome of a message that was accepted, and then not sent after all. */
export function notSent(reason: keyof typeof details): SendOutcome {
  return { outcome: 'notSent', reason, detail: details[reason] }
}

/**
 * Takes an entry, which has left the queue, to its end: out of the storage, and its receipt
 * settled. What is reported as not sent must not be found in the storage by a later run, so that
 * is told only once it has left there.
 */
export function endEntry(
  entry: Entry,
  outcome: SendOutcome,
  write: Ownership['write'] | undefined,
): void {
  if (write === undefined || entry.keeping === 'none') {
    entry.receipt?.settle(outcome)
    return
  }
  const change = {
    remove: [{ id: entry.message.id, outcome: outcome as unknown as KeptOutcome }],
  }
  const forget = (): void => {
    void write(change).then((result) => {
      const isCertain = result === 'done' || outcome.outcome !== 'notSent'
      entry.receipt?.settle(isCertain ? outcome : { outcome: 'unknown', reason: 'takenOver' })
    })
  }
  // Removed after it was added, whatever the order in which the storage would do it.
  if (entry.keeping === 'pending') entry.whenKept = forget
  else forget()
  if (outcome.outcome !== 'notSent') entry.receipt?.settle(outcome)
}
