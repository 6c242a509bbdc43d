import { isControlType } from '../schemas/control-type.js'
import type { MessageMeta } from '../schemas/envelope.js'
import type { RawFrame } from '../schemas/message.js'
import type { Protocol } from '../schemas/protocol.js'
import { createReader, type Reader } from '../schemas/reader.js'
import type { MessageSchemas } from '../schemas/schema.js'
import { decodeJson } from '../transport/json-codec.js'
import type { ClientMessages } from './client-messages.js'
import type { Member } from './members.js'
import type { Counting } from './stats.js'

// A type is text that a client chose.
const LONGEST_TYPE = 80

/**
 * Reads the frames of all clients of a server: decodes and validates them, and counts what it finds.
 * One reader, so one set of routes, serves all clients.
 */
export class ClientFrameReader<R extends MessageSchemas, S extends MessageSchemas> {
  readonly #counters: Counting
  readonly #messages: ClientMessages<R, S>
  readonly #read: Reader
  /** Whose frame is being read. Reading is synchronous, so it need not travel through the reader. */
  #sender!: Member<R>

  /** `messages` receives what the reader finds. */
  constructor(
    protocol: Pick<Protocol, 'send' | 'envelope' | 'heartbeat'>,
    counters: Counting,
    messages: ClientMessages<R, S>,
  ) {
    this.#counters = counters
    this.#messages = messages
    this.#read = createReader({
      schemas: protocol.send,
      direction: protocol.envelope.toServer,
      heartbeat: protocol.heartbeat,
      sink: {
        message: (message) => {
          counters.messagesIn += 1
          messages.message(this.#sender, message)
        },
        unknown: ({ type, data, meta }) => this.#readUnknown(type, data, meta),
        invalid: ({ reason, detail }, meta) => {
          this.#invalid(reason, detail)
          if (meta !== undefined) messages.unacceptable(this.#sender, meta, 'invalid')
        },
        pinged: () => messages.pinged(this.#sender),
        ponged() {},
      },
    })
  }

  /** Reads a frame. Never throws, whatever is in it. */
  read(sender: Member<R>, frame: RawFrame): void {
    this.#sender = sender
    const decoded = decodeJson(frame)
    if (decoded.ok) this.#read(decoded.value, frame)
    else this.#invalid(decoded.reason, decoded.detail)
  }

  #readUnknown(type: string, data: unknown, meta: MessageMeta): void {
    const messages = this.#messages
    const result = isControlType(type) ? messages.control(this.#sender, type, data) : 'unknown'
    if (result === 'handled') return
    if (result === 'invalid') {
      this.#invalid('schema-mismatch', `${type} does not fit its schema`)
      return
    }
    this.#counters.unknown += 1
    messages.ignored(this.#sender, 'message.unknown', { type: type.slice(0, LONGEST_TYPE) })
    messages.unacceptable(this.#sender, meta, 'unknown-type')
  }

  #invalid(reason: string, detail: string): void {
    this.#counters.invalid += 1
    this.#messages.ignored(this.#sender, 'frame.invalid', { reason, detail })
  }
}
