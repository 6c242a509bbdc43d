import { createEntry, type OutboxEntry } from './outbox-entry.js'
import type { MessageEncoder } from './message-encoder.js'
import type { OpenReceipt } from './receipt.js'
import type { StandbyMessages } from './standby-messages.js'
import type { StoredMessage } from './store/outbox-store.js'
import { sizeOf } from '../transport/frame-size.js'

/** What a new owner found in the storage, and what it had accepted itself while on standby. */
export interface TakenOver {
  /** For the queue. */
  readonly entries: readonly OutboxEntry[]
  /** Taken back through this handle and never sent: to be deleted from the storage. */
  readonly withdrawn: readonly OutboxEntry[]
}

/** Makes the entry of a message that the storage has. */
export function createStoredEntry(
  message: StoredMessage,
  receipt: OpenReceipt | undefined,
  encoder: MessageEncoder,
): OutboxEntry {
  const encoded = encoder.encode(message)
  return createEntry(message, encoded.ok ? sizeOf(encoded.frame) : 0, 'done', receipt)
}

/**
 * Joins the stored messages with the standby's receipts, and takes both out of the standby. What
 * stays there was sent and settled by the owner before.
 */
export function takeOver(
  stored: readonly StoredMessage[],
  standby: StandbyMessages,
  encoder: MessageEncoder,
): TakenOver {
  const found = stored.map((message) => {
    const accepted = standby.take(message.id)
    // While the storage has not answered, the entry stays as it is: with a number it would be
    // written a second time, by the late addition, without that number or after its deletion.
    const isPending = accepted?.persistence === 'pending' && message.sent === undefined
    return isPending ? accepted : createStoredEntry(message, accepted?.receipt, encoder)
  })
  // Not in the storage when it was read, but on the way there.
  const pending = standby.entries().filter(({ persistence }) => persistence === 'pending')
  for (const { message } of pending) standby.take(message.id)
  for (const entry of found) entry.isAbandoned = standby.hasTakenBack(entry.message.id)
  const isWithdrawn = (entry: OutboxEntry): boolean => entry.isAbandoned && !entry.wasTransmitted
  return {
    entries: [...found.filter((entry) => !isWithdrawn(entry)), ...pending],
    withdrawn: found.filter(isWithdrawn),
  }
}
