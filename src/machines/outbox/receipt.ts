import type { Issue } from '../../schemas/schema.js'

/** What became of a message. Settles once. */
export type SendOutcome =
  /** A server with delivery has it, for good. */
  | {
      readonly outcome: 'delivered'
      /**
       * The server has lost its memory of what this client sent before, when this message was on
       * its way: it may have taken it twice.
       */
      readonly possibleDuplicate?: true
    }
  /** Handed to an open connection of a server that confirms nothing, which leaves it at that. */
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
  /** The server does not want it, and never will. */
  | {
      readonly outcome: 'refused'
      /** The server's code; `too-large` also where we knew its limit before we sent. */
      readonly code: string
    }
  /** It was, or may have been, transmitted, and nobody here will hear what became of it. */
  | { readonly outcome: 'unknown'; readonly reason: UnknownReason }

/** Why a message was not sent. */
export type NotSentReason =
  /** There is no connection now, and no outbox to wait in. */
  | 'notConnected'
  /** The outbox is full, or more bytes wait in the socket than `maxBufferedBytes` allows. */
  | 'full'
  /** The payload does not fit its schema, or JSON cannot hold it. */
  | 'invalid'
  /** The client has been disposed. */
  | 'disposed'
  /** The outbox was full, and the rule of its type lets the oldest go. */
  | 'dropped'
  /** A later message with the same key took its place. */
  | 'replaced'
  /** It waited for longer than it is worth. */
  | 'expired'
  /** Taken back by `abort()`, by its signal, or by `outbox.remove()`. */
  | 'aborted'
  /** Taken back by `outbox.clear()`. */
  | 'cleared'

/** Why nobody will hear what became of a message. */
export type UnknownReason =
  /** Taken back when it was on its way already. */
  | 'aborted'
  | 'cleared'
  /** The client was disposed; what its storage keeps is sent by the next one. */
  | 'disposed'
  /** Another tab or process took the outbox over, and does not tell. */
  | 'takenOver'

/** Says what becomes of one message. */
export interface Receipt {
  readonly type: string
  /** The outcome once it is known; `undefined` until then. */
  readonly outcome: SendOutcome | undefined
  /** The outcome, when it is known. Never rejects. */
  readonly settled: Promise<SendOutcome>
  /**
   * Whether the message is kept where it survives a crash; told as soon as it is kept, or is
   * certain not to be. Never rejects.
   */
  readonly durable: Promise<boolean>
  /**
   * Takes the message back: `notSent` where nothing of it was transmitted, else `unknown`. Does
   * nothing once it is settled.
   */
  abort(): void
}

/** A receipt with the ends that settle it. */
export interface OpenReceipt {
  readonly receipt: Receipt
  /** Settles it; the first outcome stands. */
  settle(outcome: SendOutcome): void
  /** Tells whether it is kept; the first answer stands. */
  tellDurable(isDurable: boolean): void
}

/** A receipt whose outcome is known from the start. */
export function createSettledReceipt(type: string, outcome: SendOutcome): Receipt {
  return {
    type,
    outcome,
    get settled() {
      return Promise.resolve(outcome)
    },
    get durable() {
      return Promise.resolve(false)
    },
    abort() {},
  }
}

/** A receipt whose outcome is not known yet. `abort` is called only while that is so. */
export function createReceipt(type: string, abort: () => void): OpenReceipt {
  const settled = createAnswer<SendOutcome>()
  const durable = createAnswer<boolean>()
  return {
    receipt: {
      type,
      get outcome() {
        return settled.value
      },
      get settled() {
        return settled.promise()
      },
      get durable() {
        return durable.promise()
      },
      abort() {
        if (settled.value === undefined) abort()
      },
    },
    settle(outcome) {
      settled.give(outcome)
      durable.give(false)
    },
    tellDurable: (isDurable) => durable.give(isDurable),
  }
}

interface Answer<T> {
  readonly value: T | undefined
  /** Resolves once the value is given. */
  promise(): Promise<T>
  /** The first value stands. */
  give(value: T): void
}

// The promise is made when it is asked for: most receipts are looked at once, or not at all.
function createAnswer<T>(): Answer<T> {
  let value: T | undefined
  let promise: Promise<T> | undefined
  let resolve: ((value: T) => void) | undefined
  return {
    get value() {
      return value
    },
    promise() {
      promise ??=
        value === undefined
          ? new Promise((settle) => {
              resolve = settle
            })
          : Promise.resolve(value)
      return promise
    },
    give(given) {
      if (value !== undefined) return
      value = given
      resolve?.(given)
    },
  }
}
