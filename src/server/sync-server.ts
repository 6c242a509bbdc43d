import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { MessageSchemas, TypeOf } from '../schemas/schema.js'
import type { ConnectedClient, Outgoing, OutgoingBody } from './client.js'
import type { LogPosition } from './log/delivery-log.js'
import type { ConnectedDevice } from './presence.js'
import type { ServerStats } from './stats.js'

// No public type of the package may import the types of ws, which users need not have installed.

/** Handles an HTTP upgrade, with the arguments of Node's `upgrade` event. */
export type HandleUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => void

/** Where a server listens. */
export interface ListeningAddress {
  readonly host: string
  readonly port: number
}

/** How a server closes. */
export interface CloseOptions {
  /** The close code of its sockets. Default 1001. */
  readonly code?: number
  /** Default `Server is closing`. */
  readonly reason?: string
  /** How long sockets have to finish their closing handshake, in milliseconds. Default 2,000. */
  readonly graceMs?: number
}

/** A running sync server. */
export interface SyncServer<R extends MessageSchemas> extends AsyncDisposable {
  /**
   * Listens on a port of its own; 0, the default, takes a free one. For servers that were given
   * no `server`. Rejects with Node's error, for example `EADDRINUSE`, and with `option-invalid`
   * where there is a `server`, or the server already listens or is closing.
   */
  listen(port?: number, host?: string): Promise<ListeningAddress>
  /** Handles an upgrade whatever its path, for users who route upgrades themselves. */
  handleUpgrade: HandleUpgrade
  /**
   * Sends to every socket of a user; returns how many took it. As with every method that sends,
   * only the compiler checks the type of the data. With `delivery` it is sent once the log has it,
   * devices that are away get it later, and the result is the number of the user's sockets.
   *
   * @throws SyncError `message-invalid` where JSON cannot hold the data.
   */
  broadcastToUser<K extends TypeOf<R>>(userId: string, type: K, ...data: OutgoingBody<R[K]>): number
  /**
   * Sends to all of a user's devices, including those that are away now. Resolves with the position
   * of the message once the log has it. For servers with `delivery`.
   *
   * Rejects with SyncError `message-invalid` where JSON cannot hold the data, `log-failed` where the
   * log could not be written, `disposed` once the server closes, and `option-invalid` without
   * delivery.
   */
  publishToUser<K extends TypeOf<R>>(
    userId: string,
    type: K,
    ...data: OutgoingBody<R[K]>
  ): Promise<LogPosition>
  /** Sends several messages to every socket of a user, in one frame; returns how many took it. */
  broadcastBatchToUser(userId: string, messages: readonly Outgoing<R>[]): number
  /** Sends to every socket of one device; returns how many took it. */
  sendToDevice<K extends TypeOf<R>>(
    userId: string,
    deviceId: string,
    type: K,
    ...data: OutgoingBody<R[K]>
  ): number
  /** Sends to every socket that was authenticated with `isAdmin`; returns how many took it. */
  broadcastToAdmins<K extends TypeOf<R>>(type: K, ...data: OutgoingBody<R[K]>): number
  /** The users with at least one socket. */
  users(): readonly string[]
  /** The devices of a user with at least one socket. */
  devices(userId: string): readonly ConnectedDevice[]
  /** The sockets of a user. */
  clients(userId: string): readonly ConnectedClient<R>[]
  stats(): ServerStats
  /**
   * Accepts no new sockets, closes the open ones, and resolves once the last one has closed. With
   * `delivery`, clients are first told to come back at different times, and what is being written
   * is finished and acknowledged. A `server` that was given is not closed. A second call returns
   * the same promise.
   *
   * @throws SyncError `option-invalid` for a code that cannot be sent, or a `graceMs` below 0.
   */
  close(options?: CloseOptions): Promise<void>
}
