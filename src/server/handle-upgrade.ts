import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'

// In a file of its own so that the package's types lead nobody to those of ws, which users of the
// server need not have.

/** Takes an HTTP upgrade: what Node's `upgrade` event gives. */
export type HandleUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => void
