import { connect, createServer, type Socket } from 'node:net'
import { listenAt, loopback } from '../server/listen.js'

/**
 * A TCP proxy between a client and a server, on its own port. Neither end learns what happens on
 * it.
 */
export type BreakableProxy = AsyncDisposable & {
  readonly port: number
  /**
   * Breaks like a network: what is on its way is lost, and the next data from the client ends its
   * connection. From then on every new connection is closed at once.
   */
  break(): void
  /** Accepts connections again. */
  mend(): void
}

/** Opens a proxy to a port of the loopback address. */
export async function openBreakableProxy(to: number): Promise<BreakableProxy> {
  const ends = new Set<Socket>()
  let state: 'whole' | 'breaking' | 'broken' = 'whole'

  function snap(): void {
    state = 'broken'
    for (const end of ends) end.destroy()
  }

  function pass(from: Socket, to: Socket): void {
    ends.add(from)
    from.on('data', (chunk) => {
      if (state !== 'whole' || to.write(chunk)) return
      from.pause()
      to.once('drain', () => from.resume())
    })
    // The event `close` follows.
    from.on('error', () => {})
    from.once('close', () => {
      ends.delete(from)
      to.destroySoon()
    })
  }

  const server = createServer((near) => {
    if (state === 'broken') {
      // The port stays open and connections are closed: another process could take a free port.
      near.resetAndDestroy()
      return
    }
    const far = connect(to, loopback)
    near.on('data', () => {
      if (state === 'breaking') snap()
    })
    pass(near, far)
    pass(far, near)
  })
  const port = await listenAt(server, 0)

  return {
    port,
    break() {
      state = 'breaking'
    },
    mend() {
      // After data was lost, no later data may pass.
      if (state === 'breaking') snap()
      state = 'whole'
    },
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        snap()
      }),
  }
}
