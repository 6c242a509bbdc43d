import type { Envelope } from '../../src/schemas/envelope.js'
import { createEnvelope } from '../../src/schemas/envelope.js'
import type { InvalidFrame, UnknownMessage } from '../../src/schemas/message.js'
import type { Heartbeat } from '../../src/schemas/policy.js'
import { createReader, type Gate, type ReadMessage } from '../../src/schemas/reader.js'
import type { CompileSchema, MessageSchemas } from '../../src/schemas/schema.js'

/** What a reader made of some frames. */
export interface Found {
  readonly messages: ReadMessage[]
  readonly unknown: UnknownMessage[]
  readonly invalid: InvalidFrame[]
  /** Types, in the order in which they were found, with a mark for what is no message. */
  readonly order: string[]
}

/** Options of {@link read}. */
export interface ReadOptions {
  readonly envelope?: Envelope
  /** Default: the client. */
  readonly side?: 'toClient' | 'toServer'
  readonly heartbeat?: Heartbeat | false
  readonly compile?: CompileSchema
  readonly gate?: Gate
}

/** Reads decoded frames, as one side would. */
export function read(
  schemas: MessageSchemas,
  frames: readonly unknown[],
  options: ReadOptions = {},
): Found {
  const { envelope = createEnvelope(), side = 'toClient', compile, gate } = options
  const found: Found = { messages: [], unknown: [], invalid: [], order: [] }
  const reader = createReader({
    schemas,
    direction: envelope[side],
    heartbeat: options.heartbeat ?? { ping: 'PING', pong: 'PONG' },
    compile,
    gate,
    sink: {
      message(message) {
        found.messages.push(message)
        found.order.push(message.type)
      },
      unknown(message) {
        found.unknown.push(message)
        found.order.push(`unknown ${message.type}`)
      },
      invalid(frame) {
        found.invalid.push(frame)
        found.order.push(`invalid ${frame.reason}`)
      },
      pinged: () => found.order.push('ping'),
      ponged: () => found.order.push('pong'),
    },
  })
  for (const frame of frames) reader(frame, JSON.stringify(frame))
  return found
}
