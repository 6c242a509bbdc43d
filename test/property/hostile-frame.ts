import * as fc from 'fast-check'
import type { RawFrame } from '../../src/schemas/message.js'
import { arbitraryFrame } from '../../src/testing/arbitraries.js'
import type { WireProtocol } from '../../src/testing/fake-wire.js'

/** Options of {@link hostileFrame}. */
export interface HostileFrameOptions {
  /** Adds frames that were right before something was done to them. */
  readonly protocol?: WireProtocol
  /** How deep the deepest nesting goes. Default 20,000, where most recursion has ended. */
  readonly maxDepth?: number
}

/**
 * Frames that no decent sender makes, from nearly right to plain noise: bytes, broken JSON, JSON
 * of the wrong shape, nesting without end, numbers that no double holds, keys and types named
 * after what every object inherits, lone surrogates, endless strings.
 */
export function hostileFrame(options: HostileFrameOptions = {}): fc.Arbitrary<RawFrame> {
  const { protocol, maxDepth = 20_000 } = options
  const decent = protocol === undefined ? someMessage : arbitraryFrame(protocol)
  const types = Object.keys(protocol?.receive ?? { PING: null })
  return fc.oneof<fc.Arbitrary<RawFrame>[]>(
    fc.uint8Array({ maxLength: 200 }),
    decent.map((text) => new TextEncoder().encode(text)),
    fc.string({ unit: 'binary' }),
    fc.string({ unit: utf16Unit }),
    fc.json(),
    brokenJson(decent),
    fc.constantFrom(...wrongShapes),
    inheritedNames,
    hugeNumbers(types),
    deepNesting(types, maxDepth),
    oddBatches(types),
    fc.nat(100_000).map((length) => `{"type":"${'x'.repeat(length)}"}`),
  )
}

const someMessage = fc
  .tuple(fc.string(), fc.jsonValue())
  .map(([type, data]) => JSON.stringify({ type, data }))

// Any 16 bits, halves of surrogate pairs included.
const utf16Unit = fc.nat(0xffff).map((code) => String.fromCharCode(code))

function brokenJson(decent: fc.Arbitrary<string>): fc.Arbitrary<string> {
  const place = fc.nat(100_000)
  const cut = fc
    .tuple(decent, place)
    .map(([text, where]) => text.slice(0, where % (text.length + 1)))
  const struck = fc.tuple(decent, place, utf16Unit).map(([text, where, unit]) => {
    const at = where % (text.length + 1)
    return text.slice(0, at) + unit + text.slice(at + 1)
  })
  const doubled = decent.map((text) => text + text)
  const escaped = decent.map((text) => text.replace(/"/g, '\\"'))
  return fc.oneof(
    cut,
    struck,
    doubled,
    escaped,
    decent.map((text) => `\ufeff${text}`),
  )
}

const wrongShapes = [
  ...['', ' ', 'null', 'true', '0', '-0', '""', '[]', '{}', '[{}]', '[[]]', 'NaN', 'undefined'],
  '{"type":null}',
  '{"type":""}',
  '{"type":7}',
  '{"type":[]}',
  '{"type":{"type":"PING"}}',
  '{"type":"A","type":"B"}',
  '{"Type":"PING"}',
  '{"type":"PING","timestamp":"now","deviceId":5,"userId":{}}',
  '{"data":{}}',
  "{'type':'PING'}",
  '{"type":"PING",}',
  '{"type":"\\ud800"}',
  '"\ud800"',
]

const inherited = ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'then']

const inheritedNames = fc
  .tuple(fc.constantFrom(...inherited), fc.constantFrom(...inherited), fc.json({ maxDepth: 1 }))
  .chain(([name, other, json]) =>
    fc.constantFrom(
      `{"type":"${name}","data":${json}}`,
      `{"type":"PING","${name}":${json}}`,
      `{"type":"PING","data":{"${name}":{"${other}":${json}}}}`,
      `{"${name}":{"type":"PING","data":${json}}}`,
    ),
  )

function hugeNumbers(types: readonly string[]): fc.Arbitrary<string> {
  const number = fc.oneof(
    fc.constantFrom('1e309', '-1e309', '1e-400', '-0', '9007199254740993', '0.1e-7', '1E+2'),
    fc.nat(2_000).map((digits) => `1${'0'.repeat(digits)}`),
  )
  return fc
    .tuple(fc.constantFrom(...types), number)
    .map(([type, huge]) => `{"type":${JSON.stringify(type)},"timestamp":${huge},"data":${huge}}`)
}

function deepNesting(types: readonly string[], maxDepth: number): fc.Arbitrary<string> {
  const nested = fc
    .tuple(fc.integer({ min: 100, max: maxDepth }), fc.constantFrom('[', '{"a":'), fc.boolean())
    .map(([depth, open, isClosed]) => {
      const close = open === '[' ? ']' : '}'
      return open.repeat(depth) + (isClosed ? `1${close.repeat(depth)}` : '')
    })
  const placed = fc
    .tuple(fc.constantFrom(...types), nested)
    .map(([type, body]) => `{"type":${JSON.stringify(type)},"data":${body}}`)
  return fc.oneof(nested, placed)
}

function oddBatches(types: readonly string[]): fc.Arbitrary<string> {
  const inner = fc.constantFrom(...types).map((type) => `{"type":${JSON.stringify(type)}}`)
  const messages = fc.oneof(
    fc.json({ maxDepth: 1 }),
    fc.tuple(inner, fc.json({ maxDepth: 1 })).map((both) => `[${both.join()}]`),
    fc.tuple(inner, fc.nat(500)).map(([one, depth]) => {
      const open = '[{"type":"BATCH","messages":'.repeat(depth)
      return `${open}[${one}]${'}]'.repeat(depth)}`
    }),
  )
  return messages.map((list) => `{"type":"BATCH","messages":${list}}`)
}
