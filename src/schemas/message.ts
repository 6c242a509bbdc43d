import type { MessageMeta } from './envelope.js'
import type { BodyOf, Issue, MessageSchemas, TypeOf } from './schema.js'

/** A frame as the socket gave it. */
export type RawFrame = string | Uint8Array

/** One validated message of a type. */
export interface MessageOf<R extends MessageSchemas, K extends TypeOf<R>> {
  readonly type: K
  /** The body, as the type's schema outputs it; `undefined` for a type without a body. */
  readonly data: BodyOf<R[K]>
  readonly meta: MessageMeta
}

/** Any message of a protocol: a union discriminated by `type`. */
export type AnyMessage<R extends MessageSchemas> = {
  readonly [K in TypeOf<R>]: MessageOf<R, K>
}[TypeOf<R>]

/** A well-formed message of a type that the protocol does not know; usual where the peer is newer. */
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

/** A frame, or one message of a batch, that could not be read. Other messages are not affected. */
export interface InvalidFrame {
  readonly reason: InvalidReason
  /** What was wrong, in words. Does not contain values of the frame. */
  readonly detail: string
  /** The message's type, where the envelope could be read. */
  readonly type?: string
  /** zod's issues, for `schema-mismatch`. */
  readonly issues?: readonly Issue[]
  /** The whole frame. */
  readonly raw: RawFrame
}
