import type { Clock, TimerHandle } from '../base/clock.js'
import { type ReportError, SyncError, type SyncErrorCode } from '../base/errors.js'
import type { RawFrame } from '../schemas/message.js'
import type { ConnectRequest, CredentialsRule } from '../schemas/protocol.js'
import type { Schema } from '../schemas/schema.js'
import type { ConnectionFailure } from './failure.js'
import { isLarger } from './frame-size.js'
import { resolveTarget, type Target } from './target.js'
import type { Socket, Transport } from './transport.js'

/** A fact about a connection. `generation` tells the attempt it belongs to. */
export type LinkEvent =
  | { readonly type: 'socket.opened'; readonly generation: number }
  | { readonly type: 'socket.ponged'; readonly generation: number }
  | {
      readonly type: 'socket.closed'
      readonly generation: number
      readonly failure: ConnectionFailure
    }

/** What is to be opened. */
export interface LinkAttempt {
  /** Never used before, and larger than any before. */
  readonly generation: number
  /** 0 for the first connection, then the number of the attempt to reconnect. */
  readonly attempt: number
  /** Whether the server refused the credentials of the attempt before. */
  readonly refused: boolean
}

/** What became of a frame handed to {@link Link.send}. */
export type Handover = 'sent' | 'notConnected' | 'full'

/**
 * The owner of sockets. At most one is live, the newest generation's; resolving URL and
 * credentials happens in here, so that no secret is ever in an event, a context or an inspector.
 *
 * Nothing that a generation does after its release is heard.
 */
export interface Link {
  /** Starts an attempt, releasing whatever was there. Its outcome is an event. */
  open(attempt: LinkAttempt): void
  /** Lets go of a generation: no event of it follows, and its socket is gone within the close bound. */
  release(generation: number): void
  /** Sends a ping on a generation's socket, if it is still the live one. */
  ping(generation: number): void
  /** Hands a frame to the open socket. */
  send(frame: RawFrame): Handover
  /** To be called when the frame just received was a pong. */
  ponged(): void
  /** Ends the live connection as failed, whoever noticed. */
  abandon(failure: ConnectionFailure): void
  /** The peer will close the live connection, and is not to see us again sooner than this after. */
  returnAfter(ms: number): void
  /**
   * Where the live connection leads to, without its query. A function, since a link is part of a
   * machine's input, and inspectors write down the properties of what they see there.
   */
  address(): string | undefined
  /** Replaces what the next attempt connects to. */
  retarget(target: Partial<Target>): void
  /** Hears events from now on; gives the function that stops it. One listener at a time. */
  listen(listener: (event: LinkEvent) => void): () => void
  /** Releases everything, at once. */
  dispose(): void
}

/** What {@link createLink} needs. */
export interface LinkOptions {
  readonly transport: Transport
  readonly clock: Clock
  readonly target: Target
  readonly credentials?: CredentialsRule<Schema> | undefined
  /** Has the last word on a request. Does not throw. */
  readonly prepare?: ((request: ConnectRequest) => void) | undefined
  /** Makes a ping; `undefined` where the protocol has none. */
  readonly makePing: () => RawFrame | undefined
  /** Takes each frame of the live socket. */
  readonly onFrame: (frame: RawFrame) => void
  readonly report: ReportError
  /** Largest message accepted, in bytes. */
  readonly maxMessageBytes: number
  /** Most bytes that may wait in the socket before `send` says `full`. */
  readonly maxBufferedBytes: number
  /** How long a closing handshake may take, in milliseconds. */
  readonly closeTimeoutMs: number
}

interface Live {
  readonly generation: number
  readonly abort: AbortController
  socket: Socket | undefined
  address: string | undefined
  returnAfterMs: number | undefined
  isOpen: boolean
  hasEnded: boolean
}

/** Makes the owner of a client's sockets. */
export function createLink(options: LinkOptions): Link {
  const { transport, clock, report } = options
  let target = options.target
  let live: Live | undefined
  let listener: ((event: LinkEvent) => void) | undefined
  // Sockets that were let go of and have not closed yet, each with the timer that ends its grace.
  const closing = new Map<Socket, TimerHandle>()

  function emit(event: LinkEvent): void {
    listener?.(event)
  }

  function fail(attempt: Live, failure: ConnectionFailure): void {
    if (live !== attempt) return
    live = undefined
    emit({ type: 'socket.closed', generation: attempt.generation, failure })
  }

  function connect(attempt: Live, request: ConnectRequest): void {
    options.prepare?.(request)
    const { url, headers, protocols } = request
    attempt.address = `${url.protocol}//${url.host}${url.pathname}`
    const { maxMessageBytes, closeTimeoutMs } = options
    let socket: Socket | undefined
    try {
      socket = transport.connect(
        { url: url.href, headers, protocols, maxMessageBytes, closeTimeoutMs },
        {
          opened() {
            if (live !== attempt) return
            attempt.isOpen = true
            emit({ type: 'socket.opened', generation: attempt.generation })
          },
          received(frame) {
            if (live !== attempt) return
            // An exception in a socket's listener would end all delivery, with the socket open.
            guard('handler-threw', 'A frame could not be taken.', () => {
              options.onFrame(frame)
            })
          },
          closed(failure) {
            attempt.hasEnded = true
            forget(socket)
            const { returnAfterMs } = attempt
            const isAskedTo = failure.code === 'closed' && returnAfterMs !== undefined
            fail(attempt, isAskedTo ? { ...failure, returnAfterMs } : failure)
          },
        },
      )
    } catch (cause) {
      report(new SyncError('transport-threw', 'The transport failed to connect.', { cause }))
      fail(attempt, { code: 'network', message: 'The transport failed to connect.' })
      return
    }
    // It may have failed, or a listener let go of the attempt, before the socket was ours.
    if (attempt.hasEnded) return
    if (live === attempt) attempt.socket = socket
    else letGo(socket)
  }

  function letGo(socket: Socket): void {
    const timer = clock.setTimeout(() => {
      closing.delete(socket)
      guard('transport-threw', 'The transport failed to terminate.', () => {
        socket.terminate()
      })
    }, options.closeTimeoutMs)
    closing.set(socket, timer)
    guard('transport-threw', 'The transport failed to close.', () => {
      socket.close(1000, '')
    })
  }

  function forget(socket: Socket | undefined): void {
    if (socket === undefined) return
    clock.clearTimeout(closing.get(socket))
    closing.delete(socket)
  }

  function drop(): void {
    const dropped = live
    live = undefined
    dropped?.abort.abort()
    if (dropped?.socket !== undefined) letGo(dropped.socket)
  }

  function hand(socket: Socket, frame: RawFrame): Handover {
    try {
      if (isLarger(frame, options.maxBufferedBytes - socket.bufferedAmount)) return 'full'
      return socket.send(frame) ? 'sent' : 'notConnected'
    } catch (cause) {
      report(new SyncError('transport-threw', 'The transport failed to send.', { cause }))
      return 'notConnected'
    }
  }

  function guard(code: SyncErrorCode, message: string, run: () => void): void {
    try {
      run()
    } catch (cause) {
      report(new SyncError(code, message, { cause }))
    }
  }

  return {
    open({ generation, attempt, refused }) {
      drop()
      const opening: Live = {
        generation,
        abort: new AbortController(),
        socket: undefined,
        address: undefined,
        returnAfterMs: undefined,
        isOpen: false,
        hasEnded: false,
      }
      live = opening
      const info = { attempt, refused, signal: opening.abort.signal }
      resolveTarget(target, options.credentials, info, (resolved) => {
        // The protocol's own code, which writes the credentials, may have given the attempt up.
        if (live !== opening) return
        if (resolved.ok) {
          connect(opening, resolved.request)
          return
        }
        if ('thrown' in resolved) {
          const { message } = resolved.failure
          report(new SyncError('provider-rejected', message, { cause: resolved.thrown }))
        }
        fail(opening, resolved.failure)
      })
    },

    release(generation) {
      if (live?.generation === generation) drop()
    },

    ping(generation) {
      if (live?.generation !== generation || !live.isOpen) return
      const { socket } = live
      guard('handler-threw', 'The ping could not be made.', () => {
        const frame = options.makePing()
        if (frame !== undefined && socket !== undefined) hand(socket, frame)
      })
    },

    send(frame) {
      if (live?.socket === undefined || !live.isOpen) return 'notConnected'
      return hand(live.socket, frame)
    },

    ponged() {
      if (live?.isOpen === true) emit({ type: 'socket.ponged', generation: live.generation })
    },

    abandon(failure) {
      const given = live
      if (given === undefined) return
      drop()
      emit({ type: 'socket.closed', generation: given.generation, failure })
    },

    returnAfter(ms) {
      if (live !== undefined) live.returnAfterMs = ms
    },

    address: () => live?.address,

    retarget(change) {
      target = { ...target, ...change }
    },

    listen(heard) {
      listener = heard
      return () => {
        if (listener === heard) listener = undefined
      }
    },

    dispose() {
      drop()
      listener = undefined
    },
  }
}
