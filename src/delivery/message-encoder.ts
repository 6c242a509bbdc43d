import { nameThrown } from '../base/deadline.js'
import type { EnvelopeDirection } from '../schemas/envelope.js'
import { type Encoded, encodeCheckedJson, encodeJson } from '../transport/json-codec.js'
import type { StoredMessage } from './store/outbox-store.js'

/** A number on the wire: the outbox's name, and the message's place in it. */
export interface WireNumber {
  readonly cid: string
  readonly n: number
}

/** A message with its number on the wire. */
export interface NumberedMessage {
  readonly message: StoredMessage
  readonly number: WireNumber
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

  /** Encodes a message that {@link encode} has accepted before. */
  encodeNumbered({ message: { type, payload }, number }: NumberedMessage): Encoded {
    return encodeSealed(encodeCheckedJson, () => this.#envelope.seal(type, payload, number))
  }

  /** Makes one frame of several messages; `undefined` if the envelope has no batches. */
  encodeBatch(messages: readonly NumberedMessage[]): Encoded | undefined {
    const envelope = this.#envelope
    if (envelope.batch === undefined) return undefined
    return encodeSealed(encodeCheckedJson, () =>
      envelope.batch?.(
        messages.map(({ message, number }) => envelope.seal(message.type, message.payload, number)),
      ),
    )
  }
}

function encodeSealed(encode: typeof encodeJson, seal: () => unknown): Encoded {
  try {
    return encode(seal())
  } catch (error) {
    return { ok: false, detail: `the envelope threw: ${nameThrown(error)}` }
  }
}
