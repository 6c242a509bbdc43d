import type { WhenFull } from '../schemas/outbox-rule.js'
import type { OutboxEntry } from './outbox-entry.js'
import type { StoredMessage } from './store/stored-message.js'

/** How much an outbox holds. */
export interface OutboxLimits {
  readonly maxMessages: number
  readonly maxBytes: number
}

/** The messages that leave an outbox for a new one. */
export interface Displaced {
  readonly replaced: OutboxEntry | undefined
  readonly dropped: readonly OutboxEntry[]
}

/** The order in which messages are sent, and which of them have a number. Does no I/O. */
export class OutboxQueue {
  readonly #limits: OutboxLimits
  // In the order of acceptance: a key of a `Map` keeps its place.
  readonly #byId = new Map<string, OutboxEntry>()
  // Messages without a number, by type and key.
  readonly #byKey = new Map<string, OutboxEntry>()
  // Messages whose number was taken away; they are sent before all others without one.
  readonly #again = new Set<OutboxEntry>()
  // The other messages without a number, by priority, largest first; a `Set` keeps their order.
  readonly #lanes: { readonly priority: number; readonly entries: Set<OutboxEntry> }[] = []
  #numbered: OutboxEntry[] = []
  #bytes = 0
  #soonestExpiry = Number.POSITIVE_INFINITY

  constructor(limits: OutboxLimits) {
    this.#limits = limits
  }

  /** How many messages there are, with and without a number. */
  get size(): number {
    return this.#byId.size
  }

  get bytes(): number {
    return this.#bytes
  }

  /** The messages with a number, in its order. */
  get numbered(): readonly OutboxEntry[] {
    return this.#numbered
  }

  /** The message that was accepted first. */
  get oldest(): OutboxEntry | undefined {
    for (const entry of this.#byId.values()) return entry
    return undefined
  }

  /**
   * Adds a message at the end of its priority. The message that it replaces (same type and key)
   * and those that make room for it leave the queue. `undefined`: there is no room.
   */
  offer(entry: OutboxEntry, whenFull: WhenFull): Displaced | undefined {
    const key = nameKey(entry.message)
    const replaced = key === undefined ? undefined : this.#byKey.get(key)
    const dropped = this.#makeRoom(entry, replaced, whenFull)
    if (dropped === undefined) return undefined
    if (replaced !== undefined) this.remove(replaced)
    for (const old of dropped) this.remove(old)
    this.#insert(entry)
    return { replaced, dropped }
  }

  /**
   * Adds messages that were accepted before, whatever the limits. Those with a number come first,
   * in its order.
   */
  restore(entries: readonly OutboxEntry[]): void {
    for (const entry of entries) this.#insert(entry)
    this.#numbered = [...this.#numbered, ...entries.filter(({ n }) => n !== undefined)].sort(
      (left, right) => (left.n ?? 0) - (right.n ?? 0),
    )
  }

  /** The message without a number that is sent next. */
  next(): OutboxEntry | undefined {
    for (const entry of this.#again) return entry
    for (const { entries } of this.#lanes) for (const entry of entries) return entry
    return undefined
  }

  /** Gives the next message its number. */
  number(entry: OutboxEntry, n: number): void {
    this.#unqueue(entry)
    entry.n = n
    this.#numbered.push(entry)
  }

  /** Takes numbers away again. These messages are sent next, in the same order. */
  renumberLater(entries: readonly OutboxEntry[]): void {
    const first = new Set(entries)
    this.#numbered = this.#numbered.filter((entry) => !first.has(entry))
    const rest = [...this.#again]
    this.#again.clear()
    for (const entry of [...entries, ...rest]) {
      entry.n = undefined
      this.#again.add(entry)
    }
  }

  /** Removes a message; gives whether it was there. */
  remove(entry: OutboxEntry): boolean {
    if (this.#byId.get(entry.message.id) !== entry) return false
    this.#byId.delete(entry.message.id)
    this.#bytes -= entry.bytes
    if (entry.n === undefined) this.#unqueue(entry)
    else if (this.#numbered[0] === entry) this.#numbered.shift()
    else this.#numbered = this.#numbered.filter((other) => other !== entry)
    return true
  }

  clear(): void {
    for (const entry of [...this.#byId.values()]) this.remove(entry)
  }

  find(id: string): OutboxEntry | undefined {
    return this.#byId.get(id)
  }

  /** The messages that were never sent and have expired by this time. */
  expired(epochMs: number): OutboxEntry[] {
    const expired: OutboxEntry[] = []
    this.#soonestExpiry = Number.POSITIVE_INFINITY
    for (const entry of this.#byId.values()) {
      const { expiresAt } = entry.message
      // A message that may have reached the server cannot be called off.
      if (expiresAt === undefined || entry.wasTransmitted) continue
      if (expiresAt <= epochMs) expired.push(entry)
      else this.#soonestExpiry = Math.min(this.#soonestExpiry, expiresAt)
    }
    return expired
  }

  /** No message expires before this, in milliseconds since the epoch. */
  get nextExpiryAt(): number | undefined {
    return this.#soonestExpiry === Number.POSITIVE_INFINITY ? undefined : this.#soonestExpiry
  }

  /** All messages, in the order in which they are sent. */
  entries(): OutboxEntry[] {
    return [
      ...this.#numbered,
      ...this.#again,
      ...this.#lanes.flatMap(({ entries }) => [...entries]),
    ]
  }

  #insert(entry: OutboxEntry): void {
    const { id, priority, expiresAt } = entry.message
    this.#byId.set(id, entry)
    this.#bytes += entry.bytes
    if (entry.n !== undefined) return
    this.#laneOf(priority).add(entry)
    const key = nameKey(entry.message)
    if (key !== undefined) this.#byKey.set(key, entry)
    if (expiresAt !== undefined) this.#soonestExpiry = Math.min(this.#soonestExpiry, expiresAt)
  }

  #unqueue(entry: OutboxEntry): void {
    this.#again.delete(entry)
    this.#laneOf(entry.message.priority).delete(entry)
    const key = nameKey(entry.message)
    if (key !== undefined && this.#byKey.get(key) === entry) this.#byKey.delete(key)
  }

  #laneOf(priority: number): Set<OutboxEntry> {
    const lanes = this.#lanes
    const at = lanes.findIndex((lane) => lane.priority <= priority)
    const found = at < 0 ? undefined : lanes[at]
    if (found?.priority === priority) return found.entries
    const entries = new Set<OutboxEntry>()
    lanes.splice(at < 0 ? lanes.length : at, 0, { priority, entries })
    return entries
  }

  /** The messages to drop for a new one; `undefined` where dropping does not make enough room. */
  #makeRoom(
    entry: OutboxEntry,
    replaced: OutboxEntry | undefined,
    whenFull: WhenFull,
  ): OutboxEntry[] | undefined {
    const { maxMessages, maxBytes } = this.#limits
    let count = this.#byId.size + 1 - (replaced === undefined ? 0 : 1)
    let total = this.#bytes + entry.bytes - (replaced?.bytes ?? 0)
    const fits = (): boolean => count <= maxMessages && total <= maxBytes
    const dropped: OutboxEntry[] = []
    if (whenFull === 'dropOldest') {
      for (const old of this.#droppable(entry.message.priority)) {
        if (fits()) break
        if (old === replaced) continue
        dropped.push(old)
        count -= 1
        total -= old.bytes
      }
    }
    return fits() ? dropped : undefined
  }

  /** The oldest of the lowest priority first; none of a higher priority than the new message's. */
  *#droppable(priority: number): Generator<OutboxEntry> {
    for (let at = this.#lanes.length - 1; at >= 0; at -= 1) {
      const lane = this.#lanes[at]
      if (lane !== undefined && lane.priority <= priority) yield* lane.entries
    }
  }
}

/** Names the type and key of a message. Not with a separator, which either could contain. */
function nameKey({ type, key }: StoredMessage): string | undefined {
  return key === undefined ? undefined : JSON.stringify([type, key])
}
