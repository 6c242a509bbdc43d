import * as fc from 'fast-check'
import { type $ZodLazy, type $ZodType, type $ZodTypes, type input, safeParse } from 'zod/v4/core'
import { SyncError } from '../base/errors.js'
import { arbitraryNumber } from './arbitrary-number.js'
import { arbitraryText, checksOf, lengthsOf, matching } from './arbitrary-text.js'
import { innerOf, reaches } from './schema-graph.js'

/** Options of the arbitraries that are made from schemas. */
export interface ArbitraryOptions {
  /** What to draw from instead, for schemas that cannot be read, or that should be narrower. */
  readonly overrides?: ReadonlyMap<$ZodType, fc.Arbitrary<unknown>>
}

/**
 * Makes an arbitrary of what fits a schema and survives JSON: what a sender may put on the wire.
 * With a transform or a default that is the schema's input.
 *
 * @throws SyncError `testing-misuse` for a kind of schema that JSON cannot carry, or whose values
 * cannot be guessed; the message says where, and `overrides` helps.
 */
export function arbitraryValue<S extends $ZodType>(
  schema: S,
  options: ArbitraryOptions = {},
): fc.Arbitrary<input<S>> {
  const overrides = options.overrides ?? new Map<$ZodType, fc.Arbitrary<unknown>>()
  const { root } = fc.letrec<Record<string, unknown> & { root: unknown }>((tie) => {
    const named: Record<string, fc.Arbitrary<unknown>> = {}
    const names = new Map<$ZodType, string>()
    // An object or a lazy schema may be reached again from inside itself: it is named before it
    // is read.
    const later: Later = (schema, path, read) => {
      let name = names.get(schema)
      if (name === undefined) {
        name = `schema ${names.size}`
        names.set(schema, name)
        named[name] = read(path)
      }
      return tie(name)
    }
    const root = createWalk(overrides, later)(schema, 'body')
    return { ...named, root }
  })
  // What is drawn was read off this very schema.
  return root as fc.Arbitrary<input<S>>
}

// Values that hold values of their own kind nest no deeper than this.
const DEEPEST_RECURSION = 4

type Walk = (schema: $ZodType, path: string) => fc.Arbitrary<unknown>
type Later = (
  schema: $ZodType,
  path: string,
  read: (path: string) => fc.Arbitrary<unknown>,
) => fc.Arbitrary<unknown>

function createWalk(overrides: ReadonlyMap<$ZodType, fc.Arbitrary<unknown>>, later: Later): Walk {
  // Shared by all choices that lead back to themselves: the deeper, the sooner they end.
  const bounds = { depthIdentifier: fc.createDepthIdentifier(), maxDepth: DEEPEST_RECURSION }

  function boundsOf(schema: $ZodType): Partial<typeof bounds> {
    return reaches(schema, schema) ? bounds : {}
  }

  function walk(schema: $ZodType, path: string): fc.Arbitrary<unknown> {
    const override = overrides.get(schema)
    if (override !== undefined) return override
    const raw = walkKind(schema, path)
    return checksOf(schema).length > 0 ? fitting(schema, path, raw) : raw
  }

  function walkKind(schema: $ZodType, path: string): fc.Arbitrary<unknown> {
    const { def } = (schema as $ZodTypes)._zod
    switch (def.type) {
      case 'string':
        return arbitraryText(checksOf(schema)) ?? refuse(path, 'a string of a format out of reach')
      case 'number':
        return arbitraryNumber(checksOf(schema))
      case 'boolean':
        return fc.boolean()
      case 'null':
        return fc.constant(null)
      case 'undefined':
      case 'void':
        return fc.constant(undefined)
      case 'any':
      case 'unknown':
        return anyJson
      case 'literal':
      case 'enum':
        return fc.constantFrom(...constantsOf(schema, path))
      case 'template_literal':
        return matching(patternOf(schema)) ?? refuse(path, 'a template out of reach')
      case 'nullable':
        return fc.option(walk(def.innerType, path), { nil: null, ...boundsOf(schema) })
      case 'optional':
      case 'default':
      case 'prefault':
        return fc.option(walk(def.innerType, path), { nil: undefined, ...boundsOf(schema) })
      case 'nonoptional':
        return walk(def.innerType, path).filter((value) => value !== undefined)
      case 'readonly':
      case 'catch':
        return walk(def.innerType, path)
      case 'pipe':
        return fitting(schema, path, walk(def.in, path))
      case 'lazy':
        return later(schema, path, (at) => walk(innerOf(schema as $ZodLazy), at))
      case 'union':
        return walkUnion(schema, def.options, path)
      case 'array': {
        const lengths = lengthsOf(checksOf(schema))
        const full = fc.array(item(def.element, `${path}[]`), lengths)
        return lengths.minLength === undefined ? orEmpty(schema, [], full) : full
      }
      case 'tuple':
        return walkTuple(def.items, def.rest, path)
      case 'object':
        return later(schema, path, (at) => walkObject(def.shape, def.catchall, at))
      case 'record':
        return orEmpty(schema, {}, walkRecord(def.keyType, def.valueType, def.partial, path))
      case 'intersection': {
        const parts = fc.tuple(walk(def.left, path), walk(def.right, path))
        return fitting(schema, path, parts.map(merge))
      }
      default:
        return refuse(path, def.type)
    }
  }

  // At the deepest, fast-check takes the first: one that does not lead back here, if there is one.
  function walkUnion(
    schema: $ZodType,
    options: readonly $ZodType[],
    path: string,
  ): fc.Arbitrary<unknown> {
    const isEnd = (option: $ZodType): boolean => !reaches(option, schema)
    const endsFirst = [...options].sort((a, b) => Number(isEnd(b)) - Number(isEnd(a)))
    return fc.oneof(boundsOf(schema), ...endsFirst.map((option) => walk(option, path)))
  }

  function orEmpty(
    schema: $ZodType,
    empty: unknown,
    full: fc.Arbitrary<unknown>,
  ): fc.Arbitrary<unknown> {
    return reaches(schema, schema) ? fc.oneof(bounds, fc.constant(empty), full) : full
  }

  // In an array JSON has no way to leave a value out.
  function item(schema: $ZodType, path: string): fc.Arbitrary<unknown> {
    return walk(schema, path).filter((value) => value !== undefined)
  }

  function walkTuple(
    items: readonly $ZodType[],
    rest: $ZodType | null,
    path: string,
  ): fc.Arbitrary<unknown> {
    const fixed = fc.tuple(...items.map((one, at) => item(one, `${path}[${at}]`)))
    if (rest === null) return fixed
    const more = fc.array(item(rest, `${path}[]`))
    return fc.tuple(fixed, more).map((parts) => parts.flat())
  }

  function walkObject(
    shape: Readonly<Record<string, $ZodType>>,
    catchall: $ZodType | undefined,
    path: string,
  ): fc.Arbitrary<unknown> {
    const keys = Object.keys(shape)
    const fields: Record<string, fc.Arbitrary<unknown>> = {}
    for (const [key, field] of Object.entries(shape)) fields[key] = walk(field, `${path}.${key}`)
    const isRequired = (key: string): boolean => shape[key]?._zod.optin === undefined
    // On the wire a key without a value is absent.
    const known = fc
      .record(fields, { requiredKeys: keys.filter(isRequired) })
      .map((value) => withoutUndefined(value))
    if (catchall === undefined || catchall._zod.def.type === 'never') return known
    const unknownKey = plainKey.filter((key) => !keys.includes(key))
    const others = fc.dictionary(unknownKey, walk(catchall, `${path}.*`))
    return fc.tuple(known, others).map(merge)
  }

  function walkRecord(
    keyType: $ZodType,
    valueType: $ZodType,
    isPartial: boolean | undefined,
    path: string,
  ): fc.Arbitrary<unknown> {
    const value = walk(valueType, `${path}.*`)
    const keys = [...(keyType._zod.values ?? [])].map(String)
    if (keys.length > 0) {
      const fields = Object.fromEntries(keys.map((key) => [key, value]))
      return fc
        .record(fields, { requiredKeys: isPartial === true ? [] : keys })
        .map(withoutUndefined)
    }
    const key = walk(keyType, `${path} (key)`).map(String).filter(isPlainKey)
    return fc.dictionary(key, value).map(withoutUndefined)
  }

  return walk
}

// So many misses in a row mean that chance will not do.
const MOST_MISSES = 1_000

function fitting(
  schema: $ZodType,
  path: string,
  drawn: fc.Arbitrary<unknown>,
): fc.Arbitrary<unknown> {
  let misses = 0
  return drawn.filter((value) => {
    if (safeParse(schema, value).success) {
      misses = 0
      return true
    }
    misses += 1
    if (misses > MOST_MISSES) refuse(path, 'a schema whose checks hardly any value passes')
    return false
  })
}

function constantsOf(schema: $ZodType, path: string): unknown[] {
  const values = [...(schema._zod.values ?? [])]
  const isJson = (value: unknown): boolean =>
    value === null || ['string', 'number', 'boolean'].includes(typeof value)
  return values.length > 0 && values.every(isJson) ? values : refuse(path, 'a literal of no JSON')
}

function patternOf(schema: $ZodType): RegExp {
  return schema._zod.pattern ?? /^$/
}

// JSON.parse gives -0, which no JSON.stringify writes.
const anyJson = fc
  .jsonValue({ maxDepth: 3 })
  .map((value): unknown => JSON.parse(JSON.stringify(value)))

// Assigning this key changes an object's prototype instead of adding a field.
const isPlainKey = (key: string): boolean => key !== '__proto__'
const plainKey = fc.string().filter(isPlainKey)

function withoutUndefined(value: Readonly<Record<string, unknown>>): unknown {
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined))
}

function merge([left, right]: readonly [unknown, unknown]): unknown {
  const areObjects = typeof left === 'object' && typeof right === 'object'
  return areObjects ? { ...left, ...right } : left
}

function refuse(path: string, what: string): never {
  throw new SyncError(
    'testing-misuse',
    `no arbitrary can be made for ${path}: ${what}. Give one in "overrides", by its schema.`,
  )
}
