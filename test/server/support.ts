import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'
import { WebSocket } from 'ws'
import { kull } from '../../src/kull/protocol.js'
import type { receive, send } from '../../src/schemas/kull.js'
import {
  createSyncServer,
  type SyncServer,
  type SyncServerOptions,
} from '../../src/server/index.js'

export { kull }

type KullServerOptions = Partial<SyncServerOptions<typeof receive, typeof send>>

/** The parts of a frame that tests check. */
export interface Frame {
  readonly type: string
  readonly data?: Readonly<Record<string, unknown>>
  readonly deviceId?: string
  readonly userId?: string
  readonly timestamp?: number
  readonly messages?: readonly Frame[]
}

/** A plain client that records what it receives. */
export interface TestClient {
  readonly socket: WebSocket
  /** Every frame so far, as text. */
  readonly raw: string[]
  readonly frames: Frame[]
  readonly types: string[]
  /** Resolves once this many frames have come. */
  received(count: number): Promise<void>
  /** Sends a message, or any text. */
  say(message: object | string): void
  /** Resolves once the server has read all that was sent, and all it sent before has come. */
  settled(): Promise<void>
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>
}

/** An HTTP server on a free port, with a sync server attached; both end with the test. */
export async function startServer(options: KullServerOptions = {}): Promise<{
  readonly http: Server
  readonly port: number
  readonly sync: SyncServer<typeof receive>
  readonly connect: (query: string, headers?: Record<string, string>) => Promise<TestClient>
  /** Resolves once the server has seen this many sockets leave. */
  readonly left: (count: number) => Promise<void>
}> {
  const http = createServer((_request, response) => response.writeHead(404).end())
  const left = createTally()
  const sync = createSyncServer({
    protocol: kull,
    server: http,
    ...options,
    onDisconnected(client, end) {
      left.add()
      return options.onDisconnected?.(client, end)
    },
  })
  http.listen(0, '127.0.0.1')
  await once(http, 'listening')
  const { port } = http.address() as AddressInfo
  onTestFinished(async () => {
    void sync.close({ graceMs: 0 })
    http.closeAllConnections()
    if (http.listening) await new Promise((resolve) => http.close(resolve))
  })
  return {
    http,
    port,
    sync,
    left: left.reached,
    connect: (query, headers) => connect(`ws://127.0.0.1:${port}/ws${query}`, headers),
  }
}

/** Counts up; `reached` resolves once a number is reached. */
export function createTally(): { add: () => void; reached: (count: number) => Promise<void> } {
  const waiting = new Map<() => void, number>()
  let total = 0
  return {
    add() {
      total += 1
      for (const [resolve, count] of waiting) if (total >= count) resolve()
    },
    reached: (count) =>
      new Promise((resolve) => {
        waiting.set(resolve, count)
        if (total >= count) resolve()
      }),
  }
}

/** Connects, and resolves once the socket is open. */
export async function connect(
  url: string,
  headers: Record<string, string> = {},
): Promise<TestClient> {
  const client = record(new WebSocket(url, { headers }))
  await once(client.socket, 'open')
  return client
}

/** Records what a socket receives from now on. */
export function record(socket: WebSocket): TestClient {
  const raw: string[] = []
  const frames: Frame[] = []
  const waiting = new Set<() => void>()
  socket.on('message', (data: Buffer) => {
    raw.push(data.toString())
    frames.push(JSON.parse(data.toString()) as Frame)
    for (const look of waiting) look()
  })
  socket.on('error', () => {})
  onTestFinished(() => socket.terminate())
  const closed = once(socket, 'close').then(([code, reason]) => ({
    code: code as number,
    reason: String(reason),
  }))

  function until(condition: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const look = () => {
        if (!condition()) return
        waiting.delete(look)
        resolve()
      }
      waiting.add(look)
      look()
      void closed.then(({ code }) => {
        reject(new Error(`closed with ${code} while waiting; received ${raw.join(' ')}`))
      })
    })
  }

  return {
    socket,
    raw,
    frames,
    get types() {
      return frames.map(({ type }) => type)
    },
    received: (count) => until(() => frames.length >= count),
    say(message) {
      socket.send(typeof message === 'string' ? message : JSON.stringify(message))
    },
    settled() {
      // Answers at the WebSocket level leave no trace among the frames.
      return new Promise((resolve, reject) => {
        socket.once('pong', () => resolve())
        socket.ping()
        void closed.then(reject)
      })
    },
    closed,
  }
}

/** Progress of a shoot, as a client reports it. */
export const progress = {
  shootId: 'shoot-1',
  status: 'processing',
  processedCount: 20,
  totalCount: 100,
  provider: 'gpt-5-nano',
} as const
