import type { WebSocket } from 'ws'
import type { TimerHandle } from '../base/clock.js'
import type { RawFrame } from '../schemas/message.js'
import { fitReason } from './close-code.js'
import type { UntypedServerContext } from './options.js'

/** How long a socket has to finish its closing handshake before it is terminated, in milliseconds. */
export const CLOSE_GRACE_MS = 2_000

/** What a {@link ClientConnection} tells its owner. Neither function throws. */
export interface ConnectionOwner {
  /** The socket broke the WebSocket protocol, or a limit. It closes. */
  failed(error: Error): void
  /** Called once, and last. */
  closed(code: number, reason: string): void
}

// How many bytes a client may send before it is authenticated, and what a frame costs beside its
// bytes: without that cost, empty frames would be free.
const MOST_HELD_BYTES = 65_536
const HELD_FRAME_BYTES = 64

// The codes of ws for a message over `maxPayload`: known from a frame's header, or by adding up the
// fragments of a message.
const tooLargeCodes = new Set<unknown>([
  'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH',
  'WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH',
])

/** The server's side of one WebSocket, from the upgrade to its end. */
export class ClientConnection {
  readonly #socket: WebSocket
  readonly #context: UntypedServerContext
  readonly #owner: ConnectionOwner
  /** Receives frames once the client is authenticated; until then they are held. */
  #receive: ((frame: RawFrame) => void) | undefined
  #held: RawFrame[] = []
  #heldBytes = 0
  #awaitsPong = false
  #isClosing = false
  #flushed: (() => void) | undefined
  /** When the socket is terminated unless it has closed by then, in monotonic milliseconds. */
  #termination: { readonly timer: TimerHandle; readonly at: number } | undefined

  /** Takes over a socket that was just upgraded. */
  constructor(socket: WebSocket, context: UntypedServerContext, owner: ConnectionOwner) {
    this.#socket = socket
    this.#context = context
    this.#owner = owner
    socket.on('message', (data, isBinary) => {
      // With the default `binaryType` it is one buffer.
      const bytes = data as Buffer
      this.#accept(isBinary ? bytes : bytes.toString(), bytes.byteLength)
    })
    socket.on('pong', () => {
      this.#awaitsPong = false
    })
    // Stays until the end: ws would throw an error that has no listener.
    socket.on('error', (error) => this.#fail(error))
    socket.once('close', (code, reason) => this.#end(code, reason.toString()))
  }

  /** Whether neither side has begun to close. */
  get isOpen(): boolean {
    return !this.#isClosing && this.#socket.readyState === this.#socket.OPEN
  }

  /** Whether the last ping has had no pong yet. */
  get awaitsPong(): boolean {
    return this.#awaitsPong
  }

  /** How many bytes were given to `send` and have not gone out to the network yet. */
  get bufferedBytes(): number {
    return this.#socket.bufferedAmount
  }

  /** Has a function called each time that a frame has gone out. To be called once. */
  onFlushed(flushed: () => void): void {
    this.#flushed = flushed
  }

  /**
   * The client is authenticated: passes the held frames on, in order, and every later one.
   * `receive` does not throw.
   */
  admit(receive: (frame: RawFrame) => void): void {
    const held = this.#held
    this.#held = []
    this.#receive = receive
    for (const frame of held) this.#accept(frame, 0)
    this.#socket.resume()
  }

  /**
   * Sends a frame. Returns false, and sends nothing, where the socket is closing or too slow; a
   * slow one is closed.
   */
  send(frame: Uint8Array): boolean {
    if (!this.isOpen) return false
    const { counters, maxBufferedBytes } = this.#context
    if (this.#socket.bufferedAmount > maxBufferedBytes) {
      counters.tooSlow += 1
      this.close(1013, 'Too slow')
      return false
    }
    this.#socket.send(frame, { binary: false }, this.#flushed)
    counters.framesOut += 1
    return true
  }

  /** Sends a ping at the WebSocket level. */
  ping(): void {
    this.#awaitsPong = true
    this.#socket.ping()
  }

  /** Begins the closing handshake. A second call can only shorten the time that it has. */
  close(code: number, reason: string, graceMs = CLOSE_GRACE_MS): void {
    const socket = this.#socket
    if (socket.readyState === socket.CLOSED) return
    if (!this.#isClosing) {
      this.#isClosing = true
      this.#held = []
      // The client's part of the handshake has to be read.
      socket.resume()
      socket.close(code, fitReason(reason))
    }
    this.#terminateAfter(graceMs)
  }

  /** Ends the socket at once, without a closing handshake. */
  terminate(): void {
    this.#isClosing = true
    this.#socket.terminate()
  }

  #accept(frame: RawFrame, bytes: number): void {
    if (this.#isClosing) return
    if (this.#receive !== undefined) {
      this.#receive(frame)
      return
    }
    this.#held.push(frame)
    this.#heldBytes += bytes + HELD_FRAME_BYTES
    // While the socket is read we notice that a client leaves, so it is paused only when a client
    // sends too much before it is authenticated.
    if (this.#heldBytes > MOST_HELD_BYTES) this.#socket.pause()
  }

  // ws has already begun to close, with the code that fits the error.
  #fail(error: Error & { readonly code?: unknown }): void {
    this.#isClosing = true
    if (tooLargeCodes.has(error.code)) this.#context.counters.tooLarge += 1
    this.#terminateAfter(CLOSE_GRACE_MS)
    this.#owner.failed(error)
  }

  #end(code: number, reason: string): void {
    this.#isClosing = true
    this.#held = []
    this.#clearTermination()
    this.#owner.closed(code, reason)
  }

  #terminateAfter(graceMs: number): void {
    const { clock } = this.#context
    const at = clock.now() + graceMs
    if (this.#termination !== undefined && this.#termination.at <= at) return
    this.#clearTermination()
    this.#termination = { timer: clock.setTimeout(() => this.terminate(), graceMs), at }
  }

  #clearTermination(): void {
    if (this.#termination) this.#context.clock.clearTimeout(this.#termination.timer)
  }
}
