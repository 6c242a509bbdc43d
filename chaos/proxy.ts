import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** A TCP proxy in front of a port, which can do what networks do. */
export interface Proxy {
  readonly port: number
  /** Connections that went through. */
  readonly connections: number
  /** Destroys all connections. */
  cut(): void
  /** Nothing goes through, in either direction, and nobody is told; new connections hang. */
  blackhole(): void
  /** Everything goes through later, in order. */
  delay(ms: number): void
  /** What was held back goes on. */
  heal(): void
  close(): Promise<void>
}

interface Pair {
  readonly near: Socket
  readonly far: Socket
}

/** Opens a proxy on a free port of the loopback. */
export async function openProxy(target: () => number): Promise<Proxy> {
  const pairs = new Set<Pair>()
  let isBlackhole = false
  let delayMs = 0
  let connections = 0

  function join(from: Socket, to: Socket): void {
    // In order also when the delay has just become shorter.
    const late: { readonly bytes: Buffer; readonly at: number }[] = []
    function flush(): void {
      const now = performance.now()
      for (let first = late[0]; first !== undefined && first.at <= now; first = late[0]) {
        late.shift()
        pass(first.bytes, from, to)
      }
      const next = late[0]
      if (next !== undefined) setTimeout(flush, next.at - now)
    }
    from.on('data', (bytes: Buffer) => {
      if (delayMs === 0 && late.length === 0) {
        pass(bytes, from, to)
        return
      }
      const at = Math.max(performance.now() + delayMs, late.at(-1)?.at ?? 0)
      if (late.push({ bytes, at }) === 1) setTimeout(flush, delayMs)
    })
    from.on('error', () => undefined)
    from.on('close', () => to.destroy())
  }

  function pass(bytes: Buffer, from: Socket, to: Socket): void {
    if (to.destroyed || to.write(bytes) || isBlackhole) return
    // Backpressure is the network's, too.
    from.pause()
    to.once('drain', () => {
      if (!isBlackhole) from.resume()
    })
  }

  function cut(): void {
    for (const { near, far } of pairs) {
      near.destroy()
      far.destroy()
    }
  }

  const server = createServer((near) => {
    const pair: Pair = { near, far: connect(target(), '127.0.0.1') }
    connections += 1
    pairs.add(pair)
    near.on('close', () => pairs.delete(pair))
    join(near, pair.far)
    join(pair.far, near)
    if (isBlackhole) hold(pair)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')

  return {
    port: (server.address() as AddressInfo).port,
    get connections() {
      return connections
    },
    cut,
    blackhole() {
      isBlackhole = true
      for (const pair of pairs) hold(pair)
    },
    delay(ms) {
      delayMs = ms
    },
    heal() {
      isBlackhole = false
      delayMs = 0
      for (const { near, far } of pairs) {
        near.resume()
        far.resume()
      }
    },
    async close() {
      server.close()
      cut()
      await once(server, 'close')
    },
  }
}

function hold({ near, far }: Pair): void {
  near.pause()
  far.pause()
}
