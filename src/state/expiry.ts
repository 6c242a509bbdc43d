import type { Clock } from '../base/clock.js'
import { PersistentMap } from '../base/persistent-map.js'
import type { Rules } from './rules.js'
import type { UserCode } from './user-code.js'
import { entriesOf, type StateFields, type Touched } from './workspace.js'

type Entries = PersistentMap<unknown>

/** Decides when the entries of maps are removed: one queue for each expire rule of a definition. */
export class Expiries {
  readonly #queues = new Map<string, ExpiryQueue>()

  constructor(rules: Rules, userCode: UserCode, clock: Pick<Clock, 'now'>) {
    for (const [field, rule] of Object.entries(rules.expire ?? {})) {
      if (rule === undefined) continue
      const name = `expire.${field}.when`
      const isDue = (value: unknown) => userCode.run(name, rule.when, value, undefined) === true
      this.#queues.set(field, new ExpiryQueue(isDue, rule.afterMs, clock))
    }
  }

  /** Decides again for the entries of a map that were touched between two states. */
  track(field: string, touched: Touched, before: StateFields, after: StateFields): void {
    const queue = this.#queues.get(field)
    if (queue === undefined) return
    if (touched === 'all') queue.compare(entriesOf(before, field), entriesOf(after, field))
    else for (const key of touched) queue.decide(key, entriesOf(after, field).get(key))
  }

  /** Decides anew for all entries of a state. */
  reset(state: StateFields): void {
    for (const [field, queue] of this.#queues) {
      queue.compare(PersistentMap.empty(), entriesOf(state, field))
    }
  }

  /** Takes the keys that are due from the queues, by field. */
  takeExpired(): [field: string, keys: readonly string[]][] {
    return Array.from(this.#queues, ([field, queue]) => [field, queue.takeExpired()])
  }

  /** When the next entry is due, in monotonic milliseconds. */
  nextAt(): number | undefined {
    let next: number | undefined
    for (const queue of this.#queues.values()) {
      const at = queue.nextAt()
      if (at !== undefined && (next === undefined || at < next)) next = at
    }
    return next
  }
}

// All entries of a rule stay equally long, so they become due in the order in which they were put
// in: one `Map` is both queue and index, and its first entry the only deadline to wait for. (One
// actor for each of 10,000 entries took 27 s.)
class ExpiryQueue {
  readonly #isDue: (value: unknown) => boolean
  readonly #afterMs: number
  readonly #clock: Pick<Clock, 'now'>
  readonly #deadlines = new Map<string, number>()

  constructor(isDue: (value: unknown) => boolean, afterMs: number, clock: Pick<Clock, 'now'>) {
    this.#isDue = isDue
    this.#afterMs = afterMs
    this.#clock = clock
  }

  /** Decides again for one entry. */
  decide(key: string, value: unknown): void {
    // Deleted first, so that a key that is set again moves to the end.
    if (this.#deadlines.size > 0) this.#deadlines.delete(key)
    if (value !== undefined && this.#isDue(value)) {
      this.#deadlines.set(key, this.#clock.now() + this.#afterMs)
    }
  }

  /** Decides again for the entries that differ. */
  compare(before: Entries, after: Entries): void {
    for (const key of this.#deadlines.keys()) if (!after.has(key)) this.#deadlines.delete(key)
    for (const [key, value] of after) if (before.get(key) !== value) this.decide(key, value)
  }

  takeExpired(): string[] {
    const now = this.#clock.now()
    const keys: string[] = []
    for (const [key, deadline] of this.#deadlines) {
      if (deadline > now) break
      this.#deadlines.delete(key)
      keys.push(key)
    }
    return keys
  }

  nextAt(): number | undefined {
    for (const deadline of this.#deadlines.values()) return deadline
    return undefined
  }
}
