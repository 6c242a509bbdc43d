import { nameThrown } from '../base/deadline.js'
import type { EnvelopeDirection } from '../schemas/envelope.js'
import { isLarger, sizeOf } from '../transport/frame-size.js'
import { type Encoded, encodeCheckedJson, encodeJson } from '../transport/json-codec.js'
import type { OutboxEntry } from './outbox-entry.js'
import type { StoredMessage } from './store/stored-message.js'

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

/** Turns messages into frames. The envelope may be the user's own; if it throws, nothing here does. */
export class MessageEncoder {
  readonly #envelope: EnvelopeDirection

  constructor(envelope: EnvelopeDirection) {
    this.#envelope = envelope
  }

  /** Encodes a message without a number, and checks that JSON can hold it. */
  encode({ type, payload }: Pick<StoredMessage, 'type' | 'payload'>): Encoded {
    return encodeSealed(encodeJson, () => this.#envelope.seal(type, payload))
  }

  /** The size of a message without a number, in bytes; 0 if it cannot be encoded. */
  sizeOf(message: StoredMessage): number {
    const encoded = this.encode(message)
    return encoded.ok ? sizeOf(encoded.frame) : 0
  }

  /** Makes the next frame of numbered messages: a batch of the first ones, or the first alone. */
  pack(numbered: readonly OutboxEntry[], cid: string, limitBytes: number): PackedFrame {
    const maxBytes = Math.min(limitBytes, LARGEST_BATCH_BYTES)
    let bytes = 0
    const fitting = numbered.slice(0, MOST_IN_FRAME).findIndex((entry) => {
      bytes += entry.bytes + cid.length + NUMBER_BYTES
      return bytes > maxBytes
    })
    const entries = numbered.slice(0, fitting < 0 ? MOST_IN_FRAME : Math.max(1, fitting))
    const batch = entries.length > 1 ? this.#encodeBatch(entries, cid) : undefined
    // What the envelope adds around a batch is not counted above.
    if (batch?.ok === true && !isLarger(batch.frame, maxBytes)) {
      return { entries, frame: batch.frame }
    }
    const [first] = entries
    const single = first && encodeSealed(encodeCheckedJson, () => this.#sealNumbered(first, cid))
    // It could be encoded when it was accepted.
    return { entries: entries.slice(0, 1), frame: single?.ok === true ? single.frame : '' }
  }

  /** Whether a message with this number is larger than any frame may be. */
  isTooLarge(entry: OutboxEntry, cid: string, n: number, maxBytes: number): boolean {
    // Only a message near the limit has to be encoded to know.
    if (entry.bytes + cid.length + NUMBER_BYTES <= maxBytes) return false
    const encoded = encodeSealed(encodeCheckedJson, () => this.#sealNumbered(entry, cid, n))
    return !encoded.ok || sizeOf(encoded.frame) > maxBytes
  }

  #encodeBatch(entries: readonly OutboxEntry[], cid: string): Encoded | undefined {
    const envelope = this.#envelope
    if (envelope.batch === undefined) return undefined
    return encodeSealed(encodeCheckedJson, () =>
      envelope.batch?.(entries.map((entry) => this.#sealNumbered(entry, cid))),
    )
  }

  #sealNumbered({ message, n }: OutboxEntry, cid: string, number = n ?? 0): unknown {
    return this.#envelope.seal(message.type, message.payload, { cid, n: number })
  }
}

function encodeSealed(encode: typeof encodeJson, seal: () => unknown): Encoded {
  try {
    return encode(seal())
  } catch (error) {
    return { ok: false, detail: `the envelope threw: ${nameThrown(error)}` }
  }
}
