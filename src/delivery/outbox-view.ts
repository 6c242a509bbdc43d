import type { DeliveryState } from '../machines/delivery.js'

/** What an outbox holds, and its channel to the server. Immutable. */
export interface OutboxState {
  /** Messages that are not settled. */
  readonly depth: number
  /** Of those, the ones with a number on the wire, which the server has yet to acknowledge. */
  readonly inFlight: number
  /** How much of `maxBytes` they take. */
  readonly bytes: number
  /** When the oldest of them was accepted, in milliseconds since the epoch. */
  readonly oldestAt: number | undefined
  /** Whether this client sends them: of several tabs or processes with one outbox, one does. */
  readonly isOwner: boolean
  /** Whether accepted messages survive a crash: there is a storage, and it has not failed. */
  readonly isDurable: boolean
  /** Where the connection stands with delivery; `none` for a client without it. */
  readonly delivery: DeliveryState | 'none'
}

/** One message that is not settled, as `outbox.messages()` lists it. */
export interface WaitingMessage {
  readonly id: string
  readonly type: string
  readonly payload: unknown
  /** In milliseconds since the epoch. */
  readonly acceptedAt: number
  /** It was sent, or may have been. */
  readonly isTransmitted: boolean
}

/** Counts since the client was made. */
export interface DeliveryCounts {
  /** Messages that the outbox accepted. */
  readonly accepted: number
  /** Messages whose outcome is `delivered`, those of earlier runs included. */
  readonly delivered: number
  /** Messages handed to a connection; a message that is sent again counts again. */
  readonly transmitted: number
  /** Of those, the ones that had been handed to a connection before. */
  readonly retransmitted: number
  /** How often a server resumed where the last connection ended. */
  readonly resumed: number
  /** How often a server could not resume, and sent its state instead. */
  readonly reset: number
  /** Numbered messages that arrived again and were dropped. */
  readonly duplicates: number
  /** How often a numbered message was missing. */
  readonly gaps: number
}

/** The messages that wait to be sent or acknowledged. */
export interface OutboxView {
  readonly status: OutboxState
  /** The messages that wait, in the order in which they are sent. */
  messages(): readonly WaitingMessage[]
  /** Takes a message back, as its receipt's `abort` does; gives whether it was there. */
  remove(id: string): boolean
  /** Takes all messages back. */
  clear(): void
  /** What was counted since the client was made. */
  counts(): DeliveryCounts
}

const empty = { depth: 0, inFlight: 0, bytes: 0, oldestAt: undefined }
const noCounts = { accepted: 0, delivered: 0, transmitted: 0, retransmitted: 0 }

/** The outbox of a client without delivery: always empty. */
export const emptyOutbox: OutboxView = {
  status: { ...empty, isOwner: false, isDurable: false, delivery: 'none' },
  messages: () => [],
  remove: () => false,
  clear() {},
  counts: () => ({ ...noCounts, resumed: 0, reset: 0, duplicates: 0, gaps: 0 }),
}
