import type { DeliveryCounters } from './delivery/stats.js'

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

/** The counters while the server's parts count them up. */
export type Counting = { -readonly [Counter in keyof ServerCounters]: number }

/** Every counter at 0. */
export function createCounters(): Counting {
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
