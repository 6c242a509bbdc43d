import { isLarger, sizeOf } from '../transport/frame-size.js'
import type { MessageEncoder, WireNumber } from './message-encoder.js'
import type { OutboxEntry } from './outbox-entry.js'

// Handing a frame to the system costs more than everything else that is done about a message. A
// frame holds as many waiting messages as a server reads at once.
const MOST_IN_FRAME = 64
const LARGEST_BATCH_BYTES = 65_536
// How many bytes a number adds to a message's frame, beside the outbox's name.
const NUMBER_BYTES = 40

/** A frame, and the messages that are in it. */
export interface PackedFrame {
  readonly entries: readonly OutboxEntry[]
  readonly frame: string
}

/** Makes the next frame of numbered messages: a batch of the first ones, or the first alone. */
export function packFrame(
  numbered: readonly OutboxEntry[],
  cid: string,
  limitBytes: number,
  encoder: MessageEncoder,
): PackedFrame {
  const maxBytes = Math.min(limitBytes, LARGEST_BATCH_BYTES)
  let bytes = 0
  const fitting = numbered.slice(0, MOST_IN_FRAME).findIndex((entry) => {
    bytes += entry.bytes + cid.length + NUMBER_BYTES
    return bytes > maxBytes
  })
  const entries = numbered.slice(0, fitting < 0 ? MOST_IN_FRAME : Math.max(1, fitting))
  const messages = entries.map(({ message, n = 0 }) => ({ message, number: { cid, n } }))
  const batch = entries.length > 1 ? encoder.encodeBatch(messages) : undefined
  // What the envelope adds around a batch is not counted above.
  if (batch?.ok === true && !isLarger(batch.frame, maxBytes)) return { entries, frame: batch.frame }
  const [first] = messages
  const single = first && encoder.encodeNumbered(first)
  // It could be encoded when it was accepted.
  return { entries: entries.slice(0, 1), frame: single?.ok === true ? single.frame : '' }
}

/** Whether a message with its number is larger than any frame may be. */
export function isTooLarge(
  { bytes, message }: OutboxEntry,
  number: WireNumber,
  maxBytes: number,
  encoder: MessageEncoder,
): boolean {
  // Only a message near the limit has to be encoded to know.
  if (bytes + number.cid.length + NUMBER_BYTES <= maxBytes) return false
  const encoded = encoder.encodeNumbered({ message, number })
  return !encoded.ok || sizeOf(encoded.frame) > maxBytes
}
