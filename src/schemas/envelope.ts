import { isRecord } from '../base/values.js'

/** What a frame carries beside a message's data: who caused it, and when. */
export interface MessageMeta {
  /** When the sender created the message, in milliseconds since the epoch. */
  readonly timestamp: number | undefined
  /** The device that caused the message; `"server"` where no device did. */
  readonly deviceId: string | undefined
  /** The user that the message belongs to. */
  readonly userId: string | undefined
  /** With delivery: the message's number among those to all devices of the user, from 1. */
  readonly seq?: number
  /** With delivery: the epoch that `seq` counts in. */
  readonly epoch?: string
  /** With delivery: `cid/n` of the client's message that caused it. */
  readonly id?: string
  /** With delivery, to a server: the outbox that the message comes from. */
  readonly cid?: string
  /** With delivery, to a server: the message's number in its outbox, from 1. */
  readonly n?: number
}

/** What an envelope found in a decoded frame. */
export type OpenedFrame =
  | {
      readonly kind: 'message'
      readonly type: string
      readonly body: unknown
      readonly meta: MessageMeta
    }
  | { readonly kind: 'batch'; readonly frames: readonly unknown[] }
  | { readonly kind: 'invalid'; readonly detail: string }

/** One direction of the wire: how its sender wraps a message and its receiver unwraps it. */
export interface EnvelopeDirection {
  /** Unwraps a decoded frame. Never throws. */
  open(frame: unknown): OpenedFrame
  /** Wraps a message. The codec leaves out keys whose value is `undefined`. */
  seal(type: string, body: unknown, meta?: Partial<MessageMeta>): unknown
  /** Wraps several sealed frames in one. Absent where the wire has no batches. */
  readonly batch?: (frames: readonly unknown[], meta?: Partial<MessageMeta>) => unknown
}

/**
 * Knows where in a frame the type, the body and the rest stand.
 *
 * `createEnvelope` makes one for JSON objects with any field names. Implement the interface for
 * frames of another shape, for example arrays.
 */
export interface Envelope {
  readonly toClient: EnvelopeDirection
  readonly toServer: EnvelopeDirection
}

/** Field names of a JSON envelope. */
export interface EnvelopeFields {
  /** The field of the type. Default `type`. */
  readonly type?: string
  /** The field of the body in frames to the client. Default `data`. */
  readonly data?: string
  /** The field of the body in frames to the server. Default `payload`. */
  readonly payload?: string
  /**
   * The type of a frame that holds several messages, and the field that holds them; `false`: there
   * is none. Default `BATCH` and `messages`.
   */
  readonly batch?: { readonly type: string; readonly frames: string } | false
}

type FrameFields = Readonly<Record<string, unknown>>

/** Makes an envelope of JSON objects; by default `{type, data, timestamp, deviceId, userId}`. */
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
      if (!isRecord(frame)) return { kind: 'invalid', detail: 'the frame is not an object' }
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

// Senders differ in what they put beside the data. A value of the wrong type counts as absent: the
// message itself is still good.
function readMeta(frame: FrameFields): MessageMeta {
  const { timestamp, deviceId, userId } = frame
  const meta = {
    timestamp: typeof timestamp === 'number' ? timestamp : undefined,
    deviceId: typeof deviceId === 'string' ? deviceId : undefined,
    userId: typeof userId === 'string' ? userId : undefined,
  }
  // Messages without delivery carry neither number.
  return frame['seq'] === undefined && frame['n'] === undefined ? meta : readNumbers(frame, meta)
}

// A `seq` means nothing without its epoch, nor an `n` without its cid: such a number is ignored.
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
