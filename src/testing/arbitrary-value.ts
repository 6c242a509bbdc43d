import * as fc from 'fast-check'
import {
  type $ZodLazy,
  type $ZodRecordDef,
  type $ZodType,
  type $ZodTypes,
  type input,
  safeParse,
} from 'zod/v4/core'
import { arbitraryNumber } from './arbitrary-number.js'
import { arbitraryText, checksOf, lengthsOf, matching } from './arbitrary-text.js'
import { testingMisuse } from './misuse.js'
import { innerOf, reaches } from './schema-graph.js'

/** Options of the arbitraries that are made from schemas. */
export interface ArbitraryOptions {
  /** Arbitraries to use for certain schemas: for those that cannot be read, or to draw fewer values. */
  readonly overrides?: ReadonlyMap<$ZodType, fc.Arbitrary<unknown>>
}

/** How deep values that contain values of their own kind may nest. */
const MAX_RECURSION = 4

// After so many misses in a row the schema is refused, instead of searching on for ever.
const MAX_MISSES = 1_000

// The round trip removes -0, which JSON.parse gives but JSON.stringify never writes.
const anyJson = fc
  .jsonValue({ maxDepth: 3 })
  .map((value): unknown => JSON.parse(JSON.stringify(value)))

// Assigning this key changes an object's prototype instead of adding a field.
const isPlainKey = (key: string): boolean => key !== '__proto__'
const plainKey = fc.string().filter(isPlainKey)

/**
 * Draws values that fit a schema and survive JSON: what a sender may send. For a schema with a
 * transform or a default that is the schema's input.
 *
 * @throws SyncError `testing-misuse` for a schema that JSON cannot carry, or whose values cannot be
 * guessed. The message names the place. An entry in `overrides` helps.
 */
export function arbitraryValue<S extends $ZodType>(
  schema: S,
  options: ArbitraryOptions = {},
): fc.Arbitrary<input<S>> {
  const overrides = options.overrides ?? new Map<$ZodType, fc.Arbitrary<unknown>>()
  const { root } = fc.letrec<Record<string, unknown> & { root: unknown }>((tie) => {
    const builder = new ArbitraryBuilder(overrides, tie)
    const root = builder.build(schema, 'body')
    return { ...builder.named, root }
  })
  // The values were drawn from this schema.
  return root as fc.Arbitrary<input<S>>
}

/** Builds an arbitrary for a schema. `path` is the schema's place in the body, for error messages. */
class ArbitraryBuilder {
  /** The arbitraries of schemas that may contain themselves, for `fc.letrec`. */
  readonly named: Record<string, fc.Arbitrary<unknown>> = {}
  readonly #names = new Map<$ZodType, string>()
  readonly #overrides: ReadonlyMap<$ZodType, fc.Arbitrary<unknown>>
  readonly #tie: (name: string) => fc.Arbitrary<unknown>
  // All recursive choices share one depth: the deeper a value is, the sooner each of them ends.
  readonly #recursion: fc.OneOfConstraints = {
    depthIdentifier: fc.createDepthIdentifier(),
    maxDepth: MAX_RECURSION,
  }

  constructor(
    overrides: ReadonlyMap<$ZodType, fc.Arbitrary<unknown>>,
    tie: (name: string) => fc.Arbitrary<unknown>,
  ) {
    this.#overrides = overrides
    this.#tie = tie
  }

  build(schema: $ZodType, path: string): fc.Arbitrary<unknown> {
    const override = this.#overrides.get(schema)
    if (override !== undefined) return override
    const raw = this.#buildKind(schema, path)
    return checksOf(schema).length > 0 ? fitting(schema, path, raw) : raw
  }

  #buildKind(schema: $ZodType, path: string): fc.Arbitrary<unknown> {
    const { def } = (schema as $ZodTypes)._zod
    switch (def.type) {
      case 'string':
        return arbitraryText(schema) ?? refuse(path, 'a string of a format out of reach')
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
        return matching(schema._zod.pattern ?? /^$/) ?? refuse(path, 'a template out of reach')
      case 'nullable':
        return this.#optional(schema, def.innerType, path, null)
      case 'optional':
      case 'default':
      case 'prefault':
        return this.#optional(schema, def.innerType, path, undefined)
      case 'nonoptional':
        return this.build(def.innerType, path).filter((value) => value !== undefined)
      case 'readonly':
      case 'catch':
        return this.build(def.innerType, path)
      case 'pipe':
        return fitting(schema, path, this.build(def.in, path))
      case 'lazy':
        return this.#later(schema, () => this.build(innerOf(schema as $ZodLazy), path))
      case 'union':
        return this.#union(schema, def.options, path)
      case 'array':
        return this.#array(schema, def.element, path)
      case 'tuple':
        return this.#tuple(def.items, def.rest, path)
      case 'object':
        return this.#later(schema, () => this.#object(def.shape, def.catchall, path))
      case 'record':
        return this.#orEmpty(schema, {}, this.#record(def, path))
      case 'intersection':
        return fitting(
          schema,
          path,
          fc.tuple(this.build(def.left, path), this.build(def.right, path)).map(merge),
        )
      default:
        return refuse(path, def.type)
    }
  }

  /** Names a schema before it builds it, since an object or a lazy schema may contain itself. */
  #later(schema: $ZodType, build: () => fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
    let name = this.#names.get(schema)
    if (name === undefined) {
      name = `schema ${this.#names.size}`
      this.#names.set(schema, name)
      this.named[name] = build()
    }
    return this.#tie(name)
  }

  #recursionOf(schema: $ZodType): fc.OneOfConstraints {
    return reaches(schema, schema) ? this.#recursion : {}
  }

  #optional(
    schema: $ZodType,
    inner: $ZodType,
    path: string,
    nil: null | undefined,
  ): fc.Arbitrary<unknown> {
    return fc.option(this.build(inner, path), { nil, ...this.#recursionOf(schema) })
  }

  // At the greatest depth fast-check takes the first option. It should not contain the union again.
  #union(schema: $ZodType, options: readonly $ZodType[], path: string): fc.Arbitrary<unknown> {
    const isEnd = (option: $ZodType): boolean => !reaches(option, schema)
    const endsFirst = [...options].sort((a, b) => Number(isEnd(b)) - Number(isEnd(a)))
    const arbitraries = endsFirst.map((option) => this.build(option, path))
    return fc.oneof(this.#recursionOf(schema), ...arbitraries)
  }

  #array(schema: $ZodType, element: $ZodType, path: string): fc.Arbitrary<unknown> {
    const lengths = lengthsOf(schema)
    const full = fc.array(this.#item(element, `${path}[]`), lengths)
    return lengths.minLength === undefined ? this.#orEmpty(schema, [], full) : full
  }

  // JSON cannot leave out an item of an array.
  #item(schema: $ZodType, path: string): fc.Arbitrary<unknown> {
    return this.build(schema, path).filter((value) => value !== undefined)
  }

  /** Lets a recursive array or record end: it draws the empty one at the greatest depth. */
  #orEmpty(schema: $ZodType, empty: unknown, full: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
    if (!reaches(schema, schema)) return full
    return fc.oneof(this.#recursion, fc.constant(empty), full)
  }

  #tuple(items: readonly $ZodType[], rest: $ZodType | null, path: string): fc.Arbitrary<unknown> {
    const fixed = fc.tuple(...items.map((item, at) => this.#item(item, `${path}[${at}]`)))
    if (rest === null) return fixed
    const more = fc.array(this.#item(rest, `${path}[]`))
    return fc.tuple(fixed, more).map((parts) => parts.flat())
  }

  #object(
    shape: Readonly<Record<string, $ZodType>>,
    catchall: $ZodType | undefined,
    path: string,
  ): fc.Arbitrary<unknown> {
    const keys = Object.keys(shape)
    const fields = Object.entries(shape).map(
      ([key, field]) => [key, this.build(field, `${path}.${key}`)] as const,
    )
    const requiredKeys = keys.filter((key) => shape[key]?._zod.optin === undefined)
    const known = fc.record(Object.fromEntries(fields), { requiredKeys }).map(withoutUndefined)
    if (catchall === undefined || catchall._zod.def.type === 'never') return known
    const unknownKey = plainKey.filter((key) => !keys.includes(key))
    const others = fc.dictionary(unknownKey, this.build(catchall, `${path}.*`))
    return fc.tuple(known, others).map(merge)
  }

  #record({ keyType, valueType, partial }: $ZodRecordDef, path: string): fc.Arbitrary<unknown> {
    const value = this.build(valueType, `${path}.*`)
    const keys = [...(keyType._zod.values ?? [])].map(String)
    if (keys.length > 0) {
      const fields = Object.fromEntries(keys.map((key) => [key, value]))
      return fc.record(fields, { requiredKeys: partial === true ? [] : keys }).map(withoutUndefined)
    }
    const key = this.build(keyType, `${path} (key)`).map(String).filter(isPlainKey)
    return fc.dictionary(key, value).map(withoutUndefined)
  }
}

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
    if (misses > MAX_MISSES) refuse(path, 'a schema whose checks hardly any value passes')
    return false
  })
}

function constantsOf(schema: $ZodType, path: string): unknown[] {
  const values = [...(schema._zod.values ?? [])]
  const isJson = (value: unknown): boolean =>
    value === null || ['string', 'number', 'boolean'].includes(typeof value)
  return values.length > 0 && values.every(isJson) ? values : refuse(path, 'a literal of no JSON')
}

// JSON leaves out a key whose value is undefined.
function withoutUndefined(value: Readonly<Record<string, unknown>>): unknown {
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined))
}

function merge([left, right]: readonly [unknown, unknown]): unknown {
  const areObjects = typeof left === 'object' && typeof right === 'object'
  return areObjects ? { ...left, ...right } : left
}

function refuse(path: string, what: string): never {
  throw testingMisuse(
    `no arbitrary can be made for ${path}: ${what}. Give one in "overrides", by its schema.`,
  )
}
