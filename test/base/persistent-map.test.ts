import assert from 'node:assert'
import { inspect } from 'node:util'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createSummary } from '../../src/base/map-summary.js'
import {
  chunkTableOf,
  type MapDraft,
  OpenMap,
  PersistentMap,
} from '../../src/base/persistent-map.js'

interface Version {
  readonly map: PersistentMap<number> | MapDraft<number>
  readonly model: ReadonlyMap<string, number>
}

type MapVersion = Version & { readonly map: PersistentMap<number> }

// Few keys, so that they are deleted and come back; numbers into the past pick older versions.
const key = fc.integer({ min: 0, max: 7 }).map((n) => `k${n}`)
const update = fc.oneof(
  { weight: 3, arbitrary: fc.record({ op: fc.constant('set'), key, value: fc.integer() }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('delete'), key, value: fc.constant(0) }) },
)
type Update = { readonly op: string; readonly key: string; readonly value: number }

function applyTo<M extends PersistentMap<number> | MapDraft<number>>(
  map: M,
  { op, key, value }: Update,
): ReturnType<M['set']> {
  return (op === 'set' ? map.set(key, value) : map.delete(key)) as ReturnType<M['set']>
}

function applyToModel(model: ReadonlyMap<string, number>, { op, key, value }: Update) {
  const after = new Map(model)
  if (op === 'set') after.set(key, value)
  else after.delete(key)
  return after
}

// Without `expect` inside: there are a million comparisons, and it costs a thousand times as much.
function isSame({ map, model }: Version): boolean {
  const left = [...map]
  const right = [...model]
  if (map.size !== right.length || left.length !== right.length) return false
  for (const [at, [name, value]] of right.entries()) {
    if (left[at]?.[0] !== name || left[at][1] !== value) return false
  }
  for (let n = 0; n <= 8; n += 1) {
    const name = `k${n}`
    if (map.get(name) !== model.get(name) || map.has(name) !== model.has(name)) return false
  }
  return true
}

function expectSame(...versions: readonly Version[]): void {
  const different = versions.find((version) => !isSame(version))
  expect(different && [...different.map]).toEqual(different && [...different.model])
  expect(different).toBeUndefined()
}

function chunksOf<V>(map: PersistentMap<V>) {
  return chunkTableOf(map).chunks
}

function slotsOf(map: PersistentMap<unknown>): number {
  return chunksOf(map).reduce((sum, chunk) => sum + chunk.length, 0)
}

describe('a persistent map', () => {
  it('[MAP-1] reads as a Map with the same history does', () => {
    const map = PersistentMap.from([
      ['b', 1],
      ['a', 2],
      ['b', 3],
    ])
    expect([...map.keys()]).toEqual(['b', 'a'])
    expect([...map.values()]).toEqual([3, 2])
    expect([...map.entries()]).toEqual([
      ['b', 3],
      ['a', 2],
    ])
    const visited: unknown[] = []
    map.forEach(function (this: unknown, value, key, whole) {
      visited.push([this, value, key, whole === map])
    }, 'this')
    expect(visited).toEqual([
      ['this', 3, 'b', true],
      ['this', 2, 'a', true],
    ])
    expect([...map.delete('b').set('b', 4).keys()]).toEqual(['a', 'b'])
    expect(Object.prototype.toString.call(map)).toBe('[object PersistentMap]')
    expect(JSON.stringify(map.set('__proto__', 5))).toBe('{"b":3,"a":2,"__proto__":5}')
  })

  it('[MAP-1] [MAP-2] gives a model of Map for every version, on any tree of versions', () => {
    const witnessed = { branches: 0, returns: 0, compactions: 0 }
    const step = fc.tuple(update, fc.oneof({ weight: 20, arbitrary: fc.constant(0) }, fc.nat(40)))
    const steps = fc.array(step, { size: 'max', minLength: 600, maxLength: 1_600 })
    fc.assert(
      fc.property(steps, (all) => {
        const versions: MapVersion[] = [{ map: PersistentMap.empty(), model: new Map() }]
        for (const [one, back] of all) {
          const from = versions.at(-1 - Math.min(back, versions.length - 1))!
          const model = applyToModel(from.model, one)
          const map = applyTo(from.map, one)
          if (back > 0) witnessed.branches += 1
          if (model.size > from.model.size && map.size > 1) witnessed.returns += 1
          if (slotsOf(map) < slotsOf(from.map)) witnessed.compactions += 1
          versions.push({ map, model })
        }
        expectSame(...versions)
      }),
      { numRuns: 60 },
    )
    expect(witnessed.branches).toBeGreaterThan(1_000)
    expect(witnessed.returns).toBeGreaterThan(1_000)
    expect(witnessed.compactions).toBeGreaterThan(3)
  })

  it('[MAP-2] finds keys in versions from before they were deleted and came back', () => {
    const first = PersistentMap.from([
      ['a', 1],
      ['b', 2],
    ])
    const gone = first.delete('a')
    const back = gone.set('a', 3)
    expect([first.get('a'), gone.get('a'), back.get('a')]).toEqual([1, undefined, 3])
    expect([...gone.set('c', 4)].concat([...first.set('c', 5)])).toEqual([
      ['b', 2],
      ['c', 4],
      ['a', 1],
      ['b', 2],
      ['c', 5],
    ])
    expect(first.set('c', 5).get('a')).toBe(1)
  })

  it('[MAP-3] is the same map after a change that changes nothing', () => {
    const map = PersistentMap.from([['a', Number.NaN]])
    expect(map.set('a', Number.NaN)).toBe(map)
    expect(map.delete('b')).toBe(map)
    expect(map.set('a', 0)).not.toBe(map)
    expect(map.set('a', 0).set('a', -0)).not.toBe(map.set('a', 0))
  })

  it('[MAP-4] changes a draft in place until it is closed, and leaves the map as it was', () => {
    const original = PersistentMap.from([
      ['a', 1],
      ['b', 2],
    ])
    const draft = new OpenMap(original)
    expect(draft.set('a', 3).set('c', 4).delete('b')).toBe(draft)
    expect([...draft.keys()]).toEqual(['a', 'c'])
    expect(draft.changed).toEqual(['a', 'c', 'b'])
    expect([...original]).toEqual([
      ['a', 1],
      ['b', 2],
    ])

    const closed = draft.close()
    const after = closed.set('a', 5)
    expect(after).not.toBe(closed)
    expect([closed.get('a'), after.get('a')]).toEqual([3, 5])
    expect(draft.close()).toBe(closed)
  })

  it('[MAP-4] gives the original back where a draft changed nothing', () => {
    const original = PersistentMap.from([['a', 1]])
    const draft = new OpenMap(original)
    draft.set('a', 1).delete('b')
    expect(PersistentMap.from(draft)).toBe(original)
    expect(draft.close()).toBe(original)
  })

  it('[MAP-4] refuses to change a draft that is closed, which still reads as it was', () => {
    const draft = new OpenMap(PersistentMap.from([['a', 1]]))
    const closed = draft.set('b', 2).close()
    const misuse = expect.objectContaining({ code: 'protocol-invalid' }) as Error
    expect(() => draft.set('a', 3)).toThrow(misuse)
    expect(() => draft.delete('a')).toThrow(misuse)
    expect([...draft]).toEqual([...closed])
    expect(PersistentMap.from(draft)).toBe(closed)
  })

  it('[MAP-4] reads a draft as a map', () => {
    const draft = new OpenMap(PersistentMap.from([['a', 1]])).set('b', 2)
    expect([draft.size, draft.get('b'), draft.has('c')]).toEqual([2, 2, false])
    expect([[...draft.keys()], [...draft.values()]]).toEqual([
      ['a', 'b'],
      [1, 2],
    ])
    const visited: unknown[] = []
    draft.forEach(function (this: unknown, value, key, whole) {
      visited.push([this, value, key, whole === draft])
    }, 'this')
    expect(visited).toEqual([
      ['this', 1, 'a', true],
      ['this', 2, 'b', true],
    ])
    expect(JSON.stringify(draft)).toBe('{"a":1,"b":2}')
    expect(inspect(draft)).toBe("MapDraft(2) { 'a' => 1, 'b' => 2 }")
  })

  it('[MAP-4] [MAP-5] gives a model of Map for any drafts, nested ones and abandoned ones too', () => {
    const witnessed = { nested: 0, abandoned: 0 }
    const part = fc.record({
      before: fc.array(update, { size: 'max', maxLength: 60 }),
      inner: fc.array(update, { size: 'max', maxLength: 30 }),
      after: fc.array(update, { size: 'max', maxLength: 30 }),
      isKept: fc.boolean(),
    })
    fc.assert(
      fc.property(fc.array(part, { size: 'max', minLength: 5, maxLength: 40 }), (parts) => {
        const versions: MapVersion[] = [{ map: PersistentMap.empty(), model: new Map() }]
        for (const { before, inner, after, isKept } of parts) {
          const base = versions.at(-1)!
          const draft = new OpenMap(base.map)
          for (const one of before) applyTo(draft, one)
          const model = before.reduce(applyToModel, base.model)

          const nested = new OpenMap(draft.snapshot())
          for (const one of inner) applyTo(nested, one)
          const innerModel = inner.reduce(applyToModel, model)
          for (const one of after) applyTo(draft, one)
          witnessed.nested += inner.length > 0 && after.length > 0 ? 1 : 0
          expectSame({ map: nested, model: innerModel })

          const outer = { map: draft.close(), model: after.reduce(applyToModel, model) }
          expectSame(outer)
          versions.push({ map: nested.close(), model: innerModel })
          if (isKept) versions.push(outer)
          else witnessed.abandoned += 1
        }
        expectSame(...versions)
      }),
      { numRuns: 100 },
    )
    expect(witnessed.nested).toBeGreaterThan(500)
    expect(witnessed.abandoned).toBeGreaterThan(200)
  })

  it('[MAP-5] keeps a map that was taken from an open draft apart from it', () => {
    const draft = new OpenMap(PersistentMap.from([['a', 1]]))
    draft.set('a', 2)
    const taken = PersistentMap.from(draft)
    draft.set('a', 3)
    expect([taken.get('a'), draft.get('a')]).toEqual([2, 3])
  })

  it('[MAP-1] equals a map with the same entries, whatever its history', () => {
    const one = PersistentMap.from<unknown>([
      ['a', { n: 1 }],
      ['b', 2],
    ])
    const same = PersistentMap.from<unknown>([['b', 0]])
      .delete('b')
      .set('a', { n: 1 })
      .set('b', 2)
    expect(one).toEqual(same)
    expect(one).toStrictEqual(same)
    expect({ map: one }).toEqual({ map: same })
    expect(one).not.toEqual(one.set('a', { n: 2 }))
    expect(one).not.toEqual(one.delete('a'))
    expect(one).not.toEqual(one.delete('a').set('a', { n: 1 }))

    assert.deepStrictEqual(one, PersistentMap.from([...one]))
    assert.notDeepStrictEqual(one, one.set('a', { n: 2 }))
    assert.notDeepStrictEqual(one, one.set('c', 3))
    assert.deepStrictEqual([...one], [...same])
  })

  it('[MAP-1] prints in Node as a Map does', () => {
    const map = PersistentMap.from<unknown>([['a', { b: { c: 1 } }]])
    expect(inspect(map)).toBe("PersistentMap(1) { 'a' => { b: { c: 1 } } }")
    expect(inspect({ map }, { depth: 0 })).toBe('{ map: [PersistentMap] }')
    expect(inspect(PersistentMap.empty())).toBe('PersistentMap(0) {}')
  })

  it('[MAP-1] comes through a structured clone by its entries', () => {
    const map = PersistentMap.from([['a', 1]])
    expect(PersistentMap.from(structuredClone([...map]))).toEqual(map)
  })

  it('[MAP-6] shares all chunks but the one that was written to', () => {
    const map = PersistentMap.from(Array.from({ length: 10_000 }, (_, n) => [`k${n}`, n]))
    const after = map.set('k5000', -1)
    const before = chunksOf(map)
    const written = chunksOf(after).filter((chunk, at) => chunk !== before[at])
    expect(before).toHaveLength(40)
    expect(written).toHaveLength(1)
    expect(written[0]?.length).toBe(256)
  })

  it('[MAP-6] stays as large as its entries, however often they come and go', () => {
    let one = PersistentMap.from([['stays', 0]])
    let churned = PersistentMap.empty<number>()
    for (let n = 0; n < 20_000; n += 1) {
      one = one.delete('toggled').set('toggled', n)
      churned = churned.set(`k${n}`, n).delete(`k${n - 10}`)
    }
    expect(slotsOf(one)).toBeLessThan(512)
    expect(slotsOf(churned)).toBeLessThan(512)
    expect([...churned.keys()]).toEqual(Array.from({ length: 10 }, (_, n) => `k${19_990 + n}`))
    expect(one.get('toggled')).toBe(19_999)
  })

  it('[MAP-6] does not grow with versions that were made of it and thrown away', () => {
    const base = PersistentMap.from([['a', 0]])
    let made = base
    for (let n = 0; n < 20_000; n += 1) made = base.set(`k${n}`, n)
    expect([...made.keys()]).toEqual(['a', 'k19999'])
    expect([...base.keys()]).toEqual(['a'])
  })
})

describe('a summary', () => {
  it('[MAP-7] is what adding up all values gives, for any map', () => {
    const total = createSummary<number, number>({
      empty: 0,
      of: (value, key) => value + key.length,
      combine: (left, right) => left + right,
    })
    fc.assert(
      fc.property(fc.array(update, { size: 'max', maxLength: 800 }), (updates) => {
        const draft = new OpenMap(PersistentMap.empty<number>())
        for (const [at, one] of updates.entries()) {
          applyTo(draft, { ...one, key: `${one.key}-${at % 600}` })
          if (at % 100 === 0) expect(total(draft)).toBe(sum(draft))
        }
        const closed = draft.close()
        expect(total(closed)).toBe(sum(closed))
        expect(total(closed.set('k1-1', 7))).toBe(sum(closed.set('k1-1', 7)))
      }),
      { numRuns: 50 },
    )
  })

  it('[MAP-7] looks only at the chunks that changed', () => {
    let looks = 0
    const count = createSummary<number, number>({
      empty: 0,
      of: () => {
        looks += 1
        return 1
      },
      combine: (left, right) => left + right,
    })
    const map = PersistentMap.from(Array.from({ length: 10_000 }, (_, n) => [`k${n}`, n]))
    expect(count(map)).toBe(10_000)
    looks = 0
    expect(count(map)).toBe(10_000)
    expect(looks).toBe(0)
    expect(count(map.set('k300', 0).set('k301', 0))).toBe(10_000)
    expect(looks).toBe(256)
  })
})

function sum(map: ReadonlyMap<string, number>): number {
  let total = 0
  for (const [key, value] of map) total += value + key.length
  return total
}
