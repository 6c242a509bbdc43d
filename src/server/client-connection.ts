import type { WebSocket } from 'ws'
import type { Clock, TimerHandle } from '../base/clock.js'
import type { RawFrame } from '../schemas/message.js'
import { fitReason } from './close-code.js'
import type { Counting } from './stats.js'

/** How long a socket has to finish its closing handshake before it is let go, in milliseconds. */
export const CLOSE_GRACE_MS = 2_000

/** What happens on a socket. Handlers do not throw. */
export interface ConnectionHandlers {
  /** The socket cannot go on: it broke the WebSocket protocol, or a limit. */
  failed(error: Error): void
  /** Exactly once, and last. */
  closed(code: number, reason: string): void
}

/** One accepted socket, from the upgrade to its end. */
export interface Connection {
  /** Neither side has begun to close. */
  readonly isOpen: boolean
  /** A ping went out and its pong has not come. */
  readonly awaitsPong: boolean
  /**
   * Delivers what was held while nobody knew who it is, in order, and what comes from now on.
   * `received` does not throw.
   */
  admit(received: (frame: RawFrame) => void): void
  /** What was handed over and has not gone out to the network, in bytes. */
  readonly bufferedBytes: number
  /** Has something called each time that a frame has gone out. To be called once. */
  onFlushed(flushed: () => void): void
  /** Hands a frame over and gives whether it did: not to a socket that is closing, or too slow. */
  send(frame: Uint8Array): boolean
  ping(): void
  /** Begins the closing handshake; a second call can only shorten the time it has. */
  close(code: number, reason: string, graceMs?: number): void
  /** Lets go at once. */
  terminate(): void
}

/** What {@link createConnection} needs. */
export interface ConnectionOptions {
  readonly socket: WebSocket
  readonly clock: Clock
  readonly counters: Counting
  /** Beyond this backlog a socket is too slow. */
  readonly maxBufferedBytes: number
  readonly handlers: ConnectionHandlers
}

// What a client may say before it is known who it is, and what a frame costs beside its bytes:
// without the latter, empty frames would be free.
const MOST_HELD_BYTES = 65_536
const HELD_FRAME_BYTES = 64

// ws's codes for a message over `maxPayload`: by a frame's header, or by adding up its fragments.
const tooLargeCodes = new Set([
  'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH',
  'WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH',
])

/** Takes over a socket that was just upgraded. */
export function createConnection(options: ConnectionOptions): Connection {
  const { socket, clock, counters, handlers } = options
  let deliver: ((frame: RawFrame) => void) | undefined
  let held: RawFrame[] = []
  let heldBytes = 0
  let awaitsPong = false
  let isClosing = false
  let flushed: (() => void) | undefined
  let letGo: { readonly timer: TimerHandle; readonly at: number } | undefined

  function receive(frame: RawFrame, bytes: number): void {
    if (isClosing) return
    if (deliver !== undefined) {
      deliver(frame)
      return
    }
    held.push(frame)
    heldBytes += bytes + HELD_FRAME_BYTES
    // Reading on is how we hear that the client left; only a client that floods us before it was
    // let in has to wait in its own buffers.
    if (heldBytes > MOST_HELD_BYTES) socket.pause()
  }

  function letGoAfter(graceMs: number): void {
    const at = clock.now() + graceMs
    if (letGo !== undefined) {
      if (letGo.at <= at) return
      clock.clearTimeout(letGo.timer)
    }
    letGo = { timer: clock.setTimeout(terminate, graceMs), at }
  }

  function close(code: number, reason: string, graceMs = CLOSE_GRACE_MS): void {
    if (socket.readyState === socket.CLOSED) return
    if (!isClosing) {
      isClosing = true
      held = []
      // The client's side of the handshake has to be read.
      socket.resume()
      socket.close(code, fitReason(reason))
    }
    letGoAfter(graceMs)
  }

  function terminate(): void {
    isClosing = true
    socket.terminate()
  }

  socket.on('message', (data, isBinary) => {
    // `binaryType` is the default, so that it is one buffer.
    const bytes = data as Buffer
    receive(isBinary ? bytes : bytes.toString(), bytes.byteLength)
  })
  socket.on('pong', () => {
    awaitsPong = false
  })
  // Stays for ever: an error without a listener would be thrown by ws. ws itself has begun to
  // close by now, with the code that fits.
  socket.on('error', (error: Error & { readonly code?: unknown }) => {
    isClosing = true
    if (typeof error.code === 'string' && tooLargeCodes.has(error.code)) counters.tooLarge += 1
    letGoAfter(CLOSE_GRACE_MS)
    handlers.failed(error)
  })
  socket.once('close', (code, reason) => {
    isClosing = true
    held = []
    if (letGo !== undefined) clock.clearTimeout(letGo.timer)
    handlers.closed(code, reason.toString())
  })

  const isOpen = () => !isClosing && socket.readyState === socket.OPEN

  return {
    get isOpen() {
      return isOpen()
    },
    get awaitsPong() {
      return awaitsPong
    },
    admit(received) {
      const frames = held
      held = []
      deliver = received
      for (const frame of frames) receive(frame, 0)
      socket.resume()
    },
    get bufferedBytes() {
      return socket.bufferedAmount
    },
    onFlushed(listener) {
      flushed = listener
    },
    send(frame) {
      if (!isOpen()) return false
      if (socket.bufferedAmount > options.maxBufferedBytes) {
        counters.tooSlow += 1
        close(1013, 'Too slow')
        return false
      }
      socket.send(frame, { binary: false }, flushed)
      counters.framesOut += 1
      return true
    },
    ping() {
      awaitsPong = true
      socket.ping()
    },
    close,
    terminate,
  }
}
