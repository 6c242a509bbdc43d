import type { WebSocket } from 'ws'
import type { MessageSchemas } from '../schemas/schema.js'
import type { UpgradeRequest } from '../schemas/protocol.js'
import { AcceptedSocket, type AcceptedSocketOptions } from './accepted-socket.js'

/** Every open socket, authenticated or not. */
export class Sockets<R extends MessageSchemas> {
  readonly #options: AcceptedSocketOptions<R>
  readonly #open = new Set<AcceptedSocket<R>>()
  #whenEmpty: (() => void) | undefined

  constructor(options: AcceptedSocketOptions<R>) {
    this.#options = options
  }

  get size(): number {
    return this.#open.size
  }

  /** Takes over a socket that was just upgraded, and authenticates it. */
  accept(socket: WebSocket, request: UpgradeRequest): void {
    this.#options.counters.accepted += 1
    const accepted = new AcceptedSocket(this.#options, socket, (closed) => {
      this.#open.delete(closed)
      if (this.#open.size === 0) this.#whenEmpty?.()
    })
    this.#open.add(accepted)
    accepted.authenticate(request)
  }

  /** Closes all sockets; resolves once the last one has closed. To be called once. */
  closeAll(code: number, reason: string, graceMs: number): Promise<void> {
    if (this.#open.size === 0) return Promise.resolve()
    return new Promise((resolve) => {
      this.#whenEmpty = resolve
      for (const socket of this.#open) socket.close(code, reason, graceMs)
    })
  }
}
