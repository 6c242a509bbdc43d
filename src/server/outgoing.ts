import { SyncError } from '../base/errors.js'
import type { EnvelopeDirection, MessageMeta } from '../schemas/envelope.js'
import { encodeJson } from '../transport/json-codec.js'

/** The `deviceId` of a frame that no device caused. */
export const SERVER_DEVICE_ID = 'server'

/** A message before the envelope seals it. */
export interface UnsealedMessage {
  readonly type: string
  readonly data?: unknown
}

/** Anything with a connection that takes a frame and tells whether it did. */
export interface Receiver {
  readonly connection: { send(frame: Uint8Array): boolean }
}

/**
 * Makes one frame of one message.
 *
 * @throws SyncError `message-invalid` where JSON cannot hold the data.
 */
export function encodeMessage(
  envelope: EnvelopeDirection,
  { type, data }: UnsealedMessage,
  meta: Partial<MessageMeta>,
): Uint8Array {
  return encodeSealed(envelope.seal(type, data, meta))
}

/**
 * Makes one frame of all messages, or one frame each where the envelope has no batches.
 *
 * @throws SyncError `message-invalid` where JSON cannot hold the data.
 */
export function encodeBatch(
  envelope: EnvelopeDirection,
  messages: readonly UnsealedMessage[],
  meta: Partial<MessageMeta>,
): readonly Uint8Array[] {
  const sealed = messages.map(({ type, data }) => envelope.seal(type, data, meta))
  if (envelope.batch === undefined || sealed.length === 1) return sealed.map(encodeSealed)
  return [encodeSealed(envelope.batch(sealed, { timestamp: meta.timestamp }))]
}

/** Sends a frame to each receiver; returns how many took it. */
export function fanOut(receivers: Iterable<Receiver>, frame: Uint8Array): number {
  let taken = 0
  for (const { connection } of receivers) if (connection.send(frame)) taken += 1
  return taken
}

// Bytes rather than text: ws would encode text anew for each socket.
function encodeSealed(sealed: unknown): Uint8Array {
  const encoded = encodeJson(sealed)
  if (encoded.ok) return Buffer.from(encoded.frame)
  throw new SyncError('message-invalid', `cannot be sent: ${encoded.detail}`)
}
