import type { IncomingMessage, Server } from 'node:http'
import type { Server as HttpsServer } from 'node:https'
import type { Duplex } from 'node:stream'
import { type WebSocket, WebSocketServer } from 'ws'
import type { UpgradeRequest } from '../schemas/server-behaviour.js'
import { CLOSE_GRACE_MS } from './client-connection.js'
import type { HandleUpgrade } from './handle-upgrade.js'

const refusals = {
  400: 'Bad Request',
  403: 'Forbidden',
  404: 'Not Found',
  503: 'Service Unavailable',
} as const

type RefusalStatus = keyof typeof refusals

/** What {@link createUpgrade} needs. */
export interface UpgradeOptions {
  readonly maxMessageBytes: number
  readonly perMessageDeflate: boolean
  readonly allowedOrigins: readonly string[] | ((origin: string) => boolean) | undefined
  /** Whether new sockets are still wanted. */
  readonly isOpen: () => boolean
  readonly refused: (status: RefusalStatus) => void
  readonly originThrew: (cause: unknown) => void
  readonly accepted: (socket: WebSocket, request: UpgradeRequest) => void
}

/** Makes the function that turns upgrade requests into sockets, or answers with an HTTP status. */
export function createUpgrade(options: UpgradeOptions): HandleUpgrade {
  // ws ends by itself what the peer began to close; @types/ws does not know this option yet.
  const closing = { closeTimeout: CLOSE_GRACE_MS }
  const sockets = new WebSocketServer({
    ...closing,
    noServer: true,
    clientTracking: false,
    maxPayload: options.maxMessageBytes,
    perMessageDeflate: options.perMessageDeflate,
  })

  function isAllowed(origin: string | undefined): boolean {
    const { allowedOrigins } = options
    if (origin === undefined || allowedOrigins === undefined) return true
    if (typeof allowedOrigins !== 'function') return allowedOrigins.includes(origin)
    try {
      return allowedOrigins(origin)
    } catch (cause) {
      options.originThrew(cause)
      return false
    }
  }

  function statusInTheWay(request: IncomingMessage): RefusalStatus | undefined {
    if (!options.isOpen()) return 503
    if (!pathOf(request).startsWith('/')) return 400
    return isAllowed(request.headers.origin) ? undefined : 403
  }

  return (request, socket, head) => {
    const status = statusInTheWay(request)
    if (status !== undefined) {
      options.refused(status)
      refuseUpgrade(socket, status)
      return
    }
    let isUpgraded = false as boolean
    sockets.handleUpgrade(request, socket, head, (upgraded) => {
      isUpgraded = true
      options.accepted(upgraded, describeRequest(request))
    })
    // ws has answered what is no WebSocket request.
    if (!isUpgraded) options.refused(400)
  }
}

/** Answers an upgrade request with an HTTP status and lets its socket go. */
function refuseUpgrade(socket: Duplex, status: RefusalStatus): void {
  socket.on('error', () => {
    socket.destroy()
  })
  socket.once('finish', () => {
    socket.destroy()
  })
  socket.end(
    `HTTP/1.1 ${status} ${refusals[status]}\r\n` + 'Connection: close\r\nContent-Length: 0\r\n\r\n',
  )
}

// Marks the listeners that this file adds with the path they answer for.
const answersFor = Symbol('statewire.path')

type UpgradeListener = HandleUpgrade & { readonly [answersFor]: string }

/**
 * Listens to a server's upgrades for one path and leaves other paths to others. Gives the
 * function that stops listening.
 *
 * Node leaves an upgrade that no listener answers open for ever. So where all listeners are ours
 * and none is for the path of a request, the last of them answers with 404.
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
    { [answersFor]: path },
  )

  function isLeftToUs(listeners: readonly unknown[], asked: string): boolean {
    return (
      listeners.at(-1) === listener &&
      listeners.every((other) => isOurs(other) && other[answersFor] !== asked)
    )
  }

  server.on('upgrade', listener)
  return () => {
    server.off('upgrade', listener)
  }
}

function isOurs(listener: unknown): listener is UpgradeListener {
  return typeof listener === 'function' && answersFor in listener
}

function pathOf({ url = '' }: IncomingMessage): string {
  return url.replace(/\?.*$/s, '')
}

// The host is the client's text and need not be one.
const hostLike = /^[\w.:[\]-]+$/

function describeRequest({ url = '/', headers }: IncomingMessage): UpgradeRequest {
  const host = hostLike.test(headers.host ?? '') ? `http://${headers.host ?? ''}` : ''
  return { url: new URL((URL.canParse(host) ? host : 'http://localhost') + url), headers }
}
