import type { Clock } from '../base/clock.js'
import { type ReportError, SyncError } from '../base/errors.js'
import { isThenable } from './ask.js'
import type { ServerLogEntry, ServerLogger, ServerLogPart } from './logging.js'

/** Reports errors, writes log entries and runs user code for a server. No method throws. */
export class Reporting {
  readonly #onError: ReportError | undefined
  readonly #logger: ServerLogger | undefined
  readonly #clock: Clock

  constructor(onError: ReportError | undefined, logger: ServerLogger | undefined, clock: Clock) {
    this.#onError = onError
    this.#logger = logger
    this.#clock = clock
  }

  report(error: SyncError): void {
    try {
      this.#onError?.(error)
    } catch {
      // An error of the error handler can be reported to nobody.
    }
  }

  log(
    level: ServerLogEntry['level'],
    part: ServerLogPart,
    event: string,
    detail: ServerLogEntry['detail'],
  ): void {
    try {
      this.#logger?.({ level, part, event, at: this.#clock.epoch(), detail })
    } catch (cause) {
      this.report(new SyncError('handler-threw', 'The logger threw.', { cause }))
    }
  }

  /** Runs user code. What it throws, or rejects with, is reported under `name`. */
  runUserCode(name: string, code: () => unknown): void {
    const threw = (cause: unknown) => {
      // An error of ours, thrown by a call inside `code`, says more than a wrapper around it.
      const isOurs = cause instanceof SyncError
      this.report(isOurs ? cause : new SyncError('handler-threw', `${name} threw.`, { cause }))
    }
    try {
      const result = code()
      if (isThenable(result)) result.then(undefined, threw)
    } catch (cause) {
      threw(cause)
    }
  }
}
