import type { Protocol } from '../schemas/protocol.js'
import { createReader, type Gate, type ReaderOptions } from '../schemas/reader.js'
import type { Publisher } from '../streams/publisher.js'
import { createFrameReader } from '../transport/json-codec.js'

/** What a client's reader gives messages and heartbeats to. */
export interface ClientReaderOptions {
  readonly compile: ReaderOptions['compile']
  readonly gate: Gate | undefined
  readonly publisher: Pick<Publisher<object, unknown, object>, 'sink' | 'noteSync'>
  readonly pinged: () => void
  readonly ponged: () => void
}

/** Makes the way in: codec, then reader, then publisher. */
export function createClientReader(
  protocol: Pick<Protocol, 'receive' | 'envelope' | 'heartbeat'>,
  { compile, gate, publisher, pinged, ponged }: ClientReaderOptions,
) {
  const { sink } = publisher
  const read = createReader({
    schemas: protocol.receive,
    direction: protocol.envelope.toClient,
    heartbeat: protocol.heartbeat,
    compile,
    gate,
    sink: {
      ...sink,
      pinged,
      ponged() {
        publisher.noteSync()
        ponged()
      },
    },
  })
  return createFrameReader(read, (frame) => sink.invalid(frame))
}
