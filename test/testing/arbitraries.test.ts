import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import * as z from 'zod'
import * as mini from 'zod/mini'
import { defineProtocol } from '../../src/schemas/protocol.js'
import { createReader } from '../../src/schemas/reader.js'
import { createEnvelope } from '../../src/schemas/envelope.js'
import { receive, send } from '../../src/schemas/kull.js'
import type { Schema } from '../../src/schemas/schema.js'
import {
  arbitraryFaultScript,
  arbitraryFrame,
  arbitraryMessage,
  arbitrarySend,
  arbitraryValue,
} from '../../src/testing/arbitraries.js'
import { faultKinds } from '../../src/testing/draw-faults.js'
import { decodeJson } from '../../src/transport/json-codec.js'

const tree = z.object({
  name: z.string(),
  get children() {
    return z.array(tree)
  },
})

// With the option that goes on put first, as people do.
const expression: z.ZodType = z.union([
  z.object({
    op: z.enum(['+', '-']),
    get left() {
      return expression
    },
    get right() {
      return expression
    },
  }),
  z.number(),
])

const directory: z.ZodType = z.lazy(() => z.record(z.string(), z.union([directory, z.null()])))

const chain = z.object({
  id: z.string(),
  get next() {
    return z.optional(chain)
  },
})

const pair: z.ZodType = z.lazy(() =>
  z.union([
    z.tuple([z.string()], pair),
    z.intersection(z.object({ a: z.string() }), z.object({ b: z.array(pair).max(2) })),
    z.tuple([z.number(), z.pipe(z.nullable(pair), z.unknown())]),
    z.object({}).catchall(pair),
    z.boolean(),
  ]),
)

const schemas: Record<string, Schema> = {
  string: z.string(),
  'string of a length': z.string().min(3).max(5),
  'string of one length': z.string().length(4),
  'string with a pattern': z.string().regex(/^[A-F\d]{6}$/),
  'string with two patterns': z.string().startsWith('ab').max(8),
  'string to be trimmed': z.string().trim(),
  uuid: z.uuid(),
  email: z.email(),
  url: z.url(),
  datetime: z.iso.datetime(),
  date: z.iso.date(),
  ipv4: z.ipv4(),
  ipv6: z.ipv6(),
  base64: z.base64(),
  guid: z.guid(),
  number: z.number(),
  'number in bounds': z.number().gt(0).lte(0.5),
  int: z.int(),
  'int in bounds': z.number().int().gte(-3).lt(2),
  int32: z.int32(),
  uint32: z.uint32(),
  float32: z.float32(),
  'number in bounds twice': z.number().gt(1).gte(1).gt(0).lt(3).lte(3).lte(4),
  'int in open bounds': z.int().gt(1).lt(4),
  'multiple of 5': z.number().multipleOf(5).positive(),
  boolean: z.boolean(),
  null: z.null(),
  undefined: z.undefined(),
  unknown: z.unknown(),
  any: z.any(),
  enum: z.enum(['a', 'b']),
  'native enum': z.enum({ A: 'x', B: 1 }),
  literal: z.literal(['a', 1, null]),
  template: z.templateLiteral(['v', z.int(), '-', z.enum(['x', 'y'])]),
  nullable: z.nullable(z.string()),
  optional: z.optional(z.string()),
  nullish: z.string().nullish(),
  nonoptional: z.nonoptional(z.string().optional()),
  default: z.string().default('x'),
  prefault: z.string().prefault('x'),
  catch: z.string().catch('x'),
  readonly: z.object({ a: z.string() }).readonly(),
  branded: z.string().brand('id'),
  refined: z.number().refine((value) => value > 0),
  array: z.array(z.number()),
  'array of a length': z.array(z.number()).min(2).max(3),
  tuple: z.tuple([z.string(), z.number()]),
  'tuple with a rest': z.tuple([z.string()], z.boolean()),
  object: z.object({ a: z.string(), b: z.number().optional(), c: z.unknown().default(1) }),
  'strict object': z.strictObject({ a: z.string() }),
  'loose object': z.looseObject({ a: z.string() }),
  'object with a catchall': z.object({ a: z.string() }).catchall(z.number()),
  record: z.record(z.string(), z.number()),
  'record of an enum': z.record(z.enum(['a', 'b']), z.number()),
  'partial record': z.partialRecord(z.enum(['a', 'b']), z.number()),
  union: z.union([z.string(), z.number(), z.null()]),
  'discriminated union': z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('a'), value: z.string() }),
    z.object({ kind: z.literal('b'), value: z.number() }),
  ]),
  intersection: z.intersection(z.object({ a: z.string() }), z.object({ b: z.number() })),
  transform: z.string().transform((text) => text.length),
  codec: z.codec(z.iso.datetime(), z.date(), {
    decode: (text) => new Date(text),
    encode: (date) => date.toISOString(),
  }),
  recursive: tree,
  'recursive by a union': expression,
  'recursive by a record': directory,
  'recursive by an option': chain,
  'recursive by everything else': pair,
  lazy: z.lazy(() => z.string()),
  mini: mini.object({
    id: mini.string().check(mini.minLength(1)),
    count: mini.optional(mini.number().check(mini.gte(0))),
    how: mini._default(mini.enum(['a', 'b']), 'a'),
  }),
}

describe('arbitraries from schemas', () => {
  it.each(Object.entries(schemas))(
    '[TEST-33] draws what fits and survives JSON: %s',
    (_, schema) => {
      let drawn = 0
      fc.assert(
        fc.property(arbitraryValue(schema), (value) => {
          drawn += 1
          expect(z.core.safeParse(schema, value)).toMatchObject({ success: true })
          if (value !== undefined) expect(JSON.parse(JSON.stringify(value))).toEqual(value)
        }),
        { numRuns: 300 },
      )
      expect(drawn).toBe(300)
    },
  )

  it('[TEST-33] reaches every branch: options, absent keys, bounds, several levels', () => {
    const { object, union, recursive, nullish } = schemas
    const draw = (schema: Schema) => fc.sample(arbitraryValue(schema), { numRuns: 500, seed: 1 })
    const objects = draw(object!) as Record<string, unknown>[]
    expect(new Set(objects.map((value) => Object.keys(value).sort().join()))).toEqual(
      new Set(['a', 'a,b', 'a,c', 'a,b,c']),
    )
    expect(new Set(draw(union!).map((value) => (value === null ? 'null' : typeof value)))).toEqual(
      new Set(['string', 'number', 'null']),
    )
    expect(
      new Set(draw(nullish!).map((value) => (value === null ? 'null' : typeof value))),
    ).toEqual(new Set(['string', 'undefined', 'null']))
    const depth = (node: { children: unknown[] }): number =>
      1 + Math.max(0, ...node.children.map((child) => depth(child as typeof node)))
    const depths = draw(recursive!).map((node) => depth(node as { children: unknown[] }))
    expect(new Set(depths).size).toBeGreaterThan(2)
    expect(new Set(draw(z.number().int().gte(-1).lte(1)))).toEqual(new Set([-1, 0, 1]))
  })

  it.each([
    ['bigint', z.object({ a: z.array(z.bigint()) }), 'body.a[]: bigint'],
    ['date', z.date(), 'body: date'],
    ['map', z.map(z.string(), z.string()), 'body: map'],
    ['a literal', z.literal(1n), 'body: a literal of no JSON'],
    ['preprocess', z.preprocess((value) => value, z.string()), 'body: transform'],
    ['a format without a pattern', z.stringFormat('odd', () => true), 'body: a string of'],
    ['an odd template', z.templateLiteral([z.string().regex(/a(?!b)/)]), 'body: a template'],
    ['an odd format', z.jwt(), 'body: a string of a format out of reach'],
  ])('[TEST-34] says which schema it cannot read: %s', (_, schema, where) => {
    expect(() => arbitraryValue(schema)).toThrow(`for ${where}`)
  })

  it('[TEST-34] gives up, by name, on a check that hardly any value passes', () => {
    const schema = z.object({ password: z.string().refine((text) => text === 'hunter2') })
    expect(() => fc.sample(arbitraryValue(schema), 1)).toThrow(/body\.password.*hardly any value/)
  })

  it('[TEST-34] draws from overrides, by schema, at any depth', () => {
    const id = z.custom<string>((value) => value === 'fixed')
    const overrides = new Map([[id, fc.constant('fixed')]])
    const drawn = fc.sample(
      arbitraryValue(z.object({ ids: z.array(id).min(1) }), { overrides }),
      50,
    )
    expect(drawn.every(({ ids }) => ids.every((one: unknown) => one === 'fixed'))).toBe(true)
  })

  it('[TEST-35] draws typed messages of either side', () => {
    const kull = defineProtocol({ receive, send })
    fc.assert(
      fc.property(arbitraryMessage(kull, 'SHOOT_PROGRESS'), ({ type, data }) => {
        expect(type).toBe('SHOOT_PROGRESS')
        const shootId: string = data.shootId
        expect(typeof shootId).toBe('string')
      }),
    )
    fc.assert(
      fc.property(arbitrarySend(kull, 'SUBSCRIBE'), ({ type, data }) => {
        expect([type, data]).toEqual(['SUBSCRIBE', undefined])
      }),
    )
    expect(() => arbitraryMessage(kull, 'NONE' as 'PING')).toThrow(/no type "NONE"/)
  })

  it.each(['toClient', 'toServer'] as const)(
    '[TEST-35] draws frames that a reader takes whole, batches included: %s',
    (direction) => {
      const kull = defineProtocol({ receive, send })
      const types = new Set<string>()
      let batches = 0
      const read = createReader({
        schemas: direction === 'toClient' ? receive : send,
        direction: kull.envelope[direction],
        heartbeat: false,
        sink: {
          message: ({ type }) => types.add(type),
          unknown: ({ type }) => expect.unreachable(type),
          invalid: ({ detail }) => expect.unreachable(detail),
          pinged() {},
          ponged() {},
        },
      })
      fc.assert(
        fc.property(arbitraryFrame(kull, { direction }), (frame) => {
          const decoded = decodeJson(frame)
          if (!decoded.ok) expect.unreachable(decoded.detail)
          else read(decoded.value, frame)
          if (frame.startsWith('{"type":"BATCH"')) batches += 1
        }),
        { numRuns: 500 },
      )
      const expected = direction === 'toClient' ? receive : send
      expect(types).toEqual(new Set(Object.keys(expected)))
      expect(batches).toBeGreaterThan(30)
    },
  )

  it('[TEST-35] draws no batch where the envelope has none, and nothing of a silent protocol', () => {
    const envelope = createEnvelope({ type: 't', data: 'd', batch: false })
    const terse = defineProtocol({ receive: { A: z.string() }, send: {}, envelope })
    for (const frame of fc.sample(arbitraryFrame(terse), 200)) {
      expect(JSON.parse(frame)).toMatchObject({ t: 'A', d: expect.any(String) as string })
    }
    const overrides = new Map([[terse.receive.A, fc.constant(1n)]])
    expect(() => fc.sample(arbitraryFrame(terse, { overrides }), 1)).toThrow(/no frame can be made/)
    expect(() => arbitraryFrame(terse, { direction: 'toServer' })).toThrow(/says nothing toServer/)
  })
})

describe('arbitrary fault scripts', () => {
  it('[TEST-37] are in order, over in time, of all kinds, and shrink', () => {
    const kinds = new Set<string>()
    fc.assert(
      fc.property(arbitraryFaultScript({ durationMs: 1_000, count: 20 }), (script) => {
        expect(script.length).toBeLessThanOrEqual(20)
        for (const [at, step] of script.entries()) {
          kinds.add(step.fault)
          expect(step.atMs).toBeGreaterThanOrEqual(script[at - 1]?.atMs ?? 0)
          const { forMs } = { forMs: 0, ...step }
          expect(step.atMs + forMs).toBeLessThanOrEqual(1_000)
        }
      }),
    )
    expect(kinds).toEqual(new Set(faultKinds))
    const found = fc.check(
      fc.property(arbitraryFaultScript({ durationMs: 1_000 }), (script) =>
        script.every(({ fault }) => fault !== 'drop'),
      ),
    )
    expect(found.counterexample).toEqual([[{ atMs: 0, fault: 'drop' }]])
  })
})
