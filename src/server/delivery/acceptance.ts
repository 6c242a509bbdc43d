import type { Clock } from '../../base/clock.js'
import { SyncError } from '../../base/errors.js'
import { askUserCode } from '../ask.js'
import type { Reporting } from '../reporting.js'
import { encodeData, type UnnumberedMessage } from './logged-message.js'
import type { MessageRefusal } from './options.js'
import type { NumberedInput } from './port.js'

/** What is decided about a numbered message. */
export type MessageDecision =
  | {
      readonly kind: 'accept'
      /** What goes to all of the user's devices, as the log has it. */
      readonly relayed: UnnumberedMessage | undefined
      readonly handle: () => void
    }
  | {
      readonly kind: 'refuse'
      readonly code: string
      /** Whether the client is to send the message again. */
      readonly retry: boolean
    }

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

/** Decides about numbered messages: by their schema, by what JSON can hold, and by `accept`. */
export class Acceptance {
  readonly #options: AcceptanceOptions

  constructor(options: AcceptanceOptions) {
    this.#options = options
  }

  /** Calls `decided` once; before it returns unless `accept` gives a promise. */
  decide(deviceId: string, input: NumberedInput, decided: (it: MessageDecision) => void): void {
    if (input.kind === 'unacceptable') {
      decided(refuse(input.code, false))
      return
    }
    const relayed = this.#encodeRelayed(deviceId, input)
    if (relayed === 'failed') {
      decided(refuse('failed', false))
      return
    }
    const accepted: MessageDecision = { kind: 'accept', relayed, handle: input.handle }
    const { accept, clock } = this.#options
    if (accept === undefined) {
      decided(accepted)
      return
    }
    askUserCode({
      // `accept` is typed by the protocol, whose reader made the message.
      ask: () => accept(input.message as never),
      clock,
      timeoutMs: LONGEST_ACCEPT_MS,
      answered: (answer) => decided(this.#readAnswer(answer) ?? accepted),
      failed: (what, cause) => decided(this.#fail(what, cause)),
    })
  }

  #encodeRelayed(
    deviceId: string,
    { cid, n, message, relayed }: NumberedInput & { readonly kind: 'valid' },
  ): UnnumberedMessage | 'failed' | undefined {
    if (relayed === undefined) return undefined
    let encoded: UnnumberedMessage | 'failed' = 'failed'
    this.#options.reporting.runUserCode(`relay of ${message.type}`, () => {
      const timestamp = this.#options.clock.epoch()
      encoded = encodeData(relayed, { timestamp, deviceId, id: `${cid}/${n}` })
    })
    return encoded
  }

  #readAnswer(answer: unknown): MessageDecision | undefined {
    if (answer === undefined || answer === null) return undefined
    const { refuse: code, retry } = answer as Partial<Record<keyof MessageRefusal, unknown>>
    if (typeof code !== 'string') return this.#fail('gave neither nothing nor a code')
    return refuse(code, retry === true)
  }

  #fail(what: string, cause?: unknown): MessageDecision {
    const message = `delivery.accept ${what}.`
    this.#options.reporting.report(new SyncError('handler-threw', message, { cause }))
    return refuse('failed', true)
  }
}

function refuse(code: string, retry: boolean): MessageDecision {
  return { kind: 'refuse', code, retry }
}
