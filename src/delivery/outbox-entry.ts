import type { WaitingMessage } from './outbox-view.js'
import type { OpenReceipt } from './receipt.js'
import type { StoredMessage } from './store/stored-message.js'

/** A message in an outbox. */
export interface OutboxEntry {
  readonly message: StoredMessage
  /** How much of the outbox's `maxBytes` it takes. */
  readonly bytes: number
  /** Absent for messages of an earlier run, or of another handle. */
  readonly receipt: OpenReceipt | undefined
  /** Its number on the wire, once it has one. */
  n: number | undefined
  /** The epoch of the server that the number was given for. */
  sentEpoch: string | undefined
  /** A server may have received it. */
  wasTransmitted: boolean
  /** It was taken back, but may be on its way: it keeps its number, and is not sent again. */
  isAbandoned: boolean
  /** It was on its way to a server that has lost its memory since. */
  mayBeDuplicate: boolean
  /** Whether the storage has it: `none` without a storage, `failed` if the storage did not work. */
  persistence: 'none' | 'pending' | 'stored' | 'failed'
}

/** Makes the entry of a message that was just accepted, or was read from the storage. */
export function createEntry(
  message: StoredMessage,
  bytes: number,
  persistence: OutboxEntry['persistence'],
  receipt: OpenReceipt | undefined,
): OutboxEntry {
  return {
    message,
    bytes,
    receipt,
    persistence,
    n: message.sent?.n,
    sentEpoch: message.sent?.epoch,
    wasTransmitted: message.sent !== undefined,
    isAbandoned: false,
    mayBeDuplicate: false,
  }
}

/**
 * The number was of an outbox that the server does not take any more. If the message was sent, the
 * server may have accepted it. Of a restored one nobody knows: the storage may have lost its number.
 */
export function forgetNumber(entry: OutboxEntry): void {
  entry.n = undefined
  entry.mayBeDuplicate ||= entry.wasTransmitted || entry.receipt === undefined
}

/** Lists the messages that nobody took back, as the app sees them. */
export function listMessages(entries: readonly OutboxEntry[]): readonly WaitingMessage[] {
  return entries
    .filter(({ isAbandoned }) => !isAbandoned)
    .map(({ message: { id, type, payload, acceptedAt }, n, wasTransmitted }) => ({
      id,
      type,
      payload,
      acceptedAt,
      isTransmitted: n !== undefined || wasTransmitted,
    }))
}
