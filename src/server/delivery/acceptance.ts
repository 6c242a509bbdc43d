import { type Settled, withDeadline } from '../../base/deadline.js'
import { SyncError } from '../../base/errors.js'
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
  const answer = readAnswer(asked)
  if (answer === 'accepted') return accepted
  if (typeof answer !== 'string') return answer
  const cause = asked.kind === 'threw' ? asked.error : undefined
  reporting.report(new SyncError('handler-threw', `delivery.accept ${answer}.`, { cause }))
  return refuse('failed', true)
}

/** What `accept` said; a text that completes a sentence where that was no answer. */
function readAnswer(asked: Settled<MessageRefusal | undefined>): string | MessageDecision {
  if (asked.kind === 'threw') return 'threw'
  if (asked.kind !== 'value') return `gave no answer within ${LONGEST_ACCEPT_MS} ms`
  // The value may come from code that no compiler checked.
  const answer = asked.value as Partial<Record<keyof MessageRefusal, unknown>> | null | undefined
  if (answer === undefined || answer === null) return 'accepted'
  const { refuse: code, retry } = answer
  return typeof code === 'string' ? refuse(code, retry === true) : 'gave neither nothing nor a code'
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
