import type { Clock } from '../base/clock.js'
import type { Settled } from '../base/deadline.js'
import { type ReportError, SyncError, type SyncErrorCode } from '../base/errors.js'
import { createLog, type Logger, type WriteLog } from '../base/log.js'
import { guardReport } from '../base/options.js'
import { isThenable } from '../base/values.js'

/** Reports errors, writes log entries and runs user code for a server. No method throws. */
export class Reporting {
  readonly report: ReportError
  readonly log: WriteLog

  constructor(onError: ReportError | undefined, logger: Logger | undefined, clock: Clock) {
    this.report = guardReport(onError)
    this.log = createLog(logger, clock, this.report)
  }

  /**
   * Reports that a function of the user gave no answer that can be used. `wrong` completes a sentence
   * that begins with the function's name, where the answer is of another kind.
   */
  reportNoAnswer(code: SyncErrorCode, name: string, asked: Settled<unknown>, wrong: string): void {
    const late = 'gave no answer in time'
    const what = { value: wrong, threw: 'threw', late, aborted: late }[asked.kind]
    const cause = asked.kind === 'threw' ? asked.error : undefined
    this.report(new SyncError(code, `${name} ${what}.`, { cause }))
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
