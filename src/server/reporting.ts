import type { Clock } from '../base/clock.js'
import type { Settled } from '../base/deadline.js'
import { type ReportError, SyncError, type SyncErrorCode } from '../base/errors.js'
import { guardReport } from '../base/options.js'
import { isThenable } from '../base/values.js'

/** The part of a server that an entry is about. */
export type ServerLogPart = 'connection' | 'messages'

/** One entry of a server's log. It holds no token, URL, header or message body. */
export interface ServerLogEntry {
  readonly level: 'debug' | 'info' | 'warn'
  readonly part: ServerLogPart
  /** What happened, as a namespaced fact: `socket.joined`, `upgrade.refused`, … */
  readonly event: string
  /** Milliseconds since the epoch. */
  readonly at: number
  readonly detail: Readonly<Record<string, unknown>>
}

/** Receives log entries. A logger of the client fits. */
export type ServerLogger = (entry: ServerLogEntry) => void

/** Reports errors, writes log entries and runs user code for a server. No method throws. */
export class Reporting {
  readonly report: ReportError
  readonly #logger: ServerLogger | undefined
  readonly #clock: Clock

  constructor(onError: ReportError | undefined, logger: ServerLogger | undefined, clock: Clock) {
    this.report = guardReport(onError)
    this.#logger = logger
    this.#clock = clock
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
