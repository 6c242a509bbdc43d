import type { Server as HttpServer } from 'node:http'
import type { AddressInfo, Server } from 'node:net'

/**
 * Everything in the demo listens on this address only: other machines must not reach its control
 * routes.
 */
export const loopback = '127.0.0.1'

/**
 * Listens on a port of the loopback address. If the port is taken, or 0, it listens on any free
 * one. Returns the port. Rejects with Node's error if that fails too.
 */
export async function listenNear(server: Server, port: number): Promise<number> {
  try {
    return await listenAt(server, port)
  } catch (error) {
    if (!isTaken(error)) throw error
    return listenAt(server, 0)
  }
}

/**
 * Listens on a port of the loopback address and returns it. Rejects with Node's error if it is
 * taken.
 */
export function listenAt(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, loopback, () => {
      server.off('error', reject)
      resolve((server.address() as AddressInfo).port)
    })
  })
}

/** Stops listening, closes every open connection, and resolves when the port is free. */
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
  // EACCES: ports below 1024, and ranges that Windows reserves.
  return error.code === 'EADDRINUSE' || error.code === 'EACCES'
}
