import { isControlType } from '../schemas/control-type.js'
import type { MessageMeta } from '../schemas/envelope.js'
import type { RawFrame } from '../schemas/message.js'
import type { Protocol } from '../schemas/protocol.js'
import { createReader, type ReadMessage } from '../schemas/reader.js'
import { decodeJson } from '../transport/json-codec.js'
import type { Counting } from './stats.js'

/** Takes frames of clients apart. Never throws, whatever is in them. */
export type Inbound<Peer> = (peer: Peer, frame: RawFrame) => void

/** What {@link createInbound} needs. None of the functions throws. */
export interface InboundOptions<Peer> {
  readonly protocol: Pick<Protocol, 'send' | 'envelope' | 'heartbeat'>
  readonly counters: Counting
  readonly message: (peer: Peer, message: ReadMessage) => void
  readonly pinged: (peer: Peer) => void
  /** A message that can never be taken, because of what it is. */
  readonly refused?: (peer: Peer, meta: MessageMeta, code: 'invalid' | 'unknown-type') => void
  /** A frame about delivery. Gives `unknown` from those who have none. */
  readonly control?: (peer: Peer, type: string, payload: unknown) => 'taken' | 'unknown' | 'invalid'
  /** Something came that is left alone: a fact for the log, which repeats nothing but the type. */
  readonly ignored: (peer: Peer, event: string, detail: Record<string, unknown>) => void
}

// A type is the client's text.
const LONGEST_TYPE = 80

/** Makes the {@link Inbound} of a server: one reader, so one set of routes, for all clients. */
export function createInbound<Peer>(options: InboundOptions<Peer>): Inbound<Peer> {
  const { counters, protocol } = options
  // Reading is synchronous, so that whose frame it is need not travel through the reader.
  let sender!: Peer

  function invalid(reason: string, detail: string): void {
    counters.invalid += 1
    options.ignored(sender, 'frame.invalid', { reason, detail })
  }

  const read = createReader({
    schemas: protocol.send,
    direction: protocol.envelope.toServer,
    heartbeat: protocol.heartbeat,
    sink: {
      message(message) {
        counters.messagesIn += 1
        options.message(sender, message)
      },
      unknown({ type, data, meta }) {
        const read = isControlType(type) ? options.control?.(sender, type, data) : undefined
        if (read === 'taken') return
        if (read === 'invalid') {
          invalid('schema-mismatch', `${type} does not fit its schema`)
          return
        }
        counters.unknown += 1
        options.ignored(sender, 'message.unknown', { type: type.slice(0, LONGEST_TYPE) })
        options.refused?.(sender, meta, 'unknown-type')
      },
      invalid({ reason, detail }, meta) {
        invalid(reason, detail)
        if (meta !== undefined) options.refused?.(sender, meta, 'invalid')
      },
      pinged() {
        options.pinged(sender)
      },
      ponged() {},
    },
  })

  return (peer, frame) => {
    sender = peer
    const decoded = decodeJson(frame)
    if (decoded.ok) read(decoded.value, frame)
    else invalid(decoded.reason, decoded.detail)
  }
}
