import type { IncomingMessage } from 'node:http'
import { loopback } from './listen.js'

/** The address that a server of this demo listens on. */
export type OwnAddress = {
  readonly url: string
  /** Whether an origin is the server's own: the address that was printed, or `localhost`. */
  isOwnOrigin: (origin: string) => boolean
  /**
   * Whether a request names this server as its host. Another site can make its own name point to
   * the loopback address; without this check its pages would count as the server's own.
   */
  isUnderOwnName: (request: IncomingMessage) => boolean
}

/** Makes the address of a port. */
export function createOwnAddress(port: number): OwnAddress {
  const hosts = [`${loopback}:${port}`, `localhost:${port}`]
  return {
    url: `http://${loopback}:${port}`,
    isOwnOrigin: (origin) => hosts.some((host) => origin === `http://${host}`),
    isUnderOwnName: ({ headers }) => hosts.includes(headers.host ?? ''),
  }
}
