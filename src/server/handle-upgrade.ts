import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'

// In a file of its own: no public type of the package may import the types of ws, which users need
// not have installed.

/** Handles an HTTP upgrade, with the arguments of Node's `upgrade` event. */
export type HandleUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => void
