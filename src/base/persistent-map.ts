import { type Chunk, ChunkTable } from './chunk-table.js'
import { assertThat } from './errors.js'

/**
 * A map that a fold may change in place: what a fold finds where its state has a `PersistentMap`.
 *
 * `set` and `delete` change the draft and return it. A `PersistentMap` may stand where a draft is
 * expected: a fold may put one into its state. Once the fold has ended, a call that would change the
 * draft throws; one that would not, such as a `set` of the same value, does nothing.
 */
export interface MapDraft<V> extends ReadonlyMap<string, V> {
  set(key: string, value: V): MapDraft<V>
  delete(key: string): MapDraft<V>
}

// How Node prints a value: https://nodejs.org/api/util.html#utilinspectcustom
const INSPECT: unique symbol = Symbol.for('nodejs.util.inspect.custom')
type NodeInspect = (value: unknown, options: object) => string

// What this file alone may do to a map or a draft; set by the class, which knows its private parts.
let tableOf: <V>(view: TableView<V>) => ChunkTable<V>
let freeze: <V>(table: ChunkTable<V>) => PersistentMap<V>
let setTable: <V>(view: TableView<V>, table: ChunkTable<V>) => void

// What a map and a draft have in common: reading a table.
class TableView<V> implements ReadonlyMap<string, V> {
  #table: ChunkTable<V>

  static {
    tableOf = (view) => view.#table
    setTable = (view, table) => {
      view.#table = table
    }
  }

  /** @internal */
  constructor(table: ChunkTable<V>) {
    this.#table = table
  }

  get size(): number {
    return this.#table.size
  }

  get(key: string): V | undefined {
    return this.#table.get(key)
  }

  has(key: string): boolean {
    return this.#table.has(key)
  }

  forEach(
    visit: (value: V, key: string, map: ReadonlyMap<string, V>) => void,
    thisArg?: unknown,
  ): void {
    for (const [key, value] of this) visit.call(thisArg, value, key, this)
  }

  entries(): MapIterator<[string, V]> {
    return this.#table.entries()
  }

  keys(): MapIterator<string> {
    return this.#table.keys()
  }

  values(): MapIterator<V> {
    return this.#table.values()
  }

  [Symbol.iterator](): MapIterator<[string, V]> {
    return this.#table.entries()
  }

  /** The entries as a plain object, for `JSON.stringify`. */
  toJSON(): Record<string, V> {
    return Object.fromEntries(this)
  }

  /** Prints the map in Node as a `Map` is printed. @internal */
  [INSPECT](depth: number, options: object, inspect: NodeInspect): string {
    const name = this instanceof OpenMap ? 'MapDraft' : 'PersistentMap'
    return inspect(new Map(this), { ...options, depth }).replace('Map', name)
  }
}

// Node's `assert` compares own, enumerable properties: without one, any two maps would be equal.
const ENTRIES: unique symbol = Symbol('entries')

/**
 * An immutable map from strings, in insertion order, whose updates cost the same at 10 entries
 * and at 10,000.
 *
 * It reads as a `ReadonlyMap`. `set` and `delete` return a new map and leave this one as it was;
 * the two share all but one chunk of 256 entries. Like `Map`, it keeps the place of a key whose
 * value is replaced, and puts a key that was deleted and set again at the end.
 *
 * Structured cloning copies no private state: to send a map to a worker, call
 * `postMessage([...map])`, and there `PersistentMap.from(received)`.
 *
 * Vitest's `toEqual` compares the entries. Jest's, and `assert.deepStrictEqual` of Node, may tell
 * equal maps apart where keys were deleted; compare `[...map]` there.
 *
 * @example
 * const one = PersistentMap.from([['a', 1]])
 * const two = one.set('b', 2)
 * one.size // 1
 * two.size // 2
 */
export class PersistentMap<V> extends TableView<V> {
  /** @internal */
  readonly [ENTRIES]: readonly Chunk<V>[]

  static {
    freeze = (table) => new PersistentMap(table)
  }

  private constructor(table: ChunkTable<V>) {
    super(table.share())
    this[ENTRIES] = table.chunks
  }

  /** A map without entries. */
  static empty<V>(): PersistentMap<V> {
    return new PersistentMap(new ChunkTable<V>())
  }

  /** A map of the given entries; the last one of a key wins. Costs nothing for a map or a draft of one. */
  static from<V>(entries: Iterable<readonly [string, V]>): PersistentMap<V> {
    if (entries instanceof PersistentMap) return entries as PersistentMap<V>
    if (entries instanceof OpenMap) return (entries as OpenMap<V>).snapshot()
    const table = new ChunkTable<V>()
    for (const [key, value] of entries) table.put(table.find(key), key, value)
    return new PersistentMap(table)
  }

  // eslint-disable-next-line @typescript-eslint/class-literal-property-style -- a field would be own state of each map
  get [Symbol.toStringTag](): string {
    return 'PersistentMap'
  }

  /** A map with this entry; this very map where it has the entry already. */
  set(key: string, value: V): PersistentMap<V> {
    const shared = tableOf(this)
    const slot = shared.find(key)
    if (slot >= 0 && Object.is(shared.valueAt(slot), value)) return this
    const table = new ChunkTable(shared)
    table.put(slot, key, value)
    return new PersistentMap(table)
  }

  /** A map without this key; this very map where it does not have the key. */
  delete(key: string): PersistentMap<V> {
    const shared = tableOf(this)
    const slot = shared.find(key)
    if (slot < 0) return this
    const table = new ChunkTable(shared)
    table.remove(slot)
    return new PersistentMap(table)
  }
}

const nothingChanged: readonly string[] = []

/** A draft over a map, until it is closed. Folds see it as a {@link MapDraft}. */
export class OpenMap<V> extends TableView<V> implements MapDraft<V> {
  // The map that was opened; once the draft is closed, the map that came of it.
  #map: PersistentMap<V>
  #changed: string[] | undefined
  #isOpen = true

  constructor(map: PersistentMap<V>) {
    // The map's own table until the first change, which copies it.
    super(tableOf(map))
    this.#map = map
  }

  /** The keys that were set or deleted, in order; a key may be there more than once. */
  get changed(): readonly string[] {
    return this.#changed ?? nothingChanged
  }

  /** Ends the draft and gives the map as it then stands: the original where nothing changed. */
  close(): PersistentMap<V> {
    if (!this.#isOpen) return this.#map
    this.#isOpen = false
    if (this.#changed !== undefined) this.#map = freeze(tableOf(this))
    return this.#map
  }

  /** The map as it stands now. The draft stays open. */
  snapshot(): PersistentMap<V> {
    if (!this.#isOpen || this.#changed === undefined) return this.#map
    return freeze(new ChunkTable(tableOf(this).share()))
  }

  set(key: string, value: V): this {
    const table = tableOf(this)
    const slot = table.find(key)
    if (slot < 0 || !Object.is(table.valueAt(slot), value)) this.#change(key).put(slot, key, value)
    return this
  }

  delete(key: string): this {
    const slot = tableOf(this).find(key)
    if (slot >= 0) this.#change(key).remove(slot)
    return this
  }

  // The table to write to, once a key is noted as changed.
  #change(key: string): ChunkTable<V> {
    // A fold that keeps its draft must not change a state that was published meanwhile.
    assertThat(
      this.#isOpen,
      'protocol-invalid',
      'A map draft was changed after its fold had ended. Copy what a fold keeps: PersistentMap.from(draft).',
    )
    if (this.#changed === undefined) {
      setTable(this, new ChunkTable(tableOf(this)))
      this.#changed = [key]
    } else {
      this.#changed.push(key)
    }
    return tableOf(this)
  }
}

/** The table of a map or a draft of one, to read it by chunks. */
export function chunkTableOf<V>(map: PersistentMap<V> | MapDraft<V>): ChunkTable<V> {
  return tableOf(map as TableView<V>)
}
