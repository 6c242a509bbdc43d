/** What a server has counted since it was made. */
export interface ServerCounters {
  /** WebSocket upgrades that were completed. */
  readonly accepted: number
  /** Upgrades answered with an HTTP status instead: origin, path, not a WebSocket request, closing. */
  readonly refused: number
  /** Sockets that were accepted and then closed, since authentication refused them. */
  readonly rejected: number
  /** Valid messages from clients; each message of a batch counts. */
  readonly messagesIn: number
  /** Frames sent to sockets; one broadcast to ten sockets counts ten. */
  readonly framesOut: number
  /** Messages of types that the protocol does not know. */
  readonly unknown: number
  /** Frames, or messages of a batch, that could not be read. */
  readonly invalid: number
  /** Sockets closed with 1009. */
  readonly tooLarge: number
  /** Sockets closed with 1013. */
  readonly tooSlow: number
  /** Sockets terminated because no pong came. */
  readonly silent: number
}

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

/** The counters, and who is connected now. */
export interface ServerStats extends ServerCounters {
  /** Open sockets, including those that are not authenticated yet. */
  readonly sockets: number
  readonly users: number
  /** Devices with at least one socket, over all users. */
  readonly devices: number
  /** Absent without delivery. */
  readonly delivery?: DeliveryCounters
}

/** Counters while a server counts them up. */
export type Counting<Counters> = { -readonly [Counter in keyof Counters]: number }

export function createCounters(): Counting<ServerCounters> {
  return {
    accepted: 0,
    refused: 0,
    rejected: 0,
    messagesIn: 0,
    framesOut: 0,
    unknown: 0,
    invalid: 0,
    tooLarge: 0,
    tooSlow: 0,
    silent: 0,
  }
}

export function createDeliveryCounters(): Counting<DeliveryCounters> {
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
