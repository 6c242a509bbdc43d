import type { MessageMeta } from './envelope.js'
import type { BodyOf, Issue, MessageSchemas, TypeOf } from './schema.js'

/** A frame as it came off the wire. */
export type RawFrame = string | Uint8Array

/** One validated message of a type. */
export interface MessageOf<R extends MessageSchemas, K extends TypeOf<R>> {
  readonly type: K
  /** As the type's schema gives it; `undefined` for a type without a body. */
  readonly data: BodyOf<R[K]>
  readonly meta: MessageMeta
}

/** Any message of a protocol: a union discriminated by `type`. */
export type AnyMessage<R extends MessageSchemas> = {
  readonly [K in TypeOf<R>]: MessageOf<R, K>
}[TypeOf<R>]

/** A well-formed message of a type that the protocol does not know: normal with a newer peer. */
export interface UnknownMessage {
  readonly type: string
  readonly data: unknown
  readonly meta: MessageMeta
}

/** Why a frame could not be read. */
export type InvalidReason =
  | 'not-text'
  | 'not-json'
  | 'too-deep'
  | 'envelope-mismatch'
  | 'schema-mismatch'

/** A frame, or one message of a batch, that could not be read; nothing else was lost with it. */
export interface InvalidFrame {
  readonly reason: InvalidReason
  /** What was wrong, in words; does not repeat the frame's values. */
  readonly detail: string
  /** The message's type, where the envelope could be opened. */
  readonly type?: string
  /** zod's issues, for `schema-mismatch`. */
  readonly issues?: readonly Issue[]
  /** The whole frame it came in. */
  readonly raw: RawFrame
}
