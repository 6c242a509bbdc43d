import type { IncomingMessage, Server } from 'node:http'
import type { Server as HttpsServer } from 'node:https'
import type { Duplex } from 'node:stream'
import { type WebSocket, WebSocketServer } from 'ws'
import type { UpgradeRequest } from '../schemas/protocol.js'
import { CLOSE_GRACE_MS } from './client-connection.js'
import type { HandleUpgrade } from './handle-upgrade.js'

const refusalTexts = {
  400: 'Bad Request',
  403: 'Forbidden',
  404: 'Not Found',
  503: 'Service Unavailable',
} as const

type RefusalStatus = keyof typeof refusalTexts

/** What {@link UpgradeHandler} needs. */
export interface UpgradeHandlerOptions {
  readonly maxMessageBytes: number
  readonly perMessageDeflate: boolean
  readonly allowedOrigins: readonly string[] | ((origin: string) => boolean) | undefined
  /** Whether new sockets are still accepted. */
  readonly isOpen: () => boolean
  readonly accepted: (socket: WebSocket, request: UpgradeRequest) => void
  readonly refused: (status: RefusalStatus) => void
  /** `allowedOrigins` threw. */
  readonly originThrew: (cause: unknown) => void
}

/** Turns upgrade requests into sockets, or answers them with an HTTP status. */
export class UpgradeHandler {
  readonly #options: UpgradeHandlerOptions
  readonly #server: WebSocketServer

  constructor(options: UpgradeHandlerOptions) {
    this.#options = options
    // ws itself terminates a socket that the peer began to close; @types/ws does not know this
    // option yet.
    const closing = { closeTimeout: CLOSE_GRACE_MS }
    this.#server = new WebSocketServer({
      ...closing,
      noServer: true,
      clientTracking: false,
      maxPayload: options.maxMessageBytes,
      perMessageDeflate: options.perMessageDeflate,
    })
  }

  handle(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const { accepted, refused } = this.#options
    const status = this.#refusalOf(request)
    if (status !== undefined) {
      refused(status)
      refuseUpgrade(socket, status)
      return
    }
    let isUpgraded = false as boolean
    this.#server.handleUpgrade(request, socket, head, (upgraded) => {
      isUpgraded = true
      accepted(upgraded, describeRequest(request))
    })
    // ws has answered a request that is no WebSocket request.
    if (!isUpgraded) refused(400)
  }

  #refusalOf(request: IncomingMessage): RefusalStatus | undefined {
    if (!this.#options.isOpen()) return 503
    if (!pathOf(request).startsWith('/')) return 400
    return this.#isAllowed(request.headers.origin) ? undefined : 403
  }

  #isAllowed(origin: string | undefined): boolean {
    const { allowedOrigins, originThrew } = this.#options
    if (origin === undefined || allowedOrigins === undefined) return true
    if (typeof allowedOrigins !== 'function') return allowedOrigins.includes(origin)
    try {
      return allowedOrigins(origin)
    } catch (cause) {
      originThrew(cause)
      return false
    }
  }
}

/** Answers an upgrade request with an HTTP status and closes its socket. */
function refuseUpgrade(socket: Duplex, status: RefusalStatus): void {
  socket.on('error', () => {
    socket.destroy()
  })
  socket.once('finish', () => {
    socket.destroy()
  })
  const statusLine = `HTTP/1.1 ${status} ${refusalTexts[status]}`
  socket.end(`${statusLine}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
}

// Marks a listener of this file with the path whose upgrades it handles.
const listensFor = Symbol('statewire.path')

type UpgradeListener = HandleUpgrade & { readonly [listensFor]: string }

/**
 * Handles a server's upgrades for one path and leaves other paths to other listeners.
 *
 * An upgrade that no listener answers stays open without end. So if all listeners are of this file
 * and none is for the path of a request, the last of them answers with 404.
 *
 * @returns A function that stops listening.
 */
export function attachUpgrade(
  server: Server | HttpsServer,
  path: string,
  handle: HandleUpgrade,
  refused: (status: RefusalStatus) => void,
): () => void {
  const listener: UpgradeListener = Object.assign(
    (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      const asked = pathOf(request)
      if (asked === path) {
        handle(request, socket, head)
      } else if (isLeftToUs(server.listeners('upgrade'), asked)) {
        refused(404)
        refuseUpgrade(socket, 404)
      }
    },
    { [listensFor]: path },
  )

  function isLeftToUs(listeners: readonly unknown[], asked: string): boolean {
    return (
      listeners.at(-1) === listener &&
      listeners.every((other) => isOurs(other) && other[listensFor] !== asked)
    )
  }

  server.on('upgrade', listener)
  return () => {
    server.off('upgrade', listener)
  }
}

function isOurs(listener: unknown): listener is UpgradeListener {
  return typeof listener === 'function' && listensFor in listener
}

function pathOf({ url = '' }: IncomingMessage): string {
  return url.replace(/\?.*$/s, '')
}

// The host is text that the client chose: it may be no host.
const hostLike = /^[\w.:[\]-]+$/

function describeRequest({ url = '/', headers }: IncomingMessage): UpgradeRequest {
  const host = hostLike.test(headers.host ?? '') ? `http://${headers.host ?? ''}` : ''
  return { url: new URL((URL.canParse(host) ? host : 'http://localhost') + url), headers }
}
