import { PersistentMap } from '../base/persistent-map.js'
import type { Rules } from './rules.js'
import type { UserCode } from './user-code.js'
import { type Entries, entriesOf, type StateFields, type Touched } from './workspace.js'

/** When the entries of maps leave them. */
export interface Expiries {
  /** Decides anew for the entries of a map that were touched on the way from one state to another. */
  track(field: string, touched: Touched, before: StateFields, after: StateFields): void
  /** Forgets everything, and begins with a state's entries. */
  reset(state: StateFields): void
  /** Takes off the keys whose time has come, by field. */
  takeExpired(): [field: string, keys: readonly string[]][]
  /** When the next entry leaves, in monotonic milliseconds. */
  nextAt(): number | undefined
}

/** Makes the queues of a definition's expire rules. */
export function createExpiries(
  rules: Rules,
  userCode: UserCode,
  clock: { readonly now: () => number },
): Expiries {
  const queues = new Map<string, ExpiryQueue>()
  for (const [field, rule] of Object.entries(rules.expire ?? {})) {
    if (rule === undefined) continue
    const name = `expire.${field}.when`
    const isDue = (value: unknown) => userCode.run(name, rule.when, value, undefined) === true
    queues.set(field, createExpiryQueue(isDue, rule.afterMs, clock))
  }

  return {
    track(field, touched, before, after) {
      const queue = queues.get(field)
      if (queue === undefined) return
      if (touched === 'all') queue.compare(entriesOf(before, field), entriesOf(after, field))
      else queue.decide(touched, entriesOf(after, field))
    },
    reset(state) {
      for (const [field, queue] of queues) {
        queue.clear()
        queue.compare(PersistentMap.empty(), entriesOf(state, field))
      }
    },
    takeExpired: () => Array.from(queues, ([field, queue]) => [field, queue.takeExpired()]),
    nextAt() {
      let next: number | undefined
      for (const queue of queues.values()) {
        const at = queue.nextAt()
        if (at !== undefined && (next === undefined || at < next)) next = at
      }
      return next
    },
  }
}

interface ExpiryQueue {
  /** Decides anew for these keys. */
  decide(keys: readonly string[], entries: Entries): void
  /** Decides anew for the entries that differ. */
  compare(before: Entries, after: Entries): void
  takeExpired(): string[]
  nextAt(): number | undefined
  clear(): void
}

// Since every entry of a rule stays equally long, the order in which they were put in is the
// order in which they leave: one `Map` is queue and index at once, and its head the only deadline
// to wait for. An actor for each of 10,000 entries took 27 s.
function createExpiryQueue(
  isDue: (value: unknown) => boolean,
  afterMs: number,
  clock: { readonly now: () => number },
): ExpiryQueue {
  const deadlines = new Map<string, number>()

  function decide(key: string, value: unknown): void {
    // Taken off in any case, so that it moves to the end where it is put in again.
    if (deadlines.size > 0) deadlines.delete(key)
    if (value !== undefined && isDue(value)) deadlines.set(key, clock.now() + afterMs)
  }

  return {
    decide(keys, entries) {
      for (const key of keys) decide(key, entries.get(key))
    },
    compare(before, after) {
      for (const key of deadlines.keys()) if (!after.has(key)) deadlines.delete(key)
      for (const [key, value] of after) if (before.get(key) !== value) decide(key, value)
    },
    takeExpired() {
      const now = clock.now()
      const keys: string[] = []
      for (const [key, deadline] of deadlines) {
        if (deadline > now) break
        deadlines.delete(key)
        keys.push(key)
      }
      return keys
    },
    nextAt() {
      for (const deadline of deadlines.values()) return deadline
      return undefined
    },
    clear() {
      deadlines.clear()
    },
  }
}
