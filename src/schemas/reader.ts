import { nameThrown } from '../base/deadline.js'
import { isControlType } from './control-type.js'
import type { EnvelopeDirection, MessageMeta, OpenedFrame } from './envelope.js'
import type { InvalidFrame, RawFrame, UnknownMessage } from './message.js'
import type { Heartbeat } from './policy.js'
import { type CompileSchema, createValidate, type MessageSchemas, type Validate } from './schema.js'

/** A validated message of any type, before its type is told apart. */
export interface ReadMessage {
  readonly type: string
  readonly data: unknown
  readonly meta: MessageMeta
}

/** Where a reader puts what it found, in the order of the wire. */
export interface ReaderSink {
  message(message: ReadMessage): void
  unknown(message: UnknownMessage): void
  /** `meta` stands beside a message whose body does not fit its schema. */
  invalid(frame: InvalidFrame, meta?: MessageMeta): void
  /** The peer asked for a sign of life. */
  pinged(): void
  /** The peer gave one. */
  ponged(): void
}

/** Reads one decoded frame; `raw` is what it was decoded from. Never throws of itself. */
export type Reader = (frame: unknown, raw: RawFrame) => void

/** Stands before the reader where there is delivery. None of the functions throws. */
export interface Gate {
  /** Whether a message may be taken in; by what stands beside its body. */
  admits(meta: MessageMeta): boolean
  /** Takes a control frame. */
  hear(type: string, body: unknown): void
}

/** What {@link createReader} needs. */
export interface ReaderOptions {
  readonly schemas: MessageSchemas
  readonly direction: EnvelopeDirection
  readonly heartbeat: Heartbeat | false
  readonly sink: ReaderSink
  /** Absent where control frames are unknown types like others. */
  readonly gate?: Gate | undefined
  readonly compile?: CompileSchema | undefined
}

// A batch in a batch in a batch is nothing that any sender makes; unbounded it could overflow
// the stack.
const DEEPEST_BATCH = 8

/**
 * Makes the function that takes decoded frames apart: envelope, then route by type, then schema.
 * Types are looked up in a `Map`, so a type named after something on `Object.prototype` is
 * unknown like any other.
 */
export function createReader(options: ReaderOptions): Reader {
  const { direction, gate, heartbeat, sink } = options
  const ping = heartbeat === false ? undefined : heartbeat.ping
  const pong = heartbeat === false ? undefined : heartbeat.pong
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

  // An envelope may be the user's own, and meets whatever a peer sends.
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
        // The route's name of the type, not the frame's: a string out of a frame is hashed and
        // compared anew by everything that looks a message up by its type.
        sink.message({ type: route.type, data: validated.value, meta })
      } else {
        const { detail, issues } = validated
        sink.invalid({ reason: 'schema-mismatch', detail, type, issues, raw }, meta)
      }
    }
    // Whatever its body looks like, a pong shows that the peer lives.
    if (type === pong) sink.ponged()
    else if (type === ping) sink.pinged()
  }

  return (frame, raw) => {
    read(frame, raw, 0)
  }
}

interface Route {
  readonly type: string
  readonly validate: Validate
}

const withoutBody: Validate = () => ({ ok: true, value: undefined })

function createRoutes(
  schemas: MessageSchemas,
  compile: CompileSchema | undefined,
): ReadonlyMap<string, Route> {
  const routes = new Map<string, Route>()
  for (const [type, schema] of Object.entries(schemas)) {
    routes.set(type, {
      type,
      validate: schema === null ? withoutBody : createValidate(schema, compile),
    })
  }
  return routes
}
