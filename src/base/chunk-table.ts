/** One key with its value. */
export type MapEntry<V> = readonly [key: string, value: V]

/** A run of up to 256 entries; `undefined` stands where an entry was deleted. */
export type Chunk<V> = readonly (MapEntry<V> | undefined)[]

type WritableChunk<V> = (MapEntry<V> | undefined)[]

// The slot of each key, shared by all tables that grew out of one. It is only a hint: a table holds
// a key if its own entry at that slot has the key. A hint moves when a deleted key is set again.
// A table that is older than a move cannot tell an absent key from a moved one: it builds an index
// of its own when it has to know.
interface Index {
  readonly slots: Map<string, number>
  moves: number
}

const CHUNK_SIZE = 256

/**
 * Entries in insertion order, in chunks that several tables share. A table copies a chunk before it
 * writes to it for the first time, so a write costs the same at 10 entries and at 10,000.
 *
 * It is what a `PersistentMap` and its draft are made of; users see neither table nor chunks.
 */
export class ChunkTable<V> {
  #index: Index
  // How many of the index's moves this table knows of.
  #moves = 0
  #slots = 0
  #count = 0
  #writable: WritableChunk<V>[]
  // The chunks before the first write: one that differs from them is this table's alone. `undefined`
  // while another table may have the array of chunks.
  #shared: readonly Chunk<V>[] | undefined

  /** An empty table, or a copy of one that shares its chunks; see {@link share}. */
  constructor(from?: ChunkTable<V>) {
    this.#index = from === undefined ? createIndex([]) : from.#index
    this.#writable = from === undefined ? [] : from.#writable
    if (from === undefined) return
    this.#moves = from.#moves
    this.#slots = from.#slots
    this.#count = from.#count
  }

  get size(): number {
    return this.#count
  }

  get chunks(): readonly Chunk<V>[] {
    return this.#writable
  }

  /** Whether a chunk may still change in place. */
  owns(chunk: number): boolean {
    return this.#shared !== undefined && this.#writable[chunk] !== this.#shared[chunk]
  }

  get(key: string): V | undefined {
    const slot = this.find(key)
    return slot < 0 ? undefined : this.valueAt(slot)
  }

  has(key: string): boolean {
    return this.find(key) >= 0
  }

  *entries(): MapIterator<[string, V]> {
    for (const chunk of this.#writable) {
      for (const entry of chunk) if (entry !== undefined) yield [entry[0], entry[1]]
    }
  }

  *keys(): MapIterator<string> {
    for (const [key] of this.entries()) yield key
  }

  *values(): MapIterator<V> {
    for (const [, value] of this.entries()) yield value
  }

  /** Where a key stands: to be handed to {@link valueAt}, `put` and `remove`; -1 where it is absent. */
  find(key: string): number {
    const slot = this.#index.slots.get(key)
    if (slot === undefined) return -1
    if (this.#at(slot)?.[0] === key) return slot
    if (this.#moves === this.#index.moves) return -1
    this.#index = createIndex(this.#writable)
    this.#moves = 0
    return this.#index.slots.get(key) ?? -1
  }

  valueAt(slot: number): V | undefined {
    return this.#at(slot)?.[1]
  }

  /** Sets the entry of a key that was found at this slot; at the end where it was absent. */
  put(slot: number, key: string, value: V): void {
    if (slot < 0) this.#append(key, value)
    else this.#write(slot, [key, value])
  }

  /** Removes the entry at a slot. */
  remove(slot: number): void {
    this.#write(slot, undefined)
    this.#count -= 1
  }

  /** Makes all chunks shared: this table, like each copy of it, copies a chunk before it writes to it. */
  share(): this {
    this.#shared = undefined
    return this
  }

  #at(slot: number): MapEntry<V> | undefined {
    return this.#writable[slot >> 8]?.[slot & (CHUNK_SIZE - 1)]
  }

  #append(key: string, value: V): void {
    // An empty table starts over, too: tables that began as one empty table share nothing else.
    if (this.#count === 0 || this.#isSparse()) this.#compact()
    const index = this.#index
    const slot = this.#slots
    const former = index.slots.get(key)
    if (former !== slot) {
      index.slots.set(key, slot)
      if (former !== undefined) {
        // Not `moves = index.moves`: a table that missed an earlier move must stay behind.
        this.#moves += 1
        index.moves += 1
      }
    }
    this.#slots += 1
    this.#count += 1
    this.#write(slot, [key, value])
  }

  #write(slot: number, entry: MapEntry<V> | undefined): void {
    if (this.#shared === undefined) {
      this.#shared = this.#writable
      this.#writable = this.#writable.slice()
    }
    const at = slot >> 8
    let chunk = this.#writable[at]
    if (chunk === undefined || chunk === this.#shared[at]) {
      chunk = chunk?.slice() ?? []
      this.#writable[at] = chunk
    }
    chunk[slot & (CHUNK_SIZE - 1)] = entry
  }

  // Deleted keys leave holes in the chunks, and other tables leave hints in the index. Once either
  // outnumbers the entries, a rewrite costs no more per update than the updates that led to it.
  #isSparse(): boolean {
    const bound = 2 * this.#count + CHUNK_SIZE
    return this.#slots > bound || this.#index.slots.size > bound + this.#slots
  }

  #compact(): void {
    const entries = this.#writable.flatMap((chunk) => chunk.filter((entry) => entry !== undefined))
    this.#writable = []
    this.#shared = []
    for (let at = 0; at < entries.length; at += CHUNK_SIZE) {
      this.#writable.push(entries.slice(at, at + CHUNK_SIZE))
    }
    this.#index = createIndex(this.#writable)
    this.#moves = 0
    this.#slots = entries.length
  }
}

function createIndex(chunks: readonly Chunk<unknown>[]): Index {
  const slots = new Map<string, number>()
  for (const [at, chunk] of chunks.entries()) {
    for (const [offset, entry] of chunk.entries()) {
      if (entry !== undefined) slots.set(entry[0], at * CHUNK_SIZE + offset)
    }
  }
  return { slots, moves: 0 }
}
