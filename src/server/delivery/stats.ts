/** What a server with delivery has counted since it was made. */
export interface DeliveryCounters {
  /** Numbered messages of clients that were accepted. */
  readonly taken: number
  /** Numbered messages of clients that had been accepted before. */
  readonly duplicates: number
  /** Numbered messages of clients that were not the next one, and were ignored. */
  readonly gaps: number
  /** Numbered messages from a connection that does not own their outbox, or no longer does. */
  readonly fenced: number
  /** Numbered messages that were refused, for now or for good. */
  readonly refused: number
  /** Answers to a `$resume`. */
  readonly resumes: number
  /** Clients that could not continue at their cursor, at a resume or while they were connected. */
  readonly resets: number
  /** Messages that were sent to clients which had missed them. */
  readonly replayed: number
  /** Changes that the log did not write, and logs that it could not read. */
  readonly logFailures: number
}

/** The counters while they are counted up. */
export type DeliveryCounting = { -readonly [Counter in keyof DeliveryCounters]: number }

/** Every counter at 0. */
export function createDeliveryCounters(): DeliveryCounting {
  return {
    taken: 0,
    duplicates: 0,
    gaps: 0,
    fenced: 0,
    refused: 0,
    resumes: 0,
    resets: 0,
    replayed: 0,
    logFailures: 0,
  }
}
