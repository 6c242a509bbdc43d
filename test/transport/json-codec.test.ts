import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { RawFrame } from '../../src/schemas/message.js'
import {
  createFrameReader,
  DEEPEST_JSON,
  decodeJson,
  encodeJson,
} from '../../src/transport/json-codec.js'

function nested(levels: number, open = '[', close = ']'): string {
  return open.repeat(levels) + close.repeat(levels)
}

function roundTrip(value: unknown): unknown {
  const encoded = encodeJson(value)
  if (!encoded.ok) throw new Error(encoded.detail)
  const decoded = decodeJson(encoded.frame)
  if (!decoded.ok) throw new Error(decoded.detail)
  return decoded.value
}

/** Without what has no value, and with the one zero that JSON knows. */
function plain(value: unknown): unknown {
  if (Object.is(value, -0)) return 0
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  if (![Object.prototype, null].includes(Object.getPrototypeOf(value) as object | null))
    return value
  const held = Object.entries(value).filter(([, part]) => part !== undefined)
  return Object.fromEntries(held.map(([key, part]) => [key, plain(part)]))
}

describe('what is encoded', () => {
  it('[NET-7] decodes to an equal value, for any JSON value', () => {
    let deepest = 0
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 10, stringUnit: 'binary' }), (value) => {
        expect(roundTrip(value)).toEqual(plain(value))
        deepest = Math.max(deepest, JSON.stringify(value).split(/[[{]/).length)
      }),
      { numRuns: 500 },
    )
    expect(deepest).toBeGreaterThan(5)
  })

  it('[NET-7] decodes to an equal value, or is refused, for anything at all', () => {
    const counts = { held: 0, refused: 0 }
    const anything = fc.anything({
      ...{ withBigInt: true, withMap: true, withSet: true, withSparseArray: true },
      ...{ withNullPrototype: true, withTypedArray: true, stringUnit: 'binary', maxDepth: 4 },
    })
    fc.assert(
      fc.property(anything, (value) => {
        const encoded = encodeJson(value)
        if (encoded.ok) {
          expect(roundTrip(value)).toEqual(plain(value))
          counts.held += 1
        } else {
          expect(encoded.detail.length).toBeGreaterThan(0)
          counts.refused += 1
        }
      }),
      { numRuns: 2_000 },
    )
    expect(Math.min(counts.held, counts.refused)).toBeGreaterThan(200)
  })

  it('[NET-7] keeps keys that are special to JavaScript', () => {
    const text =
      '{"__proto__":{"polluted":1},"constructor":2,"toString":null,"":{"hasOwnProperty":3}}'
    const decoded = decodeJson(text)
    expect(decoded).toMatchObject({ ok: true })
    const { value } = decoded as { value: object }
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype)
    expect(Object.keys(value)).toEqual(['__proto__', 'constructor', 'toString', ''])
    expect('polluted' in value).toBe(false)
    expect(encodeJson(value)).toEqual({ ok: true, frame: text })
  })

  it('[NET-7] leaves out keys without a value', () => {
    expect(encodeJson({ a: undefined, b: null, c: { d: undefined } })).toEqual({
      ok: true,
      frame: '{"b":null,"c":{}}',
    })
  })

  it('[NET-7] may say itself what it is in JSON', () => {
    const at = new Date(0)
    expect(encodeJson({ at, own: { toJSON: () => ({ b: undefined, c: 1 }) } })).toEqual({
      ok: true,
      frame: '{"at":"1970-01-01T00:00:00.000Z","own":{"c":1}}',
    })
  })

  it('[NET-7] is refused where JSON would turn it into null, and the reason says where', () => {
    const hole: unknown[] = [1]
    hole[2] = 3
    const refused: readonly (readonly [value: unknown, where: string])[] = [
      [Number.NaN, 'the value'],
      [{ width: Number.NaN }, 'width'],
      [{ width: Number.POSITIVE_INFINITY }, 'width'],
      [{ a: { width: Number.NEGATIVE_INFINITY } }, 'width'],
      [{ at: new Date(Number.NaN) }, 'at'],
      [[1, undefined], '1'],
      [[1, () => 1], '1'],
      [[Symbol('s')], '0'],
      [hole, '1'],
      [{ toJSON: () => Number.NaN }, 'the value'],
    ]
    for (const [value, where] of refused) {
      const encoded = encodeJson(value)
      expect(encoded.ok).toBe(false)
      expect((encoded as { detail: string }).detail).toContain(where)
    }
  })

  it('[NET-7] is refused where JSON cannot hold it', () => {
    const cycle: { self?: unknown } = {}
    cycle.self = cycle
    const thrown = {
      toJSON() {
        throw new Error('not today')
      },
    }
    const getter = Object.defineProperty({}, 'a', {
      enumerable: true,
      get() {
        throw new Error('not today')
      },
    })
    let deep: unknown = 1
    for (let level = 0; level < 100_000; level += 1) deep = [deep]
    const refused = [
      ...[cycle, thrown, getter, deep, { n: 1n }, 1n, undefined, () => 1, Symbol('s')],
      ...[{ onClick: () => 1 }, { tag: Symbol('s') }],
      ...[new Map([[1, 2]]), { seen: new Set([1]) }, { raw: new Uint8Array(2) }],
      ...[{ raw: new ArrayBuffer(2) }],
    ]
    for (const value of refused) expect(encodeJson(value)).toMatchObject({ ok: false })
  })

  it('[NET-7] is refused where it would be too deep to be read', () => {
    const made = (levels: number) => JSON.parse(nested(levels)) as unknown
    expect(roundTrip(made(DEEPEST_JSON))).toEqual(made(DEEPEST_JSON))
    expect(encodeJson(made(DEEPEST_JSON + 1))).toMatchObject({ ok: false })
  })
})

describe('what is decoded', () => {
  it('[NET-6] is text', () => {
    for (const frame of [new Uint8Array(), new Uint8Array([0x7b, 0x7d])]) {
      expect(decodeJson(frame)).toMatchObject({ ok: false, reason: 'not-text' })
    }
  })

  it('[NET-6] is JSON, and what is not is not repeated', () => {
    const canary = 'canary-77'
    for (const text of [
      '',
      ' ',
      '{',
      'undefined',
      "{'a':1}",
      '{"a":1}}',
      canary,
      '\u0000',
      '[1,]',
    ]) {
      const decoded = decodeJson(text)
      expect(decoded).toMatchObject({ ok: false, reason: 'not-json' })
      expect(JSON.stringify(decoded)).not.toContain(canary)
    }
  })

  it('[NET-6] is any JSON value, spaces and all', () => {
    for (const text of ['null', ' 1 ', '"x"', '[]', '\n{"a" : [true]}\t']) {
      expect(decodeJson(text)).toEqual({ ok: true, value: JSON.parse(text) as unknown })
    }
  })

  it('[NET-6] is 512 levels deep at most, exactly', () => {
    expect(DEEPEST_JSON).toBe(512)
    const shapes = [
      ['[', ']'],
      ['{"a":', '}'],
      ['[{"a":1,"b":[', ']}]'],
    ] as const
    for (const [open, close] of shapes) {
      const perShape = open.split(/[[{]/).length - 1
      for (const inner of ['', '1', '"text"']) {
        if (inner === '' && open.endsWith(':')) continue
        const most = Math.floor(DEEPEST_JSON / perShape)
        const fits = open.repeat(most) + inner + close.repeat(most)
        const over = open.repeat(most + 1) + inner + close.repeat(most + 1)
        expect(decodeJson(fits)).toMatchObject({ ok: true })
        expect(decodeJson(over)).toMatchObject({ ok: false, reason: 'too-deep' })
      }
    }
    const padding = ' '.repeat(2_000)
    expect(decodeJson(nested(DEEPEST_JSON, `[${padding}`))).toMatchObject({ ok: true })
    expect(decodeJson(nested(DEEPEST_JSON + 1, `[${padding}`))).toMatchObject({ ok: false })
    expect(decodeJson(nested(1_000_000))).toMatchObject({ ok: false, reason: 'too-deep' })
    expect(decodeJson('['.repeat(1_000_000))).toMatchObject({ ok: false })
  })

  it('[NET-6] counts no bracket in a string, however it is escaped', () => {
    const brackets = '[{'.repeat(5_000)
    const strings = [
      brackets,
      `"${brackets}`,
      `\\${brackets}`,
      `\\"${brackets}\\`,
      `${brackets}\\\\"`,
    ]
    for (const text of strings) {
      expect(roundTrip([text])).toEqual([text])
      expect(roundTrip({ [text]: text })).toEqual({ [text]: text })
    }
    const wide = Array.from({ length: 5_000 }, () => ({ a: [] }))
    expect(roundTrip(wide)).toEqual(wide)
    // A string that opens before the nesting and closes after must not hide it.
    const hidden = `["\\\\",${nested(DEEPEST_JSON)},"\\\\"]`
    expect(decodeJson(hidden)).toMatchObject({ ok: false, reason: 'too-deep' })
  })

  it('[NET-6] agrees on depth with a count over the parsed value', () => {
    const depthOf = (value: unknown): number =>
      typeof value === 'object' && value !== null
        ? 1 + Math.max(0, ...Object.values(value).map(depthOf))
        : 0
    const tricky = fc.string({ unit: fc.constantFrom('"', '\\', '[', ']', '{', '}', 'x') })
    const { value } = fc.letrec<{ value: unknown }>((tie) => ({
      value: fc.oneof(tricky, fc.array(tie('value'), { maxLength: 2 })),
    }))
    let tooDeep = 0
    fc.assert(
      fc.property(
        value,
        fc.integer({ min: DEEPEST_JSON - 4, max: DEEPEST_JSON }),
        (inner, levels) => {
          const text = '['.repeat(levels) + JSON.stringify(inner) + ']'.repeat(levels)
          const isTooDeep = depthOf(inner) + levels > DEEPEST_JSON
          if (isTooDeep) tooDeep += 1
          expect(decodeJson(text).ok).toBe(!isTooDeep)
        },
      ),
      { numRuns: 1_000 },
    )
    expect(tooDeep).toBeGreaterThan(20)
    expect(tooDeep).toBeLessThan(980)
  })

  it('[CLI-1] throws for no text at all', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', size: 'large' }), (text) => {
        expect(typeof decodeJson(text).ok).toBe('boolean')
      }),
    )
  })
})

describe('the frame reader', () => {
  it('[CLI-1] [NET-6] reads what can be decoded, and shows the rest with its reason', () => {
    const read: [value: unknown, raw: RawFrame][] = []
    const invalid: { reason: string; raw: RawFrame }[] = []
    const inbound = createFrameReader(
      (value, raw) => read.push([value, raw]),
      (frame) => invalid.push(frame),
    )
    const bytes = new Uint8Array([1])
    const deep = '['.repeat(10_000)
    for (const raw of ['{"type":"A"}', bytes, 'no', ' null', deep]) inbound(raw)
    expect(read).toEqual([
      [{ type: 'A' }, '{"type":"A"}'],
      [null, ' null'],
    ])
    expect(invalid).toMatchObject([
      { reason: 'not-text', raw: bytes },
      { reason: 'not-json', raw: 'no' },
      { reason: 'too-deep', raw: deep },
    ])
  })
})
