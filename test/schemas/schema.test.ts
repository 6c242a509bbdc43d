import { describe, expect, it } from 'vitest'
import * as classic from 'zod'
import * as z from 'zod/mini'
import type { SyncError } from '../../src/base/errors.js'
import { createEnvelope } from '../../src/schemas/envelope.js'
import { defineProtocol } from '../../src/schemas/protocol.js'
import { createValidate, isSchema } from '../../src/schemas/schema.js'
import { read } from './read.js'

describe('schemas', () => {
  it.each([
    ['classic', classic.object({ n: classic.number(), s: classic.string().optional() })],
    ['mini', z.object({ n: z.number(), s: z.optional(z.string()) })],
  ])('[SCH-1] may be zod %s', (_kind, schema) => {
    const { messages, invalid } = read({ A: schema }, [
      { type: 'A', data: { n: 1, extra: 2 } },
      { type: 'A', data: { n: '1' } },
    ])
    expect(messages).toMatchObject([{ type: 'A', data: { n: 1 } }])
    expect(invalid).toMatchObject([{ reason: 'schema-mismatch', type: 'A' }])
  })

  it('[SCH-1] may be compiled, which changes their speed and nothing else', () => {
    const schema = z.object({ n: z.number(), s: z.optional(z.string()) })
    const frames = [{ n: 1 }, { n: 1, s: 'x', extra: 1 }, { n: '1' }, {}, null, [], 'n'].map(
      (data) => ({ type: 'A', data }),
    )
    const plain = read({ A: schema }, frames)
    expect(read({ A: schema }, frames, { compile: z.compile })).toEqual(plain)
    expect(plain.order).toHaveLength(7)
    const compiled: unknown[] = []
    createValidate(schema, (given) => {
      compiled.push(given)
      return given
    })
    expect(compiled).toEqual([schema])
  })

  it('[SCH-3] leave out fields that they do not know', () => {
    const { messages } = read({ A: z.object({ n: z.number() }) }, [
      JSON.parse('{"type":"A","data":{"n":1,"x":2,"__proto__":{"n":3},"constructor":4}}'),
    ])
    expect(Object.keys(messages[0]?.data as object)).toEqual(['n'])
  })

  it.each([
    [
      'throws',
      z.string().check(() => {
        throw new TypeError('own code')
      }),
      'the schema threw: TypeError',
    ],
    ['is asynchronous', z.string().check(z.refine(async () => Promise.resolve(true))), 'threw'],
  ])('[SCH-5] make a message invalid where a schema %s', (_how, schema, detail) => {
    const { order, invalid } = read({ A: schema, B: null }, [
      { type: 'A', data: 'x' },
      { type: 'B' },
    ])
    expect(order).toEqual(['invalid schema-mismatch', 'B'])
    expect(invalid[0]?.detail).toContain(detail)
  })

  it('[SCH-5] make a message invalid that is too deep for them', () => {
    const schema = z.json()
    let deep: unknown = 0
    for (let n = 0; n < 20_000; n += 1) deep = [deep]
    const result = createValidate(schema)(deep)
    expect(result).toEqual({ ok: false, detail: 'the schema threw: RangeError', issues: [] })
  })

  it('[SCH-6] say where a value does not fit and what was expected, without repeating it', () => {
    const schema = z.object({ user: z.object({ age: z.number(), code: z.enum(['a', 'b']) }) })
    const secret = 'hunter2'
    const { invalid } = read({ A: schema }, [
      { type: 'A', data: { user: { age: secret, code: secret } } },
      { type: 'A', data: secret },
    ])
    expect(invalid[0]?.detail).toMatch(/^user\.age: .+ \(and 1 more\)$/)
    expect(invalid[1]?.detail).toMatch(/^body: [^()]+$/)
    for (const { detail, issues } of invalid) {
      expect(detail).not.toContain(secret)
      expect(JSON.stringify(issues)).not.toContain(secret)
    }
  })

  it('[SCH-7] know only their own types, not those that every object inherits', () => {
    const types = ['constructor', '__proto__', 'toString', 'hasOwnProperty', 'NEW']
    const frames = types.map((type) => ({ type, data: { n: 1 } }))
    const { order, unknown } = read({ A: null }, frames)
    expect(order).toEqual(types.map((type) => `unknown ${type}`))
    expect(unknown[4]).toMatchObject({ type: 'NEW', data: { n: 1 } })
  })

  it('[SCH-1] are told from anything else', () => {
    expect([z.string(), classic.string()].every(isSchema)).toBe(true)
    expect([null, undefined, {}, 'x', () => z.string()].some(isSchema)).toBe(false)
  })
})

describe('a protocol', () => {
  it('[SCH-8] has an envelope and a heartbeat unless told otherwise', () => {
    const { envelope, heartbeat } = defineProtocol({ receive: {}, send: {} })
    expect(heartbeat).toEqual({ ping: 'PING', pong: 'PONG' })
    expect(envelope.toClient.seal('A', 1)).toEqual({ type: 'A', data: 1 })
    expect(defineProtocol({ receive: {}, send: {}, heartbeat: false }).heartbeat).toBe(false)
    expect(defineProtocol({ receive: {}, send: {}, envelope }).envelope).toBe(envelope)
  })

  it('[SCH-8] has types with a body and types without one', () => {
    const define = () => defineProtocol({ receive: { A: z.string(), B: null }, send: { C: null } })
    expect(define).not.toThrow()
  })

  it('[SCH-8] may use the name of batches where its envelope has none', () => {
    const envelope = createEnvelope({ batch: false })
    const define = () => defineProtocol({ receive: { BATCH: z.string() }, send: {}, envelope })
    expect(define).not.toThrow()
  })

  it('[SCH-8] may leave parts of its coordinator undefined', () => {
    const coordinator = { initial: {}, fold: { A: undefined }, expire: { peers: undefined } }
    const define = () => defineProtocol({ receive: {}, send: {}, ...({ coordinator } as object) })
    expect(define).not.toThrow()
  })

  it.each([
    ['receive', { receive: null }],
    ['receive must be an object', { receive: 'SAID' }],
    ['receive.A', { receive: { A: {} } }],
    ['receive.A', { receive: { A: undefined } }],
    ['send.B', { send: { B: 'string' } }],
    ['reserved', { send: { '': null } }],
    ['reserved', { receive: { $hello: null } }],
    ['receive.BATCH', { receive: { BATCH: z.object({}) } }],
    ['send.BATCH', { send: { BATCH: null } }],
    ['credentials.schema', { credentials: { schema: {}, apply: () => undefined } }],
    ['coordinator.initial', { coordinator: { fold: {} } }],
    ['coordinator.checkpoint', { coordinator: { initial: {}, fold: {}, checkpoint: 5 } }],
    ['coordinator.snapshot.schema', { coordinator: snapshotWithout('schema') }],
  ])('[SCH-8] is refused where it makes no sense, naming %s', (part, change) => {
    const define = () => defineProtocol({ receive: {}, send: {}, ...(change as object) })
    let refused: SyncError | undefined
    try {
      define()
    } catch (error) {
      refused = error as SyncError
    }
    expect(refused).toMatchObject({ name: 'SyncError', code: 'protocol-invalid' })
    expect(refused?.message).toContain(part)
  })
})

function snapshotWithout(_part: 'schema') {
  return { initial: {}, fold: {}, snapshot: { fold: () => undefined } }
}
