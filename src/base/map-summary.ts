import type { Chunk } from './chunk-table.js'
import { chunkTableOf, type MapDraft, type PersistentMap } from './persistent-map.js'

/** Adds up a property of all values of a map; see {@link createSummary}. */
export interface Summary<V, S> {
  /** The summary of nothing. */
  readonly empty: S
  /** The summary of one value. */
  readonly of: (value: V, key: string) => S
  /** The summary of two parts; must be associative. */
  readonly combine: (left: S, right: S) => S
}

/**
 * Makes a function that adds up a map's values. It remembers the sum of each chunk: after an update
 * it adds up only the chunks that changed, so a total over 10,000 entries costs about as much as
 * one over 256.
 *
 * @example
 * const total = createSummary<Shoot, number>({ empty: 0, of: (s) => s.totalCount, combine: (a, b) => a + b })
 * total(state.activeShootProgress)
 */
export function createSummary<V, S>(
  summary: Summary<V, S>,
): (map: PersistentMap<V> | MapDraft<V>) => S {
  const known = new WeakMap<Chunk<V>, S>()
  return (map) => {
    const table = chunkTableOf(map)
    let total = summary.empty
    for (const [at, chunk] of table.chunks.entries()) {
      const part = known.get(chunk) ?? summarise(chunk, summary)
      if (!table.owns(at)) known.set(chunk, part)
      total = summary.combine(total, part)
    }
    return total
  }
}

function summarise<V, S>(chunk: Chunk<V>, { empty, of, combine }: Summary<V, S>): S {
  let part = empty
  for (const entry of chunk) {
    if (entry !== undefined) part = combine(part, of(entry[1], entry[0]))
  }
  return part
}
