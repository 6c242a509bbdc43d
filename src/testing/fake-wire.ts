import type { Clock } from '../base/clock.js'
import type { Envelope, MessageMeta } from '../schemas/envelope.js'
import type { RawFrame } from '../schemas/message.js'
import type { Heartbeat } from '../schemas/policy.js'
import { defineProtocol } from '../schemas/protocol.js'
import type { BodyInputOf, MessageSchemas, Schema } from '../schemas/schema.js'
import { decodeJson, encodeJson } from '../transport/json-codec.js'
import { testingMisuse } from './misuse.js'

/** The parts of a protocol that a fake peer uses. Every `Protocol` fits. */
export interface WireProtocol<
  R extends MessageSchemas = MessageSchemas,
  S extends MessageSchemas = MessageSchemas,
> {
  readonly receive: R
  readonly send: S
  readonly envelope: Envelope
  readonly heartbeat: Heartbeat | false
}

/** The arguments after a message's type: its body, if the type has one, and its metadata. */
export type BodyArguments<S extends Schema | null> =
  undefined extends BodyInputOf<S>
    ? [data?: BodyInputOf<S>, meta?: Partial<MessageMeta>]
    : [data: BodyInputOf<S>, meta?: Partial<MessageMeta>]

/** A message that reached the fake peer. */
export interface ReceivedMessage {
  /** The attempt whose socket it came on, counted from 1. */
  readonly attempt: number
  /** The clock's `now()` when it arrived. */
  readonly at: number
  /** `undefined` when the frame could not be decoded. */
  readonly type: string | undefined
  /** The body as it came: decoded, but not validated. */
  readonly data: unknown
  readonly meta: Partial<MessageMeta>
  /** The frame it came in. A batch holds several messages. */
  readonly raw: RawFrame
}

// Stands for a frame that cannot be decoded.
const unreadable = { type: undefined, data: undefined, meta: {} }

const standard = (): WireProtocol => defineProtocol({ receive: { PONG: null }, send: {} })

/** Encodes and decodes the peer's frames. */
export class FakeWire {
  readonly #clock: Clock
  readonly #protocol: WireProtocol

  constructor(clock: Clock, protocol = standard()) {
    this.#clock = clock
    this.#protocol = protocol
  }

  encode(type: string, data: unknown, meta?: Partial<MessageMeta>): RawFrame {
    return encodeFrame(this.#seal(type, data, meta))
  }

  encodeBatch(messages: readonly { readonly type: string; readonly data?: unknown }[]): RawFrame {
    const { batch } = this.#protocol.envelope.toClient
    if (batch === undefined) throw testingMisuse("the protocol's envelope has no batches")
    const frames = messages.map(({ type, data }) => this.#seal(type, data))
    return encodeFrame(batch(frames, { timestamp: this.#clock.epoch() }))
  }

  /** Decodes a frame that arrives now. */
  decode(raw: RawFrame, attempt: number): ReceivedMessage[] {
    const decoded = decodeJson(raw)
    const contents = decoded.ok ? this.#open(decoded.value) : [unreadable]
    return contents.map((content) => ({ ...content, attempt, at: this.#clock.now(), raw }))
  }

  /** The frame that answers a message of this type; `undefined` if it is no ping. */
  answerTo(type: string | undefined): RawFrame | undefined {
    const { heartbeat, receive } = this.#protocol
    if (heartbeat === false || type !== heartbeat.ping) return undefined
    if (receive[heartbeat.pong] === null) return this.encode(heartbeat.pong, undefined)
    const timestamp = this.#clock.epoch()
    return this.encode(heartbeat.pong, heartbeat.body?.(timestamp) ?? { timestamp })
  }

  /** Tells pings and pongs from other types. */
  isControl(type: string | undefined): boolean {
    const { heartbeat } = this.#protocol
    return heartbeat !== false && (type === heartbeat.ping || type === heartbeat.pong)
  }

  #seal(type: string, data: unknown, meta?: Partial<MessageMeta>): unknown {
    const { toClient } = this.#protocol.envelope
    return toClient.seal(type, data, { timestamp: this.#clock.epoch(), ...meta })
  }

  #open(frame: unknown): Pick<ReceivedMessage, 'type' | 'data' | 'meta'>[] {
    const opened = this.#protocol.envelope.toServer.open(frame)
    switch (opened.kind) {
      case 'message':
        return [{ type: opened.type, data: opened.body, meta: opened.meta }]
      case 'batch':
        return opened.frames.flatMap((each) => this.#open(each))
      case 'invalid':
        return [unreadable]
      default:
        return opened satisfies never
    }
  }
}

function encodeFrame(frame: unknown): RawFrame {
  const encoded = encodeJson(frame)
  if (encoded.ok) return encoded.frame
  throw testingMisuse(`the peer cannot send this: ${encoded.detail}`)
}
