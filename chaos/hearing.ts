import { faultAfter, noteOf, type Mark, type Origin } from './audit.js'
import type { HeardCounts } from './reports.js'

/** Checks what a device's handlers hear, message by message. */
export interface Hearing {
  readonly counts: Readonly<HeardCounts>
  hear(origin: Origin): void
}

/**
 * Makes a {@link Hearing}. After a reset handlers do not hear what the state stands for: then alone
 * messages may be missing, and none may come again even so.
 */
export function createHearing(resets: () => number, problem: (what: string) => void): Hearing {
  const counts = { count: 0, lost: 0, duplicated: 0, disordered: 0 }
  const marks = new Map<string, Mark & { readonly resets: number }>()
  return {
    counts,
    hear(origin) {
      const before = marks.get(origin.from)
      const now = resets()
      const fault = faultAfter(before, origin)
      const mayMiss = before?.resets !== now
      counts.count += 1
      if (fault !== undefined && !(fault === 'lost' && mayMiss)) {
        counts[fault] += 1
        problem(`heard ${noteOf(fault, before, origin)}`)
      }
      marks.set(origin.from, { run: origin.run, n: origin.n, resets: now })
    },
  }
}
