import type { Issue } from '../schemas/schema.js'

/** What became of a message. */
export type SendOutcome =
  /** A server with delivery has accepted it, for good. */
  | {
      readonly outcome: 'delivered'
      /** The server lost its memory while the message was on its way: it may have accepted it twice. */
      readonly possibleDuplicate?: true
    }
  /** Handed to an open connection of a server that acknowledges nothing. */
  | { readonly outcome: 'sent' }
  /** Never transmitted, and never will be. */
  | {
      readonly outcome: 'notSent'
      readonly reason: NotSentReason
      /** In words; does not repeat values of the message. */
      readonly detail: string
      /** zod's issues, for `invalid`. */
      readonly issues?: readonly Issue[]
    }
  /** The server refused it for good. */
  | {
      readonly outcome: 'refused'
      /** The server's code. `too-large` also if it exceeded the server's limit and was not sent. */
      readonly code: string
    }
  /** It was, or may have been, transmitted, and this client will not learn what became of it. */
  | { readonly outcome: 'unknown'; readonly reason: UnknownReason }

/** Why a message was not sent. */
export type NotSentReason =
  /** There is no open connection, and no outbox to wait in. */
  | 'notConnected'
  /** The outbox is full, or the socket holds as many bytes as `maxBufferedBytes` allows. */
  | 'full'
  /** The payload does not fit its schema, or JSON cannot hold it. */
  | 'invalid'
  /** The client has been disposed. */
  | 'disposed'
  /** The outbox was full, and a rule drops the oldest message. */
  | 'dropped'
  /** A later message with the same key replaced it. */
  | 'replaced'
  /** It waited longer than its time to live. */
  | 'expired'
  /** Taken back by `abort()`, by its signal, or by `outbox.remove()`. */
  | 'aborted'
  /** Taken back by `outbox.clear()`. */
  | 'cleared'

/** Why this client will not learn what became of a message. */
export type UnknownReason =
  /** Taken back when it was on its way already, or when another handle may have sent it. */
  | 'aborted'
  | 'cleared'
  /** The client was disposed. The next client on the same storage sends what is stored. */
  | 'disposed'
  /**
   * Another tab or process took the outbox over and did not report the outcome, or will find the
   * message in the storage, which did not work when the message was to be deleted.
   */
  | 'takenOver'

/** Tells what becomes of one message. Settles once. */
export interface Receipt {
  readonly type: string
  /** The outcome once it is known; `undefined` until then. */
  readonly outcome: SendOutcome | undefined
  /** Resolves with the outcome. Never rejects. */
  readonly settled: Promise<SendOutcome>
  /**
   * Resolves with whether the message is stored where it survives a crash, as soon as that is
   * certain. Never rejects.
   */
  readonly durable: Promise<boolean>
  /**
   * Takes the message back: `notSent` if it was never transmitted, else `unknown`. Does nothing
   * once the receipt is settled.
   */
  abort(): void
}

/** Makes a receipt whose outcome is known from the start. */
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

/** Makes the receipt of a message that was not accepted. */
export function createUnsentReceipt(type: string, reason: NotSentReason, detail: string): Receipt {
  return createSettledReceipt(type, { outcome: 'notSent', reason, detail })
}

// Classes, since one of each is made for every message: closures would cost a few times as much.

/** A value that is given once. Its promise is made when asked for: most are asked once or never. */
class Eventual<T> {
  value: T | undefined
  #promise: Promise<T> | undefined
  #resolve: ((value: T) => void) | undefined

  promise(): Promise<T> {
    this.#promise ??=
      this.value === undefined
        ? new Promise((resolve) => {
            this.#resolve = resolve
          })
        : Promise.resolve(this.value)
    return this.#promise
  }

  /** The first value stands. */
  give(value: T): void {
    if (this.value !== undefined) return
    this.value = value
    this.#resolve?.(value)
  }
}

class PendingReceipt implements Receipt {
  readonly type: string
  readonly #open: OpenReceipt
  readonly #abort: () => void

  constructor(type: string, open: OpenReceipt, abort: () => void) {
    this.type = type
    this.#open = open
    this.#abort = abort
  }

  get outcome(): SendOutcome | undefined {
    return this.#open.outcome.value
  }

  get settled(): Promise<SendOutcome> {
    return this.#open.outcome.promise()
  }

  get durable(): Promise<boolean> {
    return this.#open.durable.promise()
  }

  abort(): void {
    if (this.outcome === undefined) this.#abort()
  }
}

/** A receipt together with what settles it, which is out of reach for whoever holds the receipt. */
export class OpenReceipt {
  readonly receipt: Receipt
  readonly outcome = new Eventual<SendOutcome>()
  readonly durable = new Eventual<boolean>()

  /** `abort` is called only until the receipt settles. */
  constructor(type: string, abort: () => void) {
    this.receipt = new PendingReceipt(type, this, abort)
  }

  /** Settles the receipt; the first outcome stands. Whether the message is stored is told apart. */
  settle(outcome: SendOutcome): void {
    this.outcome.give(outcome)
  }
}
