import type { Clock } from './clock.js'
import { type ReportError, SyncError } from './errors.js'

/** The part of a client or a server that a log entry is about. */
export type LogPart = 'client' | 'connection' | 'coordinator' | 'messages' | 'delivery'

/** One log entry. Contains no token, no URL, no header and no message body. */
export interface LogEntry {
  readonly level: 'debug' | 'info' | 'warn'
  readonly part: LogPart
  /** What happened: a namespaced fact such as `status.changed` or `socket.joined`. */
  readonly event: string
  /** Milliseconds since the epoch. */
  readonly at: number
  readonly detail: Readonly<Record<string, unknown>>
}

/** Receives log entries. */
export type Logger = (entry: LogEntry) => void

/** Writes a log entry of one part. */
export type WriteLog = (
  level: LogEntry['level'],
  part: LogPart,
  event: string,
  detail?: LogEntry['detail'],
) => void

/** Makes the function that the parts of a client or a server log with. Without a logger it does nothing. */
export function createLog(logger: Logger | undefined, clock: Clock, report: ReportError): WriteLog {
  if (logger === undefined) return () => undefined
  return (level, part, event, detail = {}) => {
    try {
      logger({ level, part, event, at: clock.epoch(), detail })
    } catch (cause) {
      report(new SyncError('handler-threw', 'The logger threw.', { cause }))
    }
  }
}

// Structural, so that the library does not depend on the types of a platform.
interface ConsoleLike {
  debug(...data: unknown[]): void
  info(...data: unknown[]): void
  warn(...data: unknown[]): void
}

/** Makes a logger that writes to a console; with `parts`, only the entries of those parts. */
export function createConsoleLogger(
  console: ConsoleLike,
  options: { readonly parts?: readonly LogPart[] } = {},
): Logger {
  return ({ level, part, event, detail }) => {
    if (options.parts !== undefined && !options.parts.includes(part)) return
    console[level](`[statewire:${part}] ${event}`, detail)
  }
}
