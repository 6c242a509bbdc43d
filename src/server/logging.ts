/** The part of a server that an entry is about. */
export type ServerLogPart = 'connection' | 'messages'

/** One thing worth knowing. Holds no token, no URL, no header and no message body. */
export interface ServerLogEntry {
  readonly level: 'debug' | 'info' | 'warn'
  readonly part: ServerLogPart
  /** What happened, as a namespaced fact: `socket.joined`, `upgrade.refused`, … */
  readonly event: string
  /** Milliseconds since the epoch. */
  readonly at: number
  readonly detail: Readonly<Record<string, unknown>>
}

/** Takes log entries. A logger of the client fits. */
export type ServerLogger = (entry: ServerLogEntry) => void

/** Writes an entry of one part. */
export type WriteServerLog = (
  level: ServerLogEntry['level'],
  part: ServerLogPart,
  event: string,
  detail: ServerLogEntry['detail'],
) => void
