import { SyncError } from '../../base/errors.js'
import type { EnvelopeDirection } from '../../schemas/envelope.js'
import { encodeJson } from '../../transport/json-codec.js'
import { encodeMessage, type UnsealedMessage } from '../broadcast.js'
import type { LoggedMessage } from '../log/delivery-log.js'

/** A message before it has a number. */
export type UnnumberedMessage = Omit<LoggedMessage, 'seq'>

/**
 * A message as it is kept: as text, so that nobody changes it under our hands.
 *
 * @throws SyncError `message-invalid` where JSON cannot hold the data.
 */
export function writeMessage(
  { type, data }: UnsealedMessage,
  origin: Pick<LoggedMessage, 'timestamp' | 'deviceId' | 'id'>,
): UnnumberedMessage {
  if (data === undefined) return { type, ...origin }
  const encoded = encodeJson(data)
  if (!encoded.ok) throw new SyncError('message-invalid', `cannot be sent: ${encoded.detail}`)
  return { type, data: encoded.frame, ...origin }
}

/** The data of a message that is kept. */
export function readData({ data }: Pick<LoggedMessage, 'data'>): unknown {
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
  return encodeMessage(envelope, { type, data: readData(message) }, meta)
}

/** Some of what a message costs in memory beside its text. */
const MESSAGE_BYTES = 200

/** What a message counts for in bytes. */
export function sizeOf({ type, data = '', deviceId, id = '' }: UnnumberedMessage): number {
  return MESSAGE_BYTES + type.length + deviceId.length + id.length + Buffer.byteLength(data)
}
