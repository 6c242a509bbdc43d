import { nameThrown } from '../base/deadline.js'
import { isControlType } from './control-type.js'
import type { EnvelopeDirection, MessageMeta, OpenedFrame } from './envelope.js'
import type { InvalidFrame, RawFrame, UnknownMessage } from './message.js'
import type { Heartbeat } from './policy.js'
import { type CompileSchema, createValidate, type MessageSchemas, type Validate } from './schema.js'

/** A validated message whose type the compiler does not know. */
export interface ReadMessage {
  readonly type: string
  readonly data: unknown
  readonly meta: MessageMeta
}

/** Receives what a reader found, in the order of the wire. */
export interface ReaderSink {
  message(message: ReadMessage): void
  unknown(message: UnknownMessage): void
  /** `meta` is given for a message whose body does not fit its schema. */
  invalid(frame: InvalidFrame, meta?: MessageMeta): void
  /** The peer sent a ping. */
  pinged(): void
  /** The peer sent a pong. */
  ponged(): void
}

/** Reads one decoded frame; `raw` is the frame before decoding. Throws only what the sink throws. */
export type Reader = (frame: unknown, raw: RawFrame) => void

/** Decides, where there is delivery, which frames the reader goes on with. No function throws. */
export interface Gate {
  /** Whether a message may be read, by what the frame carries beside its body. */
  admits(meta: MessageMeta): boolean
  /** Receives a control frame. */
  hear(type: string, body: unknown): void
}

/** What {@link createReader} needs. */
export interface ReaderOptions {
  readonly schemas: MessageSchemas
  readonly direction: EnvelopeDirection
  readonly heartbeat: Heartbeat | false
  readonly sink: ReaderSink
  /** Without a gate, control frames are messages of unknown types. */
  readonly gate?: Gate | undefined
  readonly compile?: CompileSchema | undefined
}

// No sender nests batches; without a bound, nested batches could overflow the stack.
const DEEPEST_BATCH = 8

/**
 * Makes the function that reads decoded frames: envelope, then route by type, then schema. Types
 * are looked up in a `Map`, so a type named like a property of `Object.prototype` is unknown.
 */
export function createReader(options: ReaderOptions): Reader {
  const { direction, gate, heartbeat, sink } = options
  const { ping, pong } = heartbeat || { ping: undefined, pong: undefined }
  const routes = createRoutes(options.schemas, options.compile)

  function read(frame: unknown, raw: RawFrame, depth: number): void {
    const opened = open(frame)
    if (opened.kind === 'message') {
      if (gate === undefined) readMessage(opened.type, opened.body, opened.meta, raw)
      else if (isControlType(opened.type)) gate.hear(opened.type, opened.body)
      else if (gate.admits(opened.meta)) readMessage(opened.type, opened.body, opened.meta, raw)
    } else if (opened.kind === 'batch') {
      readBatch(opened.frames, raw, depth)
    } else {
      sink.invalid({ reason: 'envelope-mismatch', detail: opened.detail, raw })
    }
  }

  // The envelope may be the user's code, and gets whatever a peer sends.
  function open(frame: unknown): OpenedFrame {
    try {
      return direction.open(frame)
    } catch (error) {
      return { kind: 'invalid', detail: `the envelope threw: ${nameThrown(error)}` }
    }
  }

  function readBatch(frames: readonly unknown[], raw: RawFrame, depth: number): void {
    if (depth === DEEPEST_BATCH) {
      sink.invalid({ reason: 'too-deep', detail: `batches nest deeper than ${DEEPEST_BATCH}`, raw })
      return
    }
    for (const frame of frames) read(frame, raw, depth + 1)
  }

  function readMessage(type: string, body: unknown, meta: MessageMeta, raw: RawFrame): void {
    const route = routes.get(type)
    if (route === undefined) {
      if (type !== ping && type !== pong) sink.unknown({ type, data: body, meta })
    } else {
      const validated = route.validate(body)
      if (validated.ok) {
        // The route's string, not the frame's: each lookup by a string out of a frame hashes and
        // compares it again.
        sink.message({ type: route.type, data: validated.value, meta })
      } else {
        const { detail, issues } = validated
        sink.invalid({ reason: 'schema-mismatch', detail, type, issues, raw }, meta)
      }
    }
    // A pong shows that the peer is alive, whether or not its body is valid.
    if (type === pong) sink.ponged()
    else if (type === ping) sink.pinged()
  }

  return (frame, raw) => {
    read(frame, raw, 0)
  }
}

const withoutBody: Validate = () => ({ ok: true, value: undefined })

function createRoutes(schemas: MessageSchemas, compile: CompileSchema | undefined) {
  const routes = new Map<string, { readonly type: string; readonly validate: Validate }>()
  for (const [type, schema] of Object.entries(schemas)) {
    const validate = schema === null ? withoutBody : createValidate(schema, compile)
    routes.set(type, { type, validate })
  }
  return routes
}
