import type { ConnectionFailure } from './failure.js'

/** The connection that a transport is asked for. */
export interface SocketRequest {
  /** The address, credentials included: never to be logged or repeated in an error. */
  readonly url: string
  readonly protocols: readonly string[]
  /** Headers of the upgrade request. A transport that cannot send headers leaves them out. */
  readonly headers: Readonly<Record<string, string>>
  /** A message larger than this ends the connection with `message-too-large`. */
  readonly maxMessageBytes: number
  /** How long a closing handshake begun by the peer may take, in ms. Default 2,000. */
  readonly closeTimeoutMs?: number
}

/**
 * Receives the events of a socket. `opened` is called at most once, `closed` exactly once and last,
 * in whatever order the platform gives its events. Handlers must not throw.
 */
export interface SocketHandlers {
  opened(): void
  received(frame: string | Uint8Array): void
  closed(failure: ConnectionFailure): void
}

/** One connection, from the attempt to its end. */
export interface Socket {
  /** Bytes accepted but not yet handed to the network. */
  readonly bufferedAmount: number
  /**
   * Hands a frame to the platform. Returns `false`, and sends nothing, where the connection is not
   * open or is closing. `true` does not mean that the frame was delivered.
   */
  send(frame: string | Uint8Array): boolean
  /** Begins the closing handshake; `closed` follows when the handshake ends. */
  close(code: number, reason: string): void
  /** Ends the connection at once, without a handshake where the platform allows; `closed` follows. */
  terminate(): void
}

/**
 * How bytes travel. The WebSocket transport and the fake of `statewire/testing` implement this
 * contract, and so can one of your own; the suite in test/compliance tests it.
 */
export interface Transport {
  /**
   * Starts to connect. The handlers get the outcome. Never throws, and never calls a handler before
   * it has returned.
   */
  connect(request: SocketRequest, handlers: SocketHandlers): Socket
}
