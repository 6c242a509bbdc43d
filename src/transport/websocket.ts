// The only file that imports isomorphic-ws. The types of isomorphic-ws promise the API of ws
// everywhere, browsers included, so no other file may see them. This file knows where the two APIs
// differ.
import IsomorphicWebSocket from 'isomorphic-ws'
import { parseRetryAfter } from '../base/retry-after.js'
import type { ConnectionFailure } from './failure.js'
import { isLarger } from './frame-size.js'
import type { Socket, SocketHandlers, Transport } from './transport.js'

/** Options of {@link createWebSocketTransport}. */
export interface WebSocketTransportOptions {
  /**
   * The class to construct sockets with. Default: `ws` in Node, the built-in one in browsers.
   */
  readonly WebSocket?: WebSocketConstructor
}

/** A WebSocket class, built-in or of `ws`, as far as it is used. */
export type WebSocketConstructor = new (
  url: string,
  protocols: string[],
  options?: NodeSocketOptions,
) => WebSocketLike

/** A WebSocket, as far as built-in ones and those of `ws` are alike. */
export interface WebSocketLike {
  binaryType: string
  readonly readyState: number
  readonly bufferedAmount: number
  onopen: ((event: never) => void) | null
  onclose: ((event: never) => void) | null
  onerror: ((event: never) => void) | null
  onmessage: ((event: never) => void) | null
  send(data: string | Uint8Array): void
  close(code?: number, reason?: string): void
}

// What a socket of ws has beyond that.
interface NodeSocket extends WebSocketLike {
  terminate(): void
  on(event: 'message', listener: (data: NodeData, isBinary: boolean) => void): void
  on(event: 'error', listener: (error: { readonly code?: unknown }) => void): void
  on(
    event: 'unexpected-response',
    listener: (request: { destroy(): void }, response: UpgradeResponse) => void,
  ): void
}

// A buffer for text, an `ArrayBuffer` for binary data.
type NodeData = ArrayBuffer & { toString(encoding: 'utf8'): string }

interface NodeSocketOptions {
  readonly headers: Readonly<Record<string, string>>
  readonly maxPayload: number
  readonly perMessageDeflate: boolean
  readonly closeTimeout: number
}

// Node's `IncomingMessage`, as far as it is used.
interface UpgradeResponse {
  readonly statusCode?: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
}

const CLOSE_TIMEOUT_MS = 2_000
const CONNECTING = 0
const OPEN = 1

/** Makes the transport over WebSocket: `ws` in Node, the built-in class in browsers. */
export function createWebSocketTransport(options: WebSocketTransportOptions = {}): Transport {
  const WebSocket = options.WebSocket ?? IsomorphicWebSocket
  return {
    connect(request, handlers) {
      let socket: WebSocketLike
      try {
        socket = new WebSocket(request.url, [...request.protocols], {
          headers: request.headers,
          maxPayload: request.maxMessageBytes,
          // Compression costs 20 times the CPU and, with context, 240 kB a connection.
          perMessageDeflate: false,
          // By default ws waits 30 s for a peer that closes and does not end the stream.
          closeTimeout: request.closeTimeoutMs ?? CLOSE_TIMEOUT_MS,
        })
      } catch {
        // The platform's own message is dropped: it quotes the URL, which holds the token.
        queueMicrotask(() => {
          handlers.closed({ code: 'url-unusable', message: 'The address cannot be connected to.' })
        })
        return closedSocket
      }
      return new AdaptedSocket(socket, request.maxMessageBytes, handlers)
    },
  }
}

const closedSocket: Socket = { bufferedAmount: 0, send: () => false, close() {}, terminate() {} }

// Platforms disagree on the order and number of events around an end: ws gives an error, then a
// close; Node's built-in socket may give an error and no close; a socket that is closed while
// connecting gives both. The adapter reports one end, with the most specific failure that it heard.
class AdaptedSocket implements Socket {
  readonly #socket: WebSocketLike
  readonly #maxMessageBytes: number
  readonly #handlers: SocketHandlers
  #phase: 'connecting' | 'open' | 'ended' = 'connecting'
  // More specific than what the close event will say.
  #known: ConnectionFailure | undefined

  constructor(socket: WebSocketLike, maxMessageBytes: number, handlers: SocketHandlers) {
    this.#socket = socket
    this.#maxMessageBytes = maxMessageBytes
    this.#handlers = handlers
    socket.binaryType = 'arraybuffer'
    socket.onopen = () => {
      if (this.#phase === 'ended') return
      this.#phase = 'open'
      handlers.opened()
    }
    socket.onclose = (event: { readonly code: number; readonly reason: string }) => {
      this.#settle(closed(event.code, event.reason))
    }
    // Stays for good: ws throws an error that has no listener.
    socket.onerror = () => {
      // A built-in socket may give no close event after an error; ws always does.
      if (!isNodeSocket(socket)) queueMicrotask(() => this.#settleIfClosed())
    }
    if (isNodeSocket(socket)) {
      this.#listenToNodeSocket(socket)
    } else {
      socket.onmessage = ({ data }: { readonly data: unknown }) => {
        if (typeof data === 'string') this.#receive(data)
        else if (data instanceof ArrayBuffer) this.#receive(new Uint8Array(data))
      }
    }
  }

  get bufferedAmount(): number {
    return this.#socket.bufferedAmount
  }

  send(frame: string | Uint8Array): boolean {
    if (this.#phase === 'ended' || this.#socket.readyState !== OPEN) return false
    this.#socket.send(frame)
    return true
  }

  close(code: number, reason: string): void {
    const socket = this.#socket
    if (socket.readyState > OPEN) return
    // Browsers accept no code but 1000 and 3000-4999 from a page.
    const isAllowed = code === 1000 || code >= 3000
    try {
      if (socket.readyState === CONNECTING) socket.close()
      else if (isAllowed || isNodeSocket(socket)) socket.close(code, reason)
      else socket.close(4000 + (code % 1000), reason)
    } catch {
      this.terminate()
    }
  }

  terminate(): void {
    try {
      if (isNodeSocket(this.#socket)) this.#socket.terminate()
      else this.#socket.close(1000)
    } catch {
      // The end is reported all the same.
    }
    // A browser's socket cannot be terminated; what it still does is ignored from here on.
    this.#settle({ ...closed(1006, ''), message: 'The connection was terminated.' })
  }

  #settle(failure: ConnectionFailure): void {
    if (this.#phase === 'ended') return
    this.#phase = 'ended'
    this.#handlers.closed(this.#known ?? failure)
  }

  #settleIfClosed(): void {
    if (this.#socket.readyState <= OPEN) return
    this.#settle(this.#phase === 'open' ? closed(1006, '') : network())
  }

  #receive(frame: string | Uint8Array): void {
    if (this.#phase === 'ended') return
    if (isLarger(frame, this.#maxMessageBytes)) this.#refuseLarge()
    else this.#handlers.received(frame)
  }

  // Ends at once: a peer that sends too much may not complete the closing handshake either.
  #refuseLarge(): void {
    this.close(1009, 'message too big')
    const limitBytes = this.#maxMessageBytes
    const message = `The server sent a message of more than ${limitBytes} bytes.`
    this.#settle({ code: 'message-too-large', limitBytes, message })
  }

  #listenToNodeSocket(socket: NodeSocket): void {
    socket.on('message', (data, isBinary) => {
      this.#receive(isBinary ? new Uint8Array(data) : data.toString('utf8'))
    })
    socket.on('error', (error) => {
      if (error.code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH') this.#refuseLarge()
      // Of an open socket the close event, which follows, says more.
      else if (this.#phase === 'connecting') this.#known ??= network(error.code)
    })
    // With a listener here, ending the request is up to us; without one, ws would hang or throw.
    socket.on('unexpected-response', (request, response) => {
      this.#known ??= upgradeRefused(response)
      request.destroy()
      socket.terminate()
    })
  }
}

function isNodeSocket(socket: WebSocketLike): socket is NodeSocket {
  return 'terminate' in socket && 'on' in socket
}

// The peer closed the connection, or the network broke it (1006).
function closed(closeCode: number, reason: string): ConnectionFailure {
  const message =
    closeCode === 1006
      ? 'The connection broke off without a closing handshake.'
      : `The server closed the connection with code ${closeCode}.`
  return { code: 'closed', closeCode, reason, message }
}

function network(systemCode?: unknown): ConnectionFailure {
  const message = 'The server could not be reached'
  return typeof systemCode === 'string'
    ? { code: 'network', systemCode, message: `${message} (${systemCode}).` }
    : { code: 'network', message: `${message}.` }
}

function upgradeRefused({ statusCode: status = 0, headers }: UpgradeResponse): ConnectionFailure {
  const message = `The server answered the upgrade with HTTP ${status}.`
  const retryAfterMs = parseRetryAfter(headers['retry-after'], Date.parse(String(headers['date'])))
  return {
    code: 'upgrade-refused',
    status,
    ...(retryAfterMs !== undefined && { retryAfterMs }),
    message,
  }
}
