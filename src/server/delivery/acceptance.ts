import { withDeadline } from '../../base/deadline.js'
import type { ServerDeliveryContext } from './context.js'
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

/** How long `accept` may take, in milliseconds. The messages after it in its outbox wait. */
const LONGEST_ACCEPT_MS = 10_000

type Unchecked<T> = { readonly [Field in keyof T]?: unknown }

type AcceptanceContext = Pick<ServerDeliveryContext, 'clock' | 'options' | 'reporting'>

/** Decides about a numbered message: by its schema, by what JSON can hold, and by `accept`. */
export async function decideMessage(
  context: AcceptanceContext,
  deviceId: string,
  input: NumberedInput,
): Promise<MessageDecision> {
  if (input.kind === 'unacceptable') return refuse(input.code, false)
  const relayed = encodeRelayed(context, deviceId, input)
  if (relayed === 'failed') return refuse('failed', false)
  const accepted: MessageDecision = { kind: 'accept', relayed, handle: input.handle }
  const { clock, options, reporting } = context
  const { accept } = options
  if (accept === undefined) return accepted
  // `accept` is typed by the protocol, whose reader made the message.
  const asked = await withDeadline({ clock, limitMs: LONGEST_ACCEPT_MS }, () =>
    accept(input.message as never),
  )
  if (asked.kind === 'value') {
    // It may come from code that no compiler checked.
    const answer = (asked.value ?? undefined) as Unchecked<MessageRefusal> | undefined
    if (answer === undefined) return accepted
    if (typeof answer.refuse === 'string') return refuse(answer.refuse, answer.retry === true)
  }
  const wrong = 'gave neither nothing nor a code'
  reporting.reportNoAnswer('handler-threw', 'delivery.accept', asked, wrong)
  return refuse('failed', true)
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
