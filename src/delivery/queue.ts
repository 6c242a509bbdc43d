import type { WhenFull } from '../schemas/outbox-rule.js'
import type { KeptMessage } from './store/outbox-store.js'
import type { OpenReceipt } from './receipt.js'

/** A message in an outbox. */
export interface Entry {
  readonly message: KeptMessage
  /** What it takes of the outbox's bound, in bytes. */
  readonly bytes: number
  /** Absent for messages of an earlier run, or of another tab. */
  readonly receipt: OpenReceipt | undefined
  /** Its number on the wire, once it has one. */
  n: number | undefined
  /** The epoch of the server that the number was given for. */
  sentEpoch: string | undefined
  /** Some of it may have reached a server. */
  wasTransmitted: boolean
  /** Nobody wants it any more, but it may be on its way: it is not sent again. */
  isAbandoned: boolean
  /** It was on its way to a server that has forgotten us since. */
  mayBeTwice: boolean
  /** Where it is kept: not at all, not yet, or where it survives a crash. */
  keeping: 'none' | 'pending' | 'kept'
  /** Runs once it is kept. */
  whenKept?: () => void
}

/** How much an outbox holds. */
export interface OutboxLimits {
  readonly maxMessages: number
  readonly maxBytes: number
}

/** The order in which messages wait, and which of them have a number. Does no I/O. */
export interface OutboxQueue {
  /** How many there are, with and without a number. */
  readonly size: number
  readonly bytes: number
  /** Those with a number, in its order. */
  readonly numbered: readonly Entry[]
  /** The longest accepted. */
  readonly oldest: Entry | undefined
  /**
   * Puts a message at the end of its priority. What it replaces (the same key), and what has to
   * go for it, leaves; `undefined` where there is no room.
   */
  offer(entry: Entry, whenFull: WhenFull): Displaced | undefined
  /**
   * Puts messages there whatever the bounds: they were accepted before. Those with a number go
   * first, in its order.
   */
  restore(entries: readonly Entry[]): void
  /** The one to be sent next. */
  next(): Entry | undefined
  /** Gives the next one its number. */
  number(entry: Entry, n: number): void
  /** Takes the numbers of these away again: they go first from now on, in the same order. */
  renumberLater(entries: readonly Entry[]): void
  /** Takes an entry out; gives whether it was there. */
  remove(entry: Entry): boolean
  /** Takes everything out. */
  clear(): void
  find(id: string): Entry | undefined
  /** Those that were not transmitted and are not worth it any more. */
  expired(epochMs: number): Entry[]
  /** No entry expires before this, in milliseconds since the epoch. */
  nextExpiryAt(): number | undefined
  /** All entries in the order in which they are sent. */
  entries(): Entry[]
}

/** What leaves an outbox for a new message. */
export interface Displaced {
  readonly replaced: Entry | undefined
  readonly dropped: readonly Entry[]
}

/** Makes the entry of a message that was just accepted, or was found where it is kept. */
export function createEntry(
  message: KeptMessage,
  bytes: number,
  keeping: Entry['keeping'],
  receipt: OpenReceipt | undefined,
): Entry {
  return {
    message,
    bytes,
    receipt,
    keeping,
    n: message.sent?.n,
    sentEpoch: message.sent?.epoch,
    wasTransmitted: message.sent !== undefined,
    isAbandoned: false,
    mayBeTwice: false,
  }
}

/** Makes an empty queue. */
export function createQueue({ maxMessages, maxBytes }: OutboxLimits): OutboxQueue {
  const byId = new Map<string, Entry>()
  // Untransmitted messages by type and key; a `Map` of maps, so that no separator can collide.
  const byKey = new Map<string, Map<string, Entry>>()
  // Those that had a number once, and go before all others.
  const again = new Set<Entry>()
  // The others by priority, largest first; a `Set` keeps the order of arrival.
  const lanes: { readonly priority: number; readonly entries: Set<Entry> }[] = []
  let numbered: Entry[] = []
  let bytes = 0
  let soonestExpiry = Number.POSITIVE_INFINITY

  function laneOf(priority: number): Set<Entry> {
    const at = lanes.findIndex((lane) => lane.priority <= priority)
    const found = at < 0 ? undefined : lanes[at]
    if (found?.priority === priority) return found.entries
    const entries = new Set<Entry>()
    lanes.splice(at < 0 ? lanes.length : at, 0, { priority, entries })
    return entries
  }

  function* waiting(): Generator<Entry> {
    yield* again
    for (const { entries } of lanes) yield* entries
  }

  function insert(entry: Entry): void {
    const { id, priority, expiresAt } = entry.message
    byId.set(id, entry)
    bytes += entry.bytes
    if (entry.n !== undefined) return
    laneOf(priority).add(entry)
    noteKey(entry)
    if (expiresAt !== undefined) soonestExpiry = Math.min(soonestExpiry, expiresAt)
  }

  function noteKey(entry: Entry): void {
    const { type, key } = entry.message
    if (key === undefined) return
    const keys = byKey.get(type) ?? new Map<string, Entry>()
    byKey.set(type, keys.set(key, entry))
  }

  function forgetKey(entry: Entry): void {
    const { type, key } = entry.message
    if (key === undefined) return
    const keys = byKey.get(type)
    if (keys?.get(key) !== entry) return
    keys.delete(key)
    if (keys.size === 0) byKey.delete(type)
  }

  function unqueue(entry: Entry): void {
    again.delete(entry)
    laneOf(entry.message.priority).delete(entry)
    forgetKey(entry)
  }

  function remove(entry: Entry): boolean {
    if (byId.get(entry.message.id) !== entry) return false
    byId.delete(entry.message.id)
    bytes -= entry.bytes
    if (entry.n === undefined) unqueue(entry)
    else if (numbered[0] === entry) numbered.shift()
    else numbered = numbered.filter((other) => other !== entry)
    return true
  }

  function sameKey({ type, key }: KeptMessage): Entry | undefined {
    return key === undefined ? undefined : byKey.get(type)?.get(key)
  }

  // The oldest of the lowest priority go first, and none for a message of lower priority.
  function* droppable(priority: number): Generator<Entry> {
    for (let at = lanes.length - 1; at >= 0; at -= 1) {
      const lane = lanes[at]
      if (lane !== undefined && lane.priority <= priority) yield* lane.entries
    }
  }

  function makeRoom(entry: Entry, replaced: Entry | undefined, whenFull: WhenFull) {
    let count = byId.size + 1 - (replaced === undefined ? 0 : 1)
    let total = bytes + entry.bytes - (replaced?.bytes ?? 0)
    const fits = () => count <= maxMessages && total <= maxBytes
    const dropped: Entry[] = []
    if (whenFull === 'dropOldest') {
      for (const old of droppable(entry.message.priority)) {
        if (fits()) break
        if (old === replaced) continue
        dropped.push(old)
        count -= 1
        total -= old.bytes
      }
    }
    return fits() ? dropped : undefined
  }

  return {
    get size() {
      return byId.size
    },
    get bytes() {
      return bytes
    },
    get numbered() {
      return numbered
    },
    get oldest() {
      // In the order of acceptance, since a key of a `Map` keeps its place.
      for (const entry of byId.values()) return entry
      return undefined
    },
    offer(entry, whenFull) {
      const replaced = sameKey(entry.message)
      const dropped = makeRoom(entry, replaced, whenFull)
      if (dropped === undefined) return undefined
      if (replaced !== undefined) remove(replaced)
      for (const old of dropped) remove(old)
      insert(entry)
      return { replaced, dropped }
    },
    restore(entries) {
      for (const entry of entries) insert(entry)
      numbered = [...numbered, ...entries.filter(({ n }) => n !== undefined)].sort(
        (left, right) => (left.n ?? 0) - (right.n ?? 0),
      )
    },
    next() {
      for (const entry of again) return entry
      for (const { entries } of lanes) for (const entry of entries) return entry
      return undefined
    },
    number(entry, n) {
      unqueue(entry)
      entry.n = n
      numbered.push(entry)
    },
    renumberLater(entries) {
      const first = new Set(entries)
      numbered = numbered.filter((entry) => !first.has(entry))
      const rest = [...again]
      again.clear()
      for (const entry of [...entries, ...rest]) {
        entry.n = undefined
        again.add(entry)
      }
    },
    remove,
    clear() {
      for (const entry of [...byId.values()]) remove(entry)
    },
    find: (id) => byId.get(id),
    expired(epochMs) {
      const expired: Entry[] = []
      soonestExpiry = Number.POSITIVE_INFINITY
      for (const entry of byId.values()) {
        const { expiresAt } = entry.message
        // What may be on its way already is not for us to call off.
        if (expiresAt === undefined || entry.wasTransmitted) continue
        if (expiresAt <= epochMs) expired.push(entry)
        else soonestExpiry = Math.min(soonestExpiry, expiresAt)
      }
      return expired
    },
    nextExpiryAt: () => (soonestExpiry === Number.POSITIVE_INFINITY ? undefined : soonestExpiry),
    entries: () => [...numbered, ...waiting()],
  }
}
