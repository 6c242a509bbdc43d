import type { Clock, TimerHandle } from '../base/clock.js'
import { type ReportError, SyncError, type SyncErrorCode } from '../base/errors.js'
import type { RawFrame } from '../schemas/message.js'
import type { ConnectRequest, CredentialsRule } from '../schemas/protocol.js'
import type { Schema } from '../schemas/schema.js'
import type { ConnectionFailure } from './failure.js'
import { isLarger } from './frame-size.js'
import { resolveTarget, type Target } from './target.js'
import type { Socket, SocketHandlers, Transport } from './transport.js'

/** What happened to a connection. `generation` names the attempt that it belongs to. */
export type LinkEvent =
  | { readonly type: 'socket.opened'; readonly generation: number }
  | { readonly type: 'socket.ponged'; readonly generation: number }
  | {
      readonly type: 'socket.closed'
      readonly generation: number
      readonly failure: ConnectionFailure
    }

/** An attempt to connect. */
export interface LinkAttempt {
  /** Never used before, and larger than any before. */
  readonly generation: number
  /** 0 for the first connection, then the number of the attempt to reconnect. */
  readonly attempt: number
  /** Whether the server refused the credentials of the attempt before. */
  readonly refused: boolean
}

/** What {@link Link.send} did with a frame; `full`: too many bytes wait in the socket. */
export type Handover = 'sent' | 'notConnected' | 'full'

/** What {@link createLink} needs. */
export interface LinkOptions {
  readonly transport: Transport
  readonly clock: Clock
  readonly target: Target
  readonly credentials?: CredentialsRule<Schema> | undefined
  /** Changes a request just before it is sent. Must not throw. */
  readonly prepare?: ((request: ConnectRequest) => void) | undefined
  /** Makes a ping; `undefined` where the protocol has none. */
  readonly makePing: () => RawFrame | undefined
  /** Gets each frame of the live socket. */
  readonly onFrame: (frame: RawFrame) => void
  readonly report: ReportError
  /** Largest message accepted, in bytes. */
  readonly maxMessageBytes: number
  /** Most bytes that may wait in the socket; beyond them `send` gives `full`. */
  readonly maxBufferedBytes: number
  /** How long a closing handshake may take, in milliseconds. */
  readonly closeTimeoutMs: number
}

// The live attempt, from `open` until it ends or is released.
interface Live {
  readonly generation: number
  readonly abort: AbortController
  socket: Socket | undefined
  address: string | undefined
  returnAfterMs: number | undefined
  phase: 'opening' | 'open' | 'ended'
  // Terminates the socket where its closing handshake takes too long.
  closeTimer: TimerHandle
}

/**
 * The owner of sockets. At most one is live: that of the newest generation. The link resolves URL
 * and credentials itself, so that no secret is ever in an event, a context or an inspector.
 *
 * No event of a generation follows its release.
 */
export class Link {
  readonly #options: LinkOptions
  #target: Target
  #live: Live | undefined
  #listener: ((event: LinkEvent) => void) | undefined

  /** @internal */
  constructor(options: LinkOptions) {
    this.#options = options
    this.#target = options.target
  }

  /** Starts an attempt, and releases the one before. The outcome is an event. */
  open({ generation, attempt, refused }: LinkAttempt): void {
    this.#drop()
    const opening: Live = {
      generation,
      abort: new AbortController(),
      socket: undefined,
      address: undefined,
      returnAfterMs: undefined,
      phase: 'opening',
      closeTimer: undefined,
    }
    this.#live = opening
    const info = { attempt, refused, signal: opening.abort.signal }
    resolveTarget(this.#target, this.#options.credentials, info, (resolved) => {
      // The user's code that writes the credentials may have ended the attempt.
      if (this.#live !== opening) return
      if (resolved.ok) {
        this.#connect(opening, resolved.request)
        return
      }
      const { failure, thrown } = resolved
      if ('thrown' in resolved) this.#report('provider-rejected', failure.message, thrown)
      this.#fail(opening, failure)
    })
  }

  /** Releases a generation: no event of it follows, and its socket is closed or terminated within `closeTimeoutMs`. */
  release(generation: number): void {
    if (this.#live?.generation === generation) this.#drop()
  }

  /** Sends a ping on the socket of a generation, if that is still the live one. */
  ping(generation: number): void {
    const live = this.#live
    if (live?.generation !== generation || live.phase !== 'open') return
    this.#guard('handler-threw', 'The ping could not be made.', () => {
      const frame = this.#options.makePing()
      if (frame !== undefined && live.socket !== undefined) this.#hand(live.socket, frame)
    })
  }

  /** Hands a frame to the open socket. */
  send(frame: RawFrame): Handover {
    const live = this.#live
    if (live?.socket === undefined || live.phase !== 'open') return 'notConnected'
    return this.#hand(live.socket, frame)
  }

  /** Reports that the frame just received was a pong. */
  ponged(): void {
    const live = this.#live
    if (live?.phase !== 'open') return
    this.#listener?.({ type: 'socket.ponged', generation: live.generation })
  }

  /** Closes the live connection and reports it as failed. */
  abandon(failure: ConnectionFailure): void {
    const live = this.#live
    if (live === undefined) return
    this.#drop()
    this.#listener?.({ type: 'socket.closed', generation: live.generation, failure })
  }

  /** Notes that the peer will close the live connection, and how long the client is to stay away then. */
  returnAfter(ms: number): void {
    if (this.#live !== undefined) this.#live.returnAfterMs = ms
  }

  /**
   * The address of the live connection, without its query. A method: inspectors print the properties
   * of an input, and the address must not be among them.
   */
  address(): string | undefined {
    return this.#live?.address
  }

  /** Replaces what the next attempt connects to. */
  retarget(change: Partial<Target>): void {
    this.#target = { ...this.#target, ...change }
  }

  /** Sets the one listener of events; returns the function that removes it. */
  listen(listener: (event: LinkEvent) => void): () => void {
    this.#listener = listener
    return () => {
      if (this.#listener === listener) this.#listener = undefined
    }
  }

  /** Releases the live connection and removes the listener. */
  dispose(): void {
    this.#drop()
    this.#listener = undefined
  }

  #connect(attempt: Live, request: ConnectRequest): void {
    const { transport, prepare, maxMessageBytes, closeTimeoutMs } = this.#options
    prepare?.(request)
    const { url, headers, protocols } = request
    attempt.address = `${url.protocol}//${url.host}${url.pathname}`
    let socket: Socket
    try {
      socket = transport.connect(
        { url: url.href, headers, protocols, maxMessageBytes, closeTimeoutMs },
        this.#handlersOf(attempt),
      )
    } catch (cause) {
      this.#report('transport-threw', 'The transport failed to connect.', cause)
      this.#fail(attempt, { code: 'network', message: 'The transport failed to connect.' })
      return
    }
    // The attempt may have ended or been released before `connect` returned the socket.
    if (attempt.phase === 'ended') return
    attempt.socket = socket
    if (this.#live !== attempt) this.#close(attempt, socket)
  }

  #handlersOf(attempt: Live): SocketHandlers {
    return {
      opened: () => {
        if (this.#live !== attempt) return
        attempt.phase = 'open'
        this.#listener?.({ type: 'socket.opened', generation: attempt.generation })
      },
      received: (frame) => {
        if (this.#live !== attempt) return
        // Not by `#guard`, which costs a closure per frame.
        try {
          this.#options.onFrame(frame)
        } catch (cause) {
          this.#report('handler-threw', 'A frame could not be processed.', cause)
        }
      },
      closed: (failure) => {
        attempt.phase = 'ended'
        this.#options.clock.clearTimeout(attempt.closeTimer)
        const { returnAfterMs } = attempt
        const isAskedTo = failure.code === 'closed' && returnAfterMs !== undefined
        this.#fail(attempt, isAskedTo ? { ...failure, returnAfterMs } : failure)
      },
    }
  }

  #fail(attempt: Live, failure: ConnectionFailure): void {
    if (this.#live !== attempt) return
    this.#live = undefined
    this.#listener?.({ type: 'socket.closed', generation: attempt.generation, failure })
  }

  // Releases the live attempt: from here on its events are not heard.
  #drop(): void {
    const dropped = this.#live
    this.#live = undefined
    dropped?.abort.abort()
    if (dropped?.socket !== undefined) this.#close(dropped, dropped.socket)
  }

  // Begins the closing handshake, and terminates the socket where that takes too long.
  #close(attempt: Live, socket: Socket): void {
    const { clock, closeTimeoutMs } = this.#options
    attempt.closeTimer = clock.setTimeout(() => {
      this.#guard('transport-threw', 'The transport failed to terminate.', () => socket.terminate())
    }, closeTimeoutMs)
    this.#guard('transport-threw', 'The transport failed to close.', () => socket.close(1000, ''))
  }

  #hand(socket: Socket, frame: RawFrame): Handover {
    try {
      if (isLarger(frame, this.#options.maxBufferedBytes - socket.bufferedAmount)) return 'full'
      return socket.send(frame) ? 'sent' : 'notConnected'
    } catch (cause) {
      this.#report('transport-threw', 'The transport failed to send.', cause)
      return 'notConnected'
    }
  }

  #guard(code: SyncErrorCode, message: string, run: () => void): void {
    try {
      run()
    } catch (cause) {
      this.#report(code, message, cause)
    }
  }

  #report(code: SyncErrorCode, message: string, cause: unknown): void {
    this.#options.report(new SyncError(code, message, { cause }))
  }
}

/** Makes the owner of a client's sockets. */
export function createLink(options: LinkOptions): Link {
  return new Link(options)
}
