import { type IncomingMessage, type Server, STATUS_CODES } from 'node:http'
import type { Server as HttpsServer } from 'node:https'
import type { Duplex } from 'node:stream'
import { type WebSocket, WebSocketServer } from 'ws'
import { SyncError } from '../base/errors.js'
import type { UpgradeRequest } from '../schemas/protocol.js'
import { CLOSE_GRACE_MS } from './client-connection.js'
import type { UntypedServerContext } from './options.js'
import type { HandleUpgrade } from './sync-server.js'

type RefusalStatus = 400 | 403 | 404 | 503

// Marks a listener of this file with the path whose upgrades it handles.
const listensFor = Symbol('statewire.path')

type UpgradeListener = HandleUpgrade & { readonly [listensFor]: string }

/** Turns upgrade requests into sockets, or answers them with an HTTP status. */
export class UpgradeHandler {
  readonly #context: UntypedServerContext
  readonly #accepted: (socket: WebSocket, request: UpgradeRequest) => void
  readonly #server: WebSocketServer
  #isClosed = false

  constructor(
    context: UntypedServerContext,
    accepted: (socket: WebSocket, request: UpgradeRequest) => void,
  ) {
    this.#context = context
    this.#accepted = accepted
    // ws itself terminates a socket that the peer began to close; @types/ws does not know this
    // option yet.
    const closing = { closeTimeout: CLOSE_GRACE_MS }
    this.#server = new WebSocketServer({
      ...closing,
      noServer: true,
      clientTracking: false,
      maxPayload: context.maxMessageBytes,
      perMessageDeflate: context.perMessageDeflate,
    })
  }

  /** From now on every request is answered with 503. */
  close(): void {
    this.#isClosed = true
  }

  /**
   * Handles a server's upgrades for the path of the options and leaves other paths to other
   * listeners.
   *
   * An upgrade that no listener answers stays open without end. So if all listeners are of this
   * file and none is for the path of a request, the last of them answers with 404.
   *
   * @returns A function that stops listening.
   */
  attachTo(server: Server | HttpsServer): () => void {
    const { path } = this.#context
    const listener: UpgradeListener = Object.assign(
      (request: IncomingMessage, socket: Duplex, head: Buffer) => {
        const asked = pathOf(request)
        const listeners = server.listeners('upgrade')
        if (asked === path) this.handle(request, socket, head)
        else if (listeners.at(-1) === listener && areOursForOthers(listeners, asked)) {
          this.#refuse(socket, 404)
        }
      },
      { [listensFor]: path },
    )
    server.on('upgrade', listener)
    return () => void server.off('upgrade', listener)
  }

  handle(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const status = this.#refusalOf(request)
    if (status !== undefined) {
      this.#refuse(socket, status)
      return
    }
    let isUpgraded = false as boolean
    this.#server.handleUpgrade(request, socket, head, (upgraded) => {
      isUpgraded = true
      this.#accepted(upgraded, describeRequest(request))
    })
    // ws has answered a request that is no WebSocket request.
    if (!isUpgraded) this.#countRefusal(400)
  }

  #refusalOf(request: IncomingMessage): RefusalStatus | undefined {
    if (this.#isClosed) return 503
    if (!pathOf(request).startsWith('/')) return 400
    return this.#isAllowed(request.headers.origin) ? undefined : 403
  }

  #isAllowed(origin: string | undefined): boolean {
    const { allowedOrigins, reporting } = this.#context
    if (origin === undefined || allowedOrigins === undefined) return true
    if (typeof allowedOrigins !== 'function') return allowedOrigins.includes(origin)
    try {
      return allowedOrigins(origin)
    } catch (cause) {
      reporting.report(new SyncError('handler-threw', 'allowedOrigins threw.', { cause }))
      return false
    }
  }

  /** Answers an upgrade request with an HTTP status and closes its socket. */
  #refuse(socket: Duplex, status: RefusalStatus): void {
    this.#countRefusal(status)
    socket.on('error', () => socket.destroy())
    socket.once('finish', () => socket.destroy())
    const statusLine = `HTTP/1.1 ${status} ${STATUS_CODES[status]}`
    socket.end(`${statusLine}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
  }

  #countRefusal(status: RefusalStatus): void {
    this.#context.counters.refused += 1
    this.#context.reporting.log('info', 'connection', 'upgrade.refused', { status })
  }
}

function areOursForOthers(listeners: readonly unknown[], path: string): boolean {
  return listeners.every((listener) => isOurs(listener) && listener[listensFor] !== path)
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
