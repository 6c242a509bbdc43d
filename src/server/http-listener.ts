import { once } from 'node:events'
import { createServer, type Server, STATUS_CODES } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Clock } from '../base/clock.js'
import type { ListeningAddress } from './sync-server.js'

/** An HTTP server for users who have none: it answers every request but an upgrade with 426. */
export class HttpListener {
  readonly server: Server
  readonly #clock: Clock

  constructor(clock: Clock) {
    this.#clock = clock
    this.server = createServer((_request, response) => {
      response.writeHead(426, { 'content-type': 'text/plain', upgrade: 'websocket' })
      response.end(STATUS_CODES[426])
    })
  }

  /** Listens; port 0 takes a free one. Rejects with Node's error, for example `EADDRINUSE`. */
  async listen(port: number, host: string | undefined): Promise<ListeningAddress> {
    this.server.listen(port, host)
    await once(this.server, 'listening')
    // It would be null or a path only for a server without a port.
    const { address, port: taken } = this.server.address() as AddressInfo
    return { host: address, port: taken }
  }

  /** Stops listening; requests that are still being answered are cut off after `graceMs`. */
  close(graceMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#clock.setTimeout(() => this.server.closeAllConnections(), graceMs)
      this.server.close(() => {
        this.#clock.clearTimeout(timer)
        resolve()
      })
    })
  }
}
