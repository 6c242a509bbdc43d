/** A line of the log. */
export type LogLine = {
  /** Counts up from 1. */
  id: number
  /** Milliseconds since the epoch. */
  at: number
  kind: 'message' | 'unknown' | 'invalid' | 'status' | 'session' | 'error'
  title: string
  text: string
}

/** The latest lines, and how many lines there were in total. */
export type MessageLog = {
  add(line: Omit<LogLine, 'id'>): void
  clear(): void
  /** The newest first. */
  readonly lines: readonly LogLine[]
  readonly total: number
}

/** Makes a log that keeps the latest `limit` lines. */
export function createMessageLog(limit: number): MessageLog {
  let lines: readonly LogLine[] = []
  let total = 0
  return {
    add(line) {
      total++
      lines = [{ id: total, ...line }, ...lines.slice(0, limit - 1)]
    },
    clear() {
      lines = []
    },
    get lines() {
      return lines
    },
    get total() {
      return total
    },
  }
}
