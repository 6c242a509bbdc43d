import type { ConnectionFailure } from './failure.js'

/** What a transport is asked to connect to. */
export interface SocketRequest {
  /** Where to, credentials included: never to be logged, nor repeated in an error. */
  readonly url: string
  readonly protocols: readonly string[]
  /** Headers of the upgrade request; a transport that cannot send them leaves them out. */
  readonly headers: Readonly<Record<string, string>>
  /** A message larger than this ends the connection with `message-too-large`. */
  readonly maxMessageBytes: number
  /** How long a closing handshake that the peer began may take, in ms. Default 2,000. */
  readonly closeTimeoutMs?: number
}

/**
 * What a socket tells. `opened` comes at most once, `closed` exactly once and last, whatever the
 * order in which the platform gives its events. Handlers do not throw.
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
   * Hands a frame over; `false` where the connection is not open, or is closing already, so that
   * nothing was taken. Says nothing about delivery.
   */
  send(frame: string | Uint8Array): boolean
  /** Begins the closing handshake; `closed` follows when it ends. */
  close(code: number, reason: string): void
  /** Lets go at once, without a handshake where the platform allows; `closed` follows. */
  terminate(): void
}

/**
 * How bytes travel. The contract that the WebSocket transport, the fake of `statewire/testing`
 * and any of your own fulfil; the compliance suite in test/compliance says what it means.
 */
export interface Transport {
  /**
   * Starts to connect. The outcome comes to the handlers, never as a throw, and never before this
   * has returned.
   */
  connect(request: SocketRequest, handlers: SocketHandlers): Socket
}
