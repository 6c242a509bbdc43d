import type { Entry, OutboxLimits } from './queue.js'

/**
 * Messages that we accepted and another tab or process sends, or that wait for it to be known who
 * does. What becomes of them is told by their owner.
 */
export interface Elsewhere {
  readonly size: number
  readonly bytes: number
  /** Puts a message there; `false` where there is no room. */
  put(entry: Entry): boolean
  /** The same, whatever the bounds. */
  restore(entry: Entry): void
  /** Takes a message out; `undefined` where it is not there. */
  take(id: string): Entry | undefined
  entries(): Entry[]
}

/** Makes an empty one. */
export function createElsewhere({ maxMessages, maxBytes }: OutboxLimits): Elsewhere {
  const entries = new Map<string, Entry>()
  let bytes = 0

  function restore(entry: Entry): void {
    entries.set(entry.message.id, entry)
    bytes += entry.bytes
  }

  return {
    get size() {
      return entries.size
    },
    get bytes() {
      return bytes
    },
    put(entry) {
      if (entries.size >= maxMessages || bytes + entry.bytes > maxBytes) return false
      restore(entry)
      return true
    },
    restore,
    take(id) {
      const entry = entries.get(id)
      if (entry === undefined) return undefined
      entries.delete(id)
      bytes -= entry.bytes
      return entry
    },
    entries: () => [...entries.values()],
  }
}
