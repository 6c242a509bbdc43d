import type { Issue } from '../schemas/schema.js'

/** What became of a message. Settles once. */
export type SendOutcome =
  /** Handed to an open connection. A server that confirms nothing leaves it at that. */
  | { readonly outcome: 'sent' }
  /** Never transmitted, and never will be. */
  | {
      readonly outcome: 'notSent'
      readonly reason: NotSentReason
      /** In words; does not repeat the message's values. */
      readonly detail: string
      /** zod's issues, for `invalid`. */
      readonly issues?: readonly Issue[]
    }

/** Why a message was not sent. */
export type NotSentReason =
  /** There is no connection now. */
  | 'notConnected'
  /** More bytes wait in the socket than `maxBufferedBytes` allows. */
  | 'full'
  /** The payload does not fit its schema, or JSON cannot hold it. */
  | 'invalid'
  /** The client has been disposed. */
  | 'disposed'

/** Says what becomes of one message. */
export interface Receipt {
  readonly type: string
  /** The outcome once it is known; `undefined` until then. */
  readonly outcome: SendOutcome | undefined
  /** The outcome, when it is known. Never rejects. */
  readonly settled: Promise<SendOutcome>
}

/** A receipt whose outcome is known from the start. */
export function createSettledReceipt(type: string, outcome: SendOutcome): Receipt {
  return {
    type,
    outcome,
    get settled() {
      return Promise.resolve(outcome)
    },
  }
}
