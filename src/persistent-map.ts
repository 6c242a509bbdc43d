/** One key with its value. */
export type Entry<V> = readonly [key: string, value: V]

/** Adds up a property of all values of a map; see {@link createSummary}. */
export interface Summary<V, S> {
  /** The summary of nothing. */
  readonly empty: S
  /** The summary of one value. */
  readonly of: (value: V, key: string) => S
  /** The summary of two parts; must be associative. */
  readonly combine: (left: S, right: S) => S
}

// While `open`, the one map that carries this token may be changed in place, and so may the
// chunks made under it. Nobody outside the edit has seen either.
interface Edit {
  open: boolean
}

interface Chunk<V> {
  readonly edit: Edit | undefined
  readonly entries: (Entry<V> | undefined)[]
}

// Where a key may stand, shared by all versions that grew out of one map. It is only a hint: a
// version holds a key at a slot if its own entry there says so. Each insertion is recorded and
// none is taken back, so the slot of a key that a version does hold is always among the hints.
interface Hints {
  readonly latest: Map<string, number>
  readonly earlier: Map<string, number[]>
}

const CHUNK = 256

/**
 * An immutable map from strings, in insertion order, whose updates cost the same at 10 entries
 * and at 10,000.
 *
 * It reads as a `ReadonlyMap`; `set` and `delete` give a new map and leave this one as it was,
 * sharing all but one chunk of 256 entries with it. Like `Map`, it keeps a key's place when its
 * value is replaced, and puts a key that was deleted and returns at the end.
 *
 * @example
 * const one = PersistentMap.from([['a', 1]])
 * const two = one.set('b', 2)
 * one.size // 1
 * two.size // 2
 */
export class PersistentMap<V> implements ReadonlyMap<string, V> {
  readonly [Symbol.toStringTag] = 'PersistentMap'
  private hints: Hints
  private chunks: Chunk<V>[]
  private slots: number
  private count: number
  private edit: Edit | undefined

  private constructor(
    hints: Hints,
    chunks: Chunk<V>[],
    slots: number,
    count: number,
    edit: Edit | undefined,
  ) {
    this.hints = hints
    this.chunks = chunks
    this.slots = slots
    this.count = count
    this.edit = edit
  }

  /** A map without entries. */
  static empty<V>(): PersistentMap<V> {
    return new PersistentMap<V>(createHints(), [], 0, 0, undefined)
  }

  /** A map of the given entries; the last one of a key wins. */
  static from<V>(entries: Iterable<readonly [string, V]>): PersistentMap<V> {
    const [map, close] = PersistentMap.empty<V>().openEdit()
    for (const [key, value] of entries) map.set(key, value)
    close()
    return map
  }

  get size(): number {
    return this.count
  }

  get(key: string): V | undefined {
    const slot = this.find(key)
    return slot < 0 ? undefined : this.at(slot)?.[1]
  }

  has(key: string): boolean {
    return this.find(key) >= 0
  }

  /** The map with this entry; inside an open edit, this very map. */
  set(key: string, value: V): PersistentMap<V> {
    const slot = this.find(key)
    if (slot >= 0 && Object.is(this.at(slot)?.[1], value)) return this
    const map = this.writable()
    if (slot >= 0) {
      map.write(slot, [key, value])
      return map
    }
    if (map.isSparse()) map.compact()
    map.hint(key, map.slots)
    map.write(map.slots, [key, value])
    map.slots += 1
    map.count += 1
    return map
  }

  /** The map without this key; inside an open edit, this very map. */
  delete(key: string): PersistentMap<V> {
    const slot = this.find(key)
    if (slot < 0) return this
    const map = this.writable()
    map.write(slot, undefined)
    map.count -= 1
    return map
  }

  /**
   * A copy that `set` and `delete` change in place until it is closed, and the function that
   * closes it. For a series of updates that nobody should see half done. Not to be nested.
   */
  openEdit(): [map: PersistentMap<V>, close: () => void] {
    const edit: Edit = { open: true }
    const map = new PersistentMap(this.hints, this.chunks.slice(), this.slots, this.count, edit)
    return [
      map,
      () => {
        edit.open = false
      },
    ]
  }

  forEach(
    visit: (value: V, key: string, map: ReadonlyMap<string, V>) => void,
    thisArg?: unknown,
  ): void {
    for (const [key, value] of this) visit.call(thisArg, value, key, this)
  }

  *entries(): MapIterator<[string, V]> {
    for (const chunk of this.chunks) {
      for (const entry of chunk.entries) if (entry !== undefined) yield [entry[0], entry[1]]
    }
  }

  *keys(): MapIterator<string> {
    for (const [key] of this.entries()) yield key
  }

  *values(): MapIterator<V> {
    for (const [, value] of this.entries()) yield value
  }

  [Symbol.iterator](): MapIterator<[string, V]> {
    return this.entries()
  }

  /** The entries as a plain object, for `JSON.stringify`. */
  toJSON(): Record<string, V> {
    return Object.fromEntries(this)
  }

  /** The chunks as they stand; how {@link createSummary} reads a map. @internal */
  static chunksOf<V>(map: PersistentMap<V>): readonly Chunk<V>[] {
    return map.chunks
  }

  private at(slot: number): Entry<V> | undefined {
    return this.chunks[slot >> 8]?.entries[slot & (CHUNK - 1)]
  }

  private find(key: string): number {
    const latest = this.hints.latest.get(key)
    if (latest === undefined) return -1
    if (this.at(latest)?.[0] === key) return latest
    for (const slot of this.hints.earlier.get(key) ?? []) {
      if (this.at(slot)?.[0] === key) return slot
    }
    return -1
  }

  private hint(key: string, slot: number): void {
    const { latest, earlier } = this.hints
    const former = latest.get(key)
    latest.set(key, slot)
    if (former === undefined || former === slot) return
    const list = earlier.get(key)
    if (list === undefined) earlier.set(key, [former])
    else if (!list.includes(former)) list.push(former)
  }

  private writable(): PersistentMap<V> {
    if (this.edit?.open === true) return this
    return new PersistentMap(this.hints, this.chunks.slice(), this.slots, this.count, undefined)
  }

  private write(slot: number, entry: Entry<V> | undefined): void {
    const at = slot >> 8
    const chunk = this.chunks[at]
    const owned = chunk?.edit !== undefined && chunk.edit === this.edit && chunk.edit.open
    const target = owned ? chunk : { edit: this.edit, entries: chunk?.entries.slice() ?? [] }
    target.entries[slot & (CHUNK - 1)] = entry
    this.chunks[at] = target
  }

  // Holes are left where keys were deleted, and hints where other versions inserted; once either
  // outweighs the entries, a rewrite costs no more per update than the updates that led to it.
  private isSparse(): boolean {
    const bound = 2 * this.count + CHUNK
    return this.slots > bound || this.hints.latest.size > bound + this.slots
  }

  private compact(): void {
    const entries = this.chunks.flatMap((chunk) => chunk.entries.filter((entry) => !!entry))
    this.hints = createHints()
    this.chunks = []
    for (let at = 0; at < entries.length; at += CHUNK) {
      this.chunks.push({ edit: this.edit, entries: entries.slice(at, at + CHUNK) })
    }
    for (const [slot, entry] of entries.entries()) if (entry) this.hints.latest.set(entry[0], slot)
    this.slots = entries.length
  }
}

/**
 * Makes a function that adds up a map's values and remembers the sum of each chunk, so that after
 * an update only the chunks that changed are added up anew: a total over 10,000 entries then costs
 * about as much as one over 256.
 *
 * @example
 * const total = createSummary<Shoot, number>({ empty: 0, of: (s) => s.totalCount, combine: (a, b) => a + b })
 * total(state.activeShootProgress)
 */
export function createSummary<V, S>(summary: Summary<V, S>): (map: PersistentMap<V>) => S {
  const known = new WeakMap<Chunk<V>, S>()
  return (map) => {
    let total = summary.empty
    for (const chunk of PersistentMap.chunksOf(map)) {
      const part = known.get(chunk) ?? summarise(chunk, summary)
      if (chunk.edit?.open !== true) known.set(chunk, part)
      total = summary.combine(total, part)
    }
    return total
  }
}

function summarise<V, S>(chunk: Chunk<V>, { empty, of, combine }: Summary<V, S>): S {
  let part = empty
  for (const entry of chunk.entries) {
    if (entry !== undefined) part = combine(part, of(entry[1], entry[0]))
  }
  return part
}

function createHints(): Hints {
  return { latest: new Map(), earlier: new Map() }
}
