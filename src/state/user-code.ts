import { type ReportError, SyncError } from '../base/errors.js'

/** What {@link UserCode.run} gives for code that threw. */
export const threw = Symbol('threw')

/**
 * The border between the library and the functions of a coordinator definition. It reports what
 * such a function throws. While one runs, it postpones the changes that the function causes by
 * calling back into the client.
 */
export class UserCode {
  readonly #report: ReportError
  #isRunning = false
  #postponed: (() => void)[] = []

  constructor(report: ReportError) {
    this.#report = report
  }

  get isRunning(): boolean {
    return this.#isRunning
  }

  /** Runs a function; an error is reported under the function's name. */
  run<A, B, T>(name: string, code: (a: A, b: B) => T, a: A, b: B): T | typeof threw {
    this.#isRunning = true
    try {
      return code(a, b)
    } catch (cause) {
      this.#report(new SyncError('fold-threw', `coordinator.${name} threw`, { cause }))
      return threw
    } finally {
      this.#isRunning = false
    }
  }

  /** Makes a change now, or after the function that is running. */
  whenFree(change: () => void): void {
    this.#postponed.push(change)
    this.catchUp()
  }

  /** Makes the postponed changes. */
  catchUp(): void {
    while (!this.#isRunning && this.#postponed.length > 0) {
      const changes = this.#postponed
      this.#postponed = []
      for (const change of changes) change()
    }
  }
}
