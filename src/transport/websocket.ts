// The one place that imports isomorphic-ws. Its types promise ws's API everywhere, browsers'
// sockets included, so nothing but this file sees them; what the two share and where they differ
// is told apart here.
import IsomorphicWebSocket from 'isomorphic-ws'
import type { ConnectionFailure } from './failure.js'
import { isLarger } from './frame-size.js'
import type { Socket, SocketHandlers, Transport } from './transport.js'
import {
  closed,
  network,
  tooLarge,
  type UpgradeResponse,
  upgradeRefused,
} from './websocket-failures.js'

/** Options of {@link createWebSocketTransport}. */
export interface WebSocketTransportOptions {
  /**
   * The class to construct sockets with. Default: `ws` in Node, the built-in one in browsers.
   */
  readonly WebSocket?: WebSocketConstructor
}

/** What is needed of a WebSocket class, built-in or `ws`. */
export type WebSocketConstructor = new (
  url: string,
  protocols: string[],
  options?: NodeSocketOptions,
) => WebSocketLike

/** What every WebSocket has. */
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

// What ws has beyond that.
interface NodeSocket extends WebSocketLike {
  terminate(): void
  on(event: 'message', listener: (data: NodeData, isBinary: boolean) => void): void
  on(event: 'error', listener: (error: NodeSocketError) => void): void
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

interface NodeSocketError {
  readonly code?: unknown
}

interface CloseEventLike {
  readonly code: number
  readonly reason: string
}

interface MessageEventLike {
  readonly data: unknown
}

const CLOSE_TIMEOUT_MS = 2_000
const CONNECTING = 0
const OPEN = 1

/** The transport over WebSocket: `ws` in Node, the platform's own in browsers. */
export function createWebSocketTransport(options: WebSocketTransportOptions = {}): Transport {
  const WebSocket = options.WebSocket ?? IsomorphicWebSocket
  return {
    connect(request, handlers) {
      let socket: WebSocketLike
      try {
        socket = new WebSocket(request.url, [...request.protocols], {
          headers: request.headers,
          maxPayload: request.maxMessageBytes,
          // Costs 20 times the CPU and, with context, 240 kB a connection.
          perMessageDeflate: false,
          // A peer that closes and does not end the stream would keep us for 30 s, deaf.
          closeTimeout: request.closeTimeoutMs ?? CLOSE_TIMEOUT_MS,
        })
      } catch {
        // The platform's message quotes the URL, which holds the token.
        queueMicrotask(() => {
          handlers.closed({ code: 'url-unusable', message: 'The address cannot be connected to.' })
        })
        return closedSocket
      }
      return adapt(socket, request.maxMessageBytes, handlers)
    },
  }
}

const closedSocket: Socket = {
  bufferedAmount: 0,
  send: () => false,
  close() {},
  terminate() {},
}

// Platforms disagree on the order and number of events around an end: ws gives error, then close;
// Node's built-in socket may give error and no close; closing while connecting gives both. The
// adapter settles once, with the most telling of what it has heard.
function adapt(socket: WebSocketLike, maxMessageBytes: number, handlers: SocketHandlers): Socket {
  let opened = false
  let settled = false
  let known: ConnectionFailure | undefined

  function settle(failure: ConnectionFailure): void {
    if (settled) return
    settled = true
    handlers.closed(known ?? failure)
  }

  function receive(frame: string | Uint8Array): void {
    if (settled) return
    if (isLarger(frame, maxMessageBytes)) refuseLarge()
    else handlers.received(frame)
  }

  // Over at once: a peer that sends too much need not be one that completes the closing handshake.
  function refuseLarge(): void {
    end(1009, 'message too big')
    settle(tooLarge(maxMessageBytes))
  }

  function end(code: number, reason: string): void {
    if (socket.readyState > OPEN) return
    // Browsers accept no code but 1000 and 3000-4999 from a page.
    const allowed = code === 1000 || code >= 3000
    try {
      if (socket.readyState === CONNECTING) socket.close()
      else if (allowed || isNodeSocket(socket)) socket.close(code, reason)
      else socket.close(4000 + (code % 1000), reason)
    } catch {
      terminate()
    }
  }

  function terminate(): void {
    if (isNodeSocket(socket)) socket.terminate()
    else end(1000, '')
    // What a browser's socket still does after this is its own affair.
    settle({ code: 'closed', closeCode: 1006, reason: '', message: 'The connection was let go.' })
  }

  socket.binaryType = 'arraybuffer'
  socket.onopen = () => {
    if (settled) return
    opened = true
    handlers.opened()
  }
  socket.onclose = (event: CloseEventLike) => {
    settle(closed(event.code, event.reason))
  }
  // Stays for ever: an error without a listener would be thrown by ws.
  socket.onerror = () => {
    // A built-in socket may give no close event after an error; ws always does.
    if (!isNodeSocket(socket)) queueMicrotask(settleIfClosed)
  }
  function settleIfClosed(): void {
    if (socket.readyState > OPEN) settle(opened ? closed(1006, '') : network())
  }

  if (isNodeSocket(socket)) {
    listenToNodeSocket(socket)
  } else {
    socket.onmessage = (event: MessageEventLike) => {
      const { data } = event
      if (typeof data === 'string') receive(data)
      else if (data instanceof ArrayBuffer) receive(new Uint8Array(data))
    }
  }

  return {
    get bufferedAmount() {
      return socket.bufferedAmount
    },
    send(frame) {
      if (settled || socket.readyState !== OPEN) return false
      socket.send(frame)
      return true
    },
    close: end,
    terminate,
  }

  function listenToNodeSocket(socket: NodeSocket): void {
    socket.on('message', (data, isBinary) => {
      receive(isBinary ? new Uint8Array(data) : data.toString('utf8'))
    })
    socket.on('error', (error) => {
      if (error.code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH') refuseLarge()
      // Once open, the close event that follows says more.
      else if (!opened) known ??= network(error)
    })
    // Listening here makes the request ours to end: without it ws would hang or throw.
    socket.on('unexpected-response', (request, response) => {
      known ??= upgradeRefused(response)
      request.destroy()
      socket.terminate()
    })
  }
}

function isNodeSocket(socket: WebSocketLike): socket is NodeSocket {
  return 'terminate' in socket && 'on' in socket
}
