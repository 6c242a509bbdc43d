import type { Issue } from '../schemas/schema.js'

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
  return new Opened(type, abort)
}

// Classes, since one of each is made for every message, and closures would cost a few times as
// much. What settles a receipt is not within reach of whoever holds it.
class Opened implements OpenReceipt {
  readonly receipt: Receipt
  private readonly settled = new Answer<SendOutcome>()
  private readonly durable = new Answer<boolean>()

  constructor(type: string, abort: () => void) {
    this.receipt = new Pending(type, abort, this.settled, this.durable)
  }

  settle(outcome: SendOutcome): void {
    this.settled.give(outcome)
    this.durable.give(false)
  }

  tellDurable(isDurable: boolean): void {
    this.durable.give(isDurable)
  }
}

class Pending implements Receipt {
  readonly type: string
  readonly #abort: () => void
  readonly #settled: Answer<SendOutcome>
  readonly #durable: Answer<boolean>

  constructor(
    type: string,
    abort: () => void,
    settled: Answer<SendOutcome>,
    durable: Answer<boolean>,
  ) {
    this.type = type
    this.#abort = abort
    this.#settled = settled
    this.#durable = durable
  }

  get outcome(): SendOutcome | undefined {
    return this.#settled.value
  }

  get settled(): Promise<SendOutcome> {
    return this.#settled.promise()
  }

  get durable(): Promise<boolean> {
    return this.#durable.promise()
  }

  abort(): void {
    if (this.#settled.value === undefined) this.#abort()
  }
}

// The promise is made when it is asked for: most receipts are looked at once, or not at all.
class Answer<T> {
  value: T | undefined
  private promised: Promise<T> | undefined
  private resolve: ((value: T) => void) | undefined

  /** Resolves once the value is given. */
  promise(): Promise<T> {
    this.promised ??=
      this.value === undefined
        ? new Promise((resolve) => {
            this.resolve = resolve
          })
        : Promise.resolve(this.value)
    return this.promised
  }

  /** The first value stands. */
  give(value: T): void {
    if (this.value !== undefined) return
    this.value = value
    this.resolve?.(value)
  }
}
