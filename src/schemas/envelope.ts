/** What travels beside a message's data: who caused it, and when. */
export interface MessageMeta {
  /** When the sender made the message, in milliseconds since the epoch. */
  readonly timestamp: number | undefined
  /** The device that caused it; `"server"` where none did. */
  readonly deviceId: string | undefined
  /** The user it belongs to. */
  readonly userId: string | undefined
  /** With delivery: its number among the messages to all of the user's devices, from 1. */
  readonly seq?: number
  /** With delivery: within what `seq` counts. */
  readonly epoch?: string
  /** With delivery: `cid/n` of the client's message that caused it. */
  readonly id?: string
  /** With delivery, to a server: the outbox it comes from. */
  readonly cid?: string
  /** With delivery, to a server: its number within the outbox, from 1. */
  readonly n?: number
}

/** What one decoded frame turned out to be. */
export type OpenedFrame =
  | {
      readonly kind: 'message'
      readonly type: string
      readonly body: unknown
      readonly meta: MessageMeta
    }
  | { readonly kind: 'batch'; readonly frames: readonly unknown[] }
  | { readonly kind: 'invalid'; readonly detail: string }

/** One direction of the wire: how a message is wrapped, and unwrapped on the other side. */
export interface EnvelopeDirection {
  /** Unwraps a decoded frame. Never throws. */
  open(frame: unknown): OpenedFrame
  /** Wraps a message; keys without a value are left out by the codec. */
  seal(type: string, body: unknown, meta?: Partial<MessageMeta>): unknown
  /** Wraps several sealed frames in one; absent where the wire has no batches. */
  readonly batch?: (frames: readonly unknown[], meta?: Partial<MessageMeta>) => unknown
}

/**
 * The replaceable part that knows where a frame keeps its type, its body and the rest.
 *
 * `createEnvelope` covers JSON objects with other field names; implement the interface for a wire
 * of another shape, for example arrays.
 */
export interface Envelope {
  readonly toClient: EnvelopeDirection
  readonly toServer: EnvelopeDirection
}

/** Field names of a JSON envelope. */
export interface EnvelopeFields {
  /** Where the type stands. Default `type`. */
  readonly type?: string
  /** Where the body stands in frames to the client. Default `data`. */
  readonly data?: string
  /** Where the body stands in frames to the server. Default `payload`. */
  readonly payload?: string
  /** The type of a frame that holds several, and the field that holds them. Default `BATCH`, `messages`. */
  readonly batch?: { readonly type: string; readonly frames: string } | false
}

type FrameFields = Readonly<Record<string, unknown>>

/** Makes an envelope of JSON objects: `{type, data, timestamp, deviceId, userId}` unless told otherwise. */
export function createEnvelope(fields: EnvelopeFields = {}): Envelope {
  const type = fields.type ?? 'type'
  const batch = fields.batch ?? { type: 'BATCH', frames: 'messages' }
  return {
    toClient: createDirection(type, fields.data ?? 'data', batch),
    toServer: createDirection(type, fields.payload ?? 'payload', batch),
  }
}

function createDirection(
  typeField: string,
  bodyField: string,
  batch: { readonly type: string; readonly frames: string } | false,
): EnvelopeDirection {
  const direction: EnvelopeDirection = {
    open(frame) {
      if (!isFields(frame)) return { kind: 'invalid', detail: 'the frame is not an object' }
      const type = frame[typeField]
      if (typeof type !== 'string' || type === '') {
        return { kind: 'invalid', detail: `the frame has no "${typeField}"` }
      }
      if (batch !== false && type === batch.type) {
        const frames = frame[batch.frames]
        if (Array.isArray(frames)) return { kind: 'batch', frames }
        return { kind: 'invalid', detail: `${batch.type} without a "${batch.frames}" array` }
      }
      return { kind: 'message', type, body: frame[bodyField], meta: readMeta(frame) }
    },
    seal: (type, body, meta) => ({ [typeField]: type, [bodyField]: body, ...meta }),
  }
  if (batch === false) return direction
  return {
    ...direction,
    batch: (frames, meta) => ({ [typeField]: batch.type, [batch.frames]: frames, ...meta }),
  }
}

// Senders differ in what they put beside the data; a value of the wrong kind is treated as absent
// rather than costing us the message.
function readMeta(frame: FrameFields): MessageMeta {
  const { timestamp, deviceId, userId } = frame
  const meta = {
    timestamp: typeof timestamp === 'number' ? timestamp : undefined,
    deviceId: typeof deviceId === 'string' ? deviceId : undefined,
    userId: typeof userId === 'string' ? userId : undefined,
  }
  // Plain messages, most of them where there is no delivery, carry neither number.
  return frame['seq'] === undefined && frame['n'] === undefined ? meta : readNumbers(frame, meta)
}

// A half of a number is none: without the epoch that it counts in, or the outbox, it says nothing.
function readNumbers(
  { seq, epoch, id, cid, n }: FrameFields,
  meta: Writable<MessageMeta>,
): MessageMeta {
  if (isNumber(seq) && typeof epoch === 'string') {
    meta.seq = seq
    meta.epoch = epoch
    if (typeof id === 'string') meta.id = id
  }
  if (isNumber(n) && typeof cid === 'string') {
    meta.cid = cid
    meta.n = n
  }
  return meta
}

type Writable<T> = { -readonly [Key in keyof T]: T[Key] }

function isNumber(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) > 0
}

function isFields(value: unknown): value is FrameFields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
