import { faultAfter, type Mark, noteOf, type Origin } from './audit.js'
import type { HeardCounts } from './reports.js'

/**
 * Checks the messages that a device's handlers hear. After a reset the handlers do not hear the
 * messages that the new state includes: then, and only then, messages may be missing. No message may
 * come twice, not even then.
 */
export class Hearing {
  readonly #counts = { count: 0, lost: 0, duplicated: 0, disordered: 0 }
  /** The last message of each source, and how many resets there had been. */
  readonly #marks = new Map<string, Mark & { readonly resets: number }>()
  readonly #resets: () => number
  readonly #problem: (what: string) => void

  /** `resets` gives the number of resets so far; `problem` is called with each fault in words. */
  constructor(resets: () => number, problem: (what: string) => void) {
    this.#resets = resets
    this.#problem = problem
  }

  get counts(): Readonly<HeardCounts> {
    return this.#counts
  }

  hear(origin: Origin): void {
    const before = this.#marks.get(origin.from)
    const resets = this.#resets()
    const fault = faultAfter(before, origin)
    const mayMiss = before?.resets !== resets
    this.#counts.count += 1
    if (fault !== undefined && !(fault === 'lost' && mayMiss)) {
      this.#counts[fault] += 1
      this.#problem(`heard ${noteOf(fault, before, origin)}`)
    }
    this.#marks.set(origin.from, { run: origin.run, n: origin.n, resets })
  }
}
