import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

interface SocketPair {
  /** The connection that was made to the proxy. */
  readonly near: Socket
  /** The proxy's own connection to the target. */
  readonly far: Socket
}

/** Opens a proxy on a free port of the loopback. `target` gives the port that it connects to. */
export async function openProxy(target: () => number): Promise<TcpProxy> {
  const proxy = new TcpProxy(target)
  await proxy.listen()
  return proxy
}

/** A TCP proxy in front of a port. It can fail in the ways in which networks fail. */
export class TcpProxy {
  readonly #server = createServer((near) => this.#accept(near))
  readonly #target: () => number
  readonly #pairs = new Set<SocketPair>()
  #isBlackhole = false
  #delayMs = 0
  #connections = 0

  constructor(target: () => number) {
    this.#target = target
  }

  async listen(): Promise<void> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** How many connections were made. */
  get connections(): number {
    return this.#connections
  }

  /** Destroys all connections. */
  cut(): void {
    for (const { near, far } of this.#pairs) {
      near.destroy()
      far.destroy()
    }
  }

  /** Lets nothing through in either direction, without an error for anybody. New connections hang. */
  blackhole(): void {
    this.#isBlackhole = true
    for (const pair of this.#pairs) hold(pair)
  }

  /** Delays everything from now on, in order. */
  delay(ms: number): void {
    this.#delayMs = ms
  }

  /** Ends `blackhole` and `delay`. What was held goes through. */
  heal(): void {
    this.#isBlackhole = false
    this.#delayMs = 0
    for (const { near, far } of this.#pairs) {
      near.resume()
      far.resume()
    }
  }

  async close(): Promise<void> {
    this.#server.close()
    this.cut()
    await once(this.#server, 'close')
  }

  #accept(near: Socket): void {
    const pair: SocketPair = { near, far: connect(this.#target(), '127.0.0.1') }
    this.#connections += 1
    this.#pairs.add(pair)
    near.on('close', () => this.#pairs.delete(pair))
    this.#join(near, pair.far)
    this.#join(pair.far, near)
    if (this.#isBlackhole) hold(pair)
  }

  #join(from: Socket, to: Socket): void {
    // A queue, so that the order stays when the delay has just become shorter.
    const delayed: { readonly bytes: Buffer; readonly at: number }[] = []
    const flush = (): void => {
      const now = performance.now()
      for (let first = delayed[0]; first !== undefined && first.at <= now; first = delayed[0]) {
        delayed.shift()
        this.#pass(first.bytes, from, to)
      }
      const next = delayed[0]
      if (next !== undefined) setTimeout(flush, next.at - now)
    }
    from.on('data', (bytes: Buffer) => {
      if (this.#delayMs === 0 && delayed.length === 0) {
        this.#pass(bytes, from, to)
        return
      }
      const at = Math.max(performance.now() + this.#delayMs, delayed.at(-1)?.at ?? 0)
      if (delayed.push({ bytes, at }) === 1) setTimeout(flush, this.#delayMs)
    })
    from.on('error', () => undefined)
    from.on('close', () => to.destroy())
  }

  #pass(bytes: Buffer, from: Socket, to: Socket): void {
    if (to.destroyed || to.write(bytes) || this.#isBlackhole) return
    // The receiver's backpressure reaches the sender.
    from.pause()
    to.once('drain', () => {
      if (!this.#isBlackhole) from.resume()
    })
  }
}

function hold({ near, far }: SocketPair): void {
  near.pause()
  far.pause()
}
