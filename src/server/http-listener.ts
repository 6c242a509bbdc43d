import { createServer, type Server, STATUS_CODES } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Clock } from '../base/clock.js'

/** Where a server listens. */
export interface ListeningAddress {
  readonly host: string
  readonly port: number
}

/** An HTTP server of our own, for those who bring none: it answers everything but upgrades with 426. */
export interface Listener {
  /** Listens; port 0 takes a free one. Rejects with Node's error, for example `EADDRINUSE`. */
  listen(port: number, host: string | undefined): Promise<ListeningAddress>
  /** Stops listening; requests that are still being answered are cut off after `graceMs`. */
  close(graceMs: number): Promise<void>
}

/** Makes a {@link Listener}; it opens nothing yet. */
export function createListener(clock: Clock, attach: (server: Server) => void): Listener {
  const server = createServer((_request, response) => {
    response.writeHead(426, { 'content-type': 'text/plain', upgrade: 'websocket' })
    response.end(STATUS_CODES[426])
  })
  attach(server)
  return {
    listen(port, host) {
      return new Promise((resolve, reject) => {
        server.once('error', reject)
        server.listen(port, host, () => {
          server.off('error', reject)
          // It is null or a path only where there is no port.
          const { address, port: taken } = server.address() as AddressInfo
          resolve({ host: address, port: taken })
        })
      })
    },
    close(graceMs) {
      return new Promise((resolve) => {
        const timer = clock.setTimeout(() => {
          server.closeAllConnections()
        }, graceMs)
        server.close(() => {
          clock.clearTimeout(timer)
          resolve()
        })
      })
    },
  }
}
