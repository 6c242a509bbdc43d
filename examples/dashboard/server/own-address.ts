import type { IncomingMessage } from 'node:http'
import { loopback } from './listen.js'

/** The address that a server of this demo listens on, as its callers may name it. */
export type OwnAddress = {
  readonly url: string
  /** Whether an origin is the server's own: under the address it was printed with, or `localhost`. */
  isOwnOrigin: (origin: string) => boolean
  /**
   * Whether a request was sent to one of the server's own names. Pages elsewhere can let a name of
   * theirs point to the loopback address, and would then pass for the server's own.
   */
  isUnderOwnName: (request: IncomingMessage) => boolean
}

/** The address of a port. */
export function createOwnAddress(port: number): OwnAddress {
  const hosts = [`${loopback}:${port}`, `localhost:${port}`]
  return {
    url: `http://${loopback}:${port}`,
    isOwnOrigin: (origin) => hosts.some((host) => origin === `http://${host}`),
    isUnderOwnName: ({ headers }) => hosts.includes(headers.host ?? ''),
  }
}
