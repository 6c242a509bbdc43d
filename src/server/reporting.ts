import type { Clock } from '../base/clock.js'
import { type ReportError, SyncError } from '../base/errors.js'
import type { ServerLogger, WriteServerLog } from './logging.js'

/** Where a server says what happened, and runs code that is not its own. Nothing here throws. */
export interface Reporting {
  readonly report: ReportError
  readonly log: WriteServerLog
  /** Runs user code; what it throws, or rejects with, is reported and ends there. */
  readonly runUserCode: (name: string, code: () => unknown) => void
}

/** Makes the {@link Reporting} of a server; silent without a logger. */
export function createReporting(
  onError: ReportError | undefined,
  logger: ServerLogger | undefined,
  clock: Clock,
): Reporting {
  const report: ReportError = (error) => {
    try {
      onError?.(error)
    } catch {
      // There is nobody left to tell.
    }
  }

  const log: WriteServerLog = (level, part, event, detail) => {
    try {
      logger?.({ level, part, event, at: clock.epoch(), detail })
    } catch (cause) {
      report(new SyncError('handler-threw', 'The logger threw.', { cause }))
    }
  }

  return {
    report,
    log,
    runUserCode(name, run) {
      const threw = (cause: unknown) => {
        // Our own errors, which a call inside `run` was answered with, say more than a wrapper.
        const own = cause instanceof SyncError
        report(own ? cause : new SyncError('handler-threw', `${name} threw.`, { cause }))
      }
      try {
        const result = run()
        if (isThenable(result)) result.then(undefined, threw)
      } catch (cause) {
        threw(cause)
      }
    },
  }
}

/** Tells a promise, of whatever make, from any other value. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === 'object' &&
    value !== null &&
    'then' in value &&
    typeof value.then === 'function'
  )
}
