import { type ReportError, SyncError } from '../base/errors.js'

/** What {@link UserCode.run} gives for code that threw. */
export const threw = Symbol('threw')

/** The border between the library and the functions of a coordinator definition. */
export interface UserCode {
  /** Runs a function; what it throws is reported under the function's name. */
  run<A, B, T>(name: string, code: (a: A, b: B) => T, a: A, b: B): T | typeof threw
  /**
   * Makes a change, or puts it off while the user's code runs: what that code causes, by calling
   * back into the client, happens after it.
   */
  whenFree(change: () => void): void
  /** Makes the changes that were put off. */
  catchUp(): void
  readonly isRunning: boolean
}

/** Makes the border around the user's code. */
export function createUserCode(report: ReportError): UserCode {
  let isRunning = false
  let postponed: (() => void)[] = []

  function catchUp(): void {
    while (!isRunning && postponed.length > 0) {
      const changes = postponed
      postponed = []
      for (const change of changes) change()
    }
  }

  return {
    run(name, code, a, b) {
      isRunning = true
      try {
        return code(a, b)
      } catch (cause) {
        report(new SyncError('fold-threw', `coordinator.${name} threw`, { cause }))
        return threw
      } finally {
        isRunning = false
      }
    },
    whenFree(change) {
      postponed.push(change)
      catchUp()
    },
    catchUp,
    get isRunning() {
      return isRunning
    },
  }
}
