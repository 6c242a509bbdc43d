import { connect, createServer, type Socket } from 'node:net'
import { listenAt, loopback } from '../server/listen.js'

/**
 * A line between a client and a server: TCP connections that are taken on a port of its own and
 * passed on. What happens to it neither end is told of.
 */
export type Line = AsyncDisposable & {
  readonly port: number
  /**
   * Breaks as lines do: what is on its way is lost first, and with the next thing that the client
   * says its connections are gone. From then on every new one is ended at once.
   */
  break(): void
  /** Takes connections again. */
  mend(): void
}

/** Lays a line to a port of the loopback address. */
export async function layLine(to: number): Promise<Line> {
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
    // `close` follows.
    from.on('error', () => {})
    from.once('close', () => {
      ends.delete(from)
      to.destroySoon()
    })
  }

  const server = createServer((near) => {
    if (state === 'broken') {
      // Refused, but for the port: another process might take that meanwhile.
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
      // What was lost must not be followed by anything.
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
