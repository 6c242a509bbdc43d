import type { Server as HttpServer } from 'node:http'
import type { AddressInfo, Server } from 'node:net'

/** Everything of the demo listens here and nowhere else: its control routes are nobody's business. */
export const loopback = '127.0.0.1'

/**
 * Listens on a port of the loopback address, or on any free one where that is taken; 0 asks for any.
 * Gives the port. Rejects with Node's error where even that fails.
 */
export async function listenNear(server: Server, port: number): Promise<number> {
  try {
    return await listenAt(server, port)
  } catch (error) {
    if (!isTaken(error)) throw error
    return listenAt(server, 0)
  }
}

/** Listens on a port of the loopback address and gives it; rejects with Node's error where it is taken. */
export function listenAt(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, loopback, () => {
      server.off('error', reject)
      resolve((server.address() as AddressInfo).port)
    })
  })
}

/** Stops listening, ends every connection that is left, and resolves once the port is free. */
export function closeServer(server: HttpServer): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => {
      resolve()
    })
    server.closeAllConnections()
  })
}

function isTaken(error: unknown): boolean {
  if (!(error instanceof Error) || !('code' in error)) return false
  // EACCES: below 1024, and ranges that Windows keeps for itself.
  return error.code === 'EADDRINUSE' || error.code === 'EACCES'
}
