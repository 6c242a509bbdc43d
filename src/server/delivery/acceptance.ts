import type { Clock } from '../../base/clock.js'
import { SyncError } from '../../base/errors.js'
import { askUserCode } from '../ask.js'
import type { Reporting } from '../reporting.js'
import { encodeData, type UnnumberedMessage } from './logged-message.js'
import type { MessageRefusal } from './options.js'
import type { NumberedInput } from './port.js'

/** The code a refused message gets, and whether the client is to send it again. */
export interface Refusal {
  readonly kind: 'refuse'
  readonly code: string
  readonly retry: boolean
}

/** What is decided about a numbered message. */
export type MessageDecision =
  | {
      readonly kind: 'accept'
      /** What goes to all of the user's devices, as the log has it. */
      readonly relayed: UnnumberedMessage | undefined
      readonly handle: () => void
    }
  | Refusal

/** What {@link Acceptance} needs. */
export interface AcceptanceOptions {
  readonly accept:
    | ((message: never) => MessageRefusal | undefined | PromiseLike<MessageRefusal | undefined>)
    | undefined
  readonly clock: Clock
  readonly reporting: Reporting
}

/** How long `accept` may take, in milliseconds. The messages after it in its outbox wait. */
const LONGEST_ACCEPT_MS = 10_000

const notJson: Refusal = { kind: 'refuse', code: 'failed', retry: false }
const acceptFailed: Refusal = { kind: 'refuse', code: 'failed', retry: true }

/** Decides about numbered messages: by their schema, by what JSON can hold, and by `accept`. */
export class Acceptance {
  readonly #options: AcceptanceOptions

  constructor(options: AcceptanceOptions) {
    this.#options = options
  }

  /** Calls `decided` once; before it returns unless `accept` gives a promise. */
  decide(
    deviceId: string,
    input: NumberedInput,
    decided: (decision: MessageDecision) => void,
  ): void {
    if (input.kind === 'unacceptable') {
      decided({ kind: 'refuse', code: input.code, retry: false })
      return
    }
    const { cid, n, message, relayed, handle } = input
    if (relayed === undefined) {
      this.#ask(message, decided, { kind: 'accept', relayed: undefined, handle })
      return
    }
    let encoded: UnnumberedMessage | undefined
    this.#options.reporting.runUserCode(`relay of ${message.type}`, () => {
      const timestamp = this.#options.clock.epoch()
      encoded = encodeData(relayed, { timestamp, deviceId, id: `${cid}/${n}` })
    })
    if (encoded === undefined) decided(notJson)
    else this.#ask(message, decided, { kind: 'accept', relayed: encoded, handle })
  }

  #ask(
    message: object,
    decided: (decision: MessageDecision) => void,
    accepted: MessageDecision,
  ): void {
    const { accept, clock } = this.#options
    if (accept === undefined) {
      decided(accepted)
      return
    }
    askUserCode({
      // `accept` is typed by the protocol, whose reader made the message.
      ask: () => accept(message as never),
      clock,
      timeoutMs: LONGEST_ACCEPT_MS,
      answered: (answer) => decided(this.#readAnswer(answer) ?? accepted),
      failed: (what, cause) => decided(this.#fail(what, cause)),
    })
  }

  #readAnswer(answer: unknown): Refusal | undefined {
    if (answer === undefined || answer === null) return undefined
    const { refuse, retry } = answer as Partial<Record<keyof MessageRefusal, unknown>>
    if (typeof refuse !== 'string') return this.#fail('gave neither nothing nor a code')
    return { kind: 'refuse', code: refuse, retry: retry === true }
  }

  #fail(what: string, cause?: unknown): Refusal {
    const message = `delivery.accept ${what}.`
    this.#options.reporting.report(new SyncError('handler-threw', message, { cause }))
    return acceptFailed
  }
}
