import * as fc from 'fast-check'
import type { EnvelopeDirection, MessageMeta } from '../schemas/envelope.js'
import type { BodyInputOf, MessageSchemas, Schema, TypeOf } from '../schemas/schema.js'
import { encodeJson } from '../transport/json-codec.js'
import { type ArbitraryOptions, arbitraryValue } from './arbitrary-value.js'
import { drawFault, type FaultScriptOptions, inOrder } from './draw-faults.js'
import type { WireProtocol } from './fake-wire.js'
import type { FaultScript } from './fault-script.js'
import { testingMisuse } from './misuse.js'

export { type ArbitraryOptions, arbitraryValue }

/** A message, as its sender writes it. */
export interface DrawnMessage<S extends MessageSchemas, K extends TypeOf<S>> {
  readonly type: K
  /** The body; `undefined` if the type has none or its schema allows `undefined`. */
  readonly data: BodyInputOf<S[K]>
}

/**
 * Draws messages of one type that a server of the protocol sends, from the type's schema.
 *
 * @example
 * fc.assert(fc.property(arbitraryMessage(kull, 'SHOOT_PROGRESS'), ({ data }) => { … }))
 */
export function arbitraryMessage<R extends MessageSchemas, K extends TypeOf<R>>(
  protocol: Pick<WireProtocol<R>, 'receive'>,
  type: K,
  options?: ArbitraryOptions,
): fc.Arbitrary<DrawnMessage<R, K>> {
  return arbitraryOf(protocol.receive, type, options)
}

/** Draws messages of one type that a client of the protocol sends; `data` is the payload. */
export function arbitrarySend<S extends MessageSchemas, K extends TypeOf<S>>(
  protocol: Pick<WireProtocol<MessageSchemas, S>, 'send'>,
  type: K,
  options?: ArbitraryOptions,
): fc.Arbitrary<DrawnMessage<S, K>> {
  return arbitraryOf(protocol.send, type, options)
}

const meta: fc.Arbitrary<Partial<MessageMeta>> = fc
  .record(
    {
      timestamp: fc.nat({ max: 2 ** 42 }),
      deviceId: fc.oneof(fc.constant('server'), fc.string({ unit: 'binary' })),
      userId: fc.string({ unit: 'binary' }),
    },
    { requiredKeys: [] },
  )
  .map((value) => ({ ...value }))

/** Options of {@link arbitraryFrame}. */
export interface ArbitraryFrameOptions extends ArbitraryOptions {
  /** Draws the frames that go to clients, or those that go to the server. Default `toClient`. */
  readonly direction?: 'toClient' | 'toServer'
}

/**
 * Draws well-formed text frames of a protocol: messages of all its types, with and without
 * metadata. If the envelope has batches, some frames are batches.
 */
export function arbitraryFrame(
  protocol: WireProtocol,
  options: ArbitraryFrameOptions = {},
): fc.Arbitrary<string> {
  const { direction: name = 'toClient' } = options
  const schemas = name === 'toClient' ? protocol.receive : protocol.send
  const direction = protocol.envelope[name]
  const types = Object.keys(schemas)
  if (types.length === 0) throw testingMisuse(`the protocol says nothing ${name}`)
  const message = fc
    .tuple(fc.oneof(...types.map((type) => arbitraryOf(schemas, type, options))), meta)
    .map(([{ type, data }, beside]) => direction.seal(type, data, beside))
  return withBatches(message, direction).map((frame) => {
    const encoded = encodeJson(frame)
    if (encoded.ok) return encoded.frame
    throw testingMisuse(`no frame can be made: ${encoded.detail}`)
  })
}

/**
 * Draws fault scripts of up to `count` steps. They shrink to fewer, earlier and shorter faults.
 *
 * @example
 * fc.property(arbitraryFaultScript({ durationMs: 600_000 }), (script) => { … })
 */
export function arbitraryFaultScript(options: FaultScriptOptions): fc.Arbitrary<FaultScript> {
  // fc.double draws evenly from all doubles, and most doubles from 0 to 1 are close to 0.
  const chance = fc.nat(2 ** 31 - 1).map((value) => value / 2 ** 31)
  const step = fc.tuple(chance, chance, chance, chance).map((chances) => {
    const remaining = [...chances]
    return drawFault(() => remaining.shift() ?? 0, options)
  })
  return fc.array(step, { maxLength: options.count ?? 8, size: 'max' }).map(inOrder)
}

function withBatches(
  message: fc.Arbitrary<unknown>,
  { batch }: EnvelopeDirection,
): fc.Arbitrary<unknown> {
  if (batch === undefined) return message
  const several = fc
    .tuple(fc.array(message, { maxLength: 5 }), meta)
    .map(([messages, beside]) => batch(messages, beside))
  return fc.oneof({ weight: 4, arbitrary: message }, { weight: 1, arbitrary: several })
}

function arbitraryOf<S extends MessageSchemas, K extends TypeOf<S>>(
  schemas: S,
  type: K,
  options?: ArbitraryOptions,
): fc.Arbitrary<DrawnMessage<S, K>> {
  const schema: Schema | null | undefined = schemas[type]
  if (schema === undefined) {
    throw testingMisuse(`the protocol has no type "${type}" here`)
  }
  const body = schema === null ? fc.constant(undefined) : arbitraryValue(schema, options)
  // The value was drawn from this type's schema.
  return body.map((data) => ({ type, data: data as BodyInputOf<S[K]> }))
}
