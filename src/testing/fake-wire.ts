import type { Clock } from '../base/clock.js'
import { SyncError } from '../base/errors.js'
import { createEnvelope, type Envelope, type MessageMeta } from '../schemas/envelope.js'
import type { RawFrame } from '../schemas/message.js'
import type { Heartbeat } from '../schemas/policy.js'
import type { BodyInputOf, MessageSchemas, Schema } from '../schemas/schema.js'
import { decodeJson, encodeJson } from '../transport/json-codec.js'

/** What a fake peer needs to know of a protocol; every `Protocol` has it. */
export interface WireProtocol<
  R extends MessageSchemas = MessageSchemas,
  S extends MessageSchemas = MessageSchemas,
> {
  readonly receive: R
  readonly send: S
  readonly envelope: Envelope
  readonly heartbeat: Heartbeat | false
}

/** The arguments after a message's type: its body, where it has one, and what travels beside it. */
export type BodyArguments<S extends Schema | null> =
  undefined extends BodyInputOf<S>
    ? [data?: BodyInputOf<S>, meta?: Partial<MessageMeta>]
    : [data: BodyInputOf<S>, meta?: Partial<MessageMeta>]

/** A message that reached the fake peer. */
export interface ReceivedMessage {
  /** The attempt whose socket it came on, counted from 1. */
  readonly attempt: number
  /** When it came, by the clock's `now()`. */
  readonly at: number
  /** `undefined` where the frame could not be read. */
  readonly type: string | undefined
  /** As it travelled: decoded, but not validated. */
  readonly data: unknown
  readonly meta: Partial<MessageMeta>
  /** The frame it came in, which may have held others. */
  readonly raw: RawFrame
}

/** A received message before it is known where and when. */
export type OpenedMessage = Pick<ReceivedMessage, 'type' | 'data' | 'meta'>

/** Makes and reads the frames of the peer's side. */
export interface FakeWire {
  seal(type: string, data: unknown, meta?: Partial<MessageMeta>): RawFrame
  sealBatch(messages: readonly { readonly type: string; readonly data?: unknown }[]): RawFrame
  open(raw: RawFrame): readonly OpenedMessage[]
  /** The answer to a message, if it is a ping. */
  answerTo(type: string | undefined): RawFrame | undefined
  /** Whether a type is a ping or a pong. */
  readonly isControl: (type: string | undefined) => boolean
}

/** Makes the peer's side of a protocol's wire; without a protocol, that of `defineProtocol`'s defaults. */
export function createFakeWire(clock: Clock, protocol?: WireProtocol): FakeWire {
  const { toClient, toServer } = protocol?.envelope ?? createEnvelope()
  const heartbeat = protocol?.heartbeat ?? { ping: 'PING', pong: 'PONG' }

  function encode(frame: unknown): RawFrame {
    const encoded = encodeJson(frame)
    if (encoded.ok) return encoded.frame
    throw new SyncError('testing-misuse', `the peer cannot send this: ${encoded.detail}`)
  }

  function sealed(type: string, data: unknown, meta?: Partial<MessageMeta>): unknown {
    return toClient.seal(type, data, { timestamp: clock.epoch(), ...meta })
  }

  function unwrap(frame: unknown): OpenedMessage[] {
    const opened = toServer.open(frame)
    switch (opened.kind) {
      case 'message':
        return [{ type: opened.type, data: opened.body, meta: opened.meta }]
      case 'batch':
        return opened.frames.flatMap(unwrap)
      case 'invalid':
        return [unreadable]
      default:
        return opened satisfies never
    }
  }

  return {
    seal: (type, data, meta) => encode(sealed(type, data, meta)),
    sealBatch(messages) {
      if (toClient.batch === undefined) {
        throw new SyncError('testing-misuse', "the protocol's envelope has no batches")
      }
      const frames = messages.map(({ type, data }) => sealed(type, data))
      return encode(toClient.batch(frames, { timestamp: clock.epoch() }))
    },
    open(raw) {
      const decoded = decodeJson(raw)
      return decoded.ok ? unwrap(decoded.value) : [unreadable]
    },
    answerTo(type) {
      if (heartbeat === false || type !== heartbeat.ping) return undefined
      const epochMs = clock.epoch()
      const hasBody = protocol !== undefined && protocol.receive[heartbeat.pong] !== null
      const body = hasBody ? (heartbeat.body?.(epochMs) ?? { timestamp: epochMs }) : undefined
      return encode(sealed(heartbeat.pong, body))
    },
    isControl: (type) =>
      heartbeat !== false && (type === heartbeat.ping || type === heartbeat.pong),
  }
}

const unreadable: OpenedMessage = { type: undefined, data: undefined, meta: {} }
