import { SyncError } from '../../base/errors.js'
import type { EnvelopeDirection } from '../../schemas/envelope.js'
import { encodeJson } from '../../transport/json-codec.js'
import { encodeMessage, type UnsealedMessage } from '../outgoing.js'
import type { LoggedMessage } from '../log/delivery-log.js'
import type { ServerDeliveryContext } from './context.js'

/** A message for the log, before it has a number. */
export type UnnumberedMessage = Omit<LoggedMessage, 'seq'>

/**
 * Makes a message for the log. Its data becomes text, so that a later change by the caller does not
 * reach the log.
 *
 * @throws SyncError `message-invalid` where JSON cannot hold the data.
 */
export function encodeData(
  { type, data }: UnsealedMessage,
  origin: Pick<LoggedMessage, 'timestamp' | 'deviceId' | 'id'>,
): UnnumberedMessage {
  if (data === undefined) return { type, ...origin }
  const encoded = encodeJson(data)
  if (!encoded.ok) throw new SyncError('message-invalid', `cannot be sent: ${encoded.detail}`)
  return { type, data: encoded.frame, ...origin }
}

/** The data of a message from the log. */
export function decodeData({ data }: Pick<LoggedMessage, 'data'>): unknown {
  return data === undefined ? undefined : JSON.parse(data)
}

/** The frame of a numbered message, for clients with delivery. */
export function encodeNumbered(
  envelope: EnvelopeDirection,
  message: LoggedMessage,
  userId: string,
  epoch: string,
): Uint8Array {
  const { type, timestamp, deviceId, seq, id } = message
  const meta = { timestamp, deviceId, userId, seq, epoch, ...(id !== undefined && { id }) }
  return encodeMessage(envelope, { type, data: decodeData(message) }, meta)
}

/** Sends messages to a user's sockets without delivery, in one step. */
export function sendToPlain(
  { members, reporting }: Pick<ServerDeliveryContext, 'members' | 'reporting'>,
  userId: string,
  messages: readonly UnnumberedMessage[],
): void {
  const [first] = messages
  if (first === undefined) return
  reporting.runUserCode('envelope', () => {
    const { timestamp, deviceId } = first
    const plain = messages.map((message) => ({ type: message.type, data: decodeData(message) }))
    members.sendToPlain(userId, plain, { timestamp, deviceId, userId })
  })
}

/** An estimate of what a message costs in memory beside its text. */
const MESSAGE_BYTES = 200

/** How many bytes a message counts for in the bounds of a user's log. */
export function loggedSizeOf({ type, data = '', deviceId, id = '' }: UnnumberedMessage): number {
  return MESSAGE_BYTES + type.length + deviceId.length + id.length + Buffer.byteLength(data)
}
