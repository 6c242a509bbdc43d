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
