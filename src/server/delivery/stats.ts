/** What a server with delivery counts since it was made. */
export interface DeliveryCounters {
  /** Numbered messages of clients that were taken. */
  readonly taken: number
  /** Numbered messages of clients that had been taken before, and were acknowledged again. */
  readonly duplicates: number
  /** Numbered messages of clients that were not the next one, and were ignored. */
  readonly gaps: number
  /** Numbered messages that came on a connection that does not, or no longer, own their outbox. */
  readonly fenced: number
  /** Numbered messages that were refused, for now or for good. */
  readonly refused: number
  /** Answers to clients that said where they stand. */
  readonly resumes: number
  /** Clients whose cursor was of no use, while they were connected too. */
  readonly resets: number
  /** Messages that were sent to clients which had missed them. */
  readonly replayed: number
  /** Changes that the log did not take. */
  readonly logFailures: number
}

/** The counters as they are counted up. */
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
