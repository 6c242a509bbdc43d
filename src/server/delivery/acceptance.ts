import { SyncError } from '../../base/errors.js'
import { askUserCode } from '../ask.js'
import { encodeData, type UnnumberedMessage } from './logged-message.js'
import type { ServerDeliveryContext } from './context.js'
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

/** How long `accept` may take, in milliseconds. The messages after it in its outbox wait. */
const LONGEST_ACCEPT_MS = 10_000

type AcceptanceContext = Pick<ServerDeliveryContext, 'clock' | 'options' | 'reporting'>

/**
 * Decides about a numbered message: by its schema, by what JSON can hold, and by `accept`. Calls
 * `decided` once; before it returns unless `accept` gives a promise.
 */
export function decideMessage(
  context: AcceptanceContext,
  deviceId: string,
  input: NumberedInput,
  decided: (decision: MessageDecision) => void,
): void {
  if (input.kind === 'unacceptable') {
    decided(refuse(input.code, false))
    return
  }
  const relayed = encodeRelayed(context, deviceId, input)
  if (relayed === 'failed') {
    decided(refuse('failed', false))
    return
  }
  const accepted: MessageDecision = { kind: 'accept', relayed, handle: input.handle }
  const { clock, options, reporting } = context
  const { accept } = options
  if (accept === undefined) {
    decided(accepted)
    return
  }
  function failed(what: string, cause?: unknown): void {
    reporting.report(new SyncError('handler-threw', `delivery.accept ${what}.`, { cause }))
    decided(refuse('failed', true))
  }
  askUserCode({
    // `accept` is typed by the protocol, whose reader made the message.
    ask: () => accept(input.message as never),
    clock,
    timeoutMs: LONGEST_ACCEPT_MS,
    answered(answer) {
      const { refuse: code, retry } = (answer ?? {}) as Partial<
        Record<keyof MessageRefusal, unknown>
      >
      if (answer === undefined || answer === null) decided(accepted)
      else if (typeof code === 'string') decided(refuse(code, retry === true))
      else failed('gave neither nothing nor a code')
    },
    failed,
  })
}

function encodeRelayed(
  { clock, reporting }: AcceptanceContext,
  deviceId: string,
  { cid, n, message, relayed }: NumberedInput & { readonly kind: 'valid' },
): UnnumberedMessage | 'failed' | undefined {
  if (relayed === undefined) return undefined
  let encoded: UnnumberedMessage | 'failed' = 'failed'
  reporting.runUserCode(`relay of ${message.type}`, () => {
    encoded = encodeData(relayed, { timestamp: clock.epoch(), deviceId, id: `${cid}/${n}` })
  })
  return encoded
}

function refuse(code: string, retry: boolean): MessageDecision {
  return { kind: 'refuse', code, retry }
}
