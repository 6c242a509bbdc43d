import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { kull } from 'statewire/kull'
import { createBearerCheck, createKullRoutes } from 'statewire/kull/server'
import { type ConnectedDevice, createSyncServer, type SyncServer } from 'statewire/server'
import * as z from 'zod'
import { createDeliveryMemory, type OpenMemory } from './delivery.js'
import { sendJson } from './json.js'
import { createLedger } from './ledger.js'
import { closeServer, listenAt, listenNear } from './listen.js'
import { createOwnAddress, type OwnAddress } from './own-address.js'
import { createSignIn, type SignInOptions } from './sign-in/sign-in.js'
import { createWires } from './wires.js'

/** The environments of the demo. */
export const environmentNames = ['development', 'staging'] as const
export type EnvironmentName = (typeof environmentNames)[number]

/** Options of an environment. */
export type EnvironmentOptions = {
  name: EnvironmentName
  /** The port; if it is taken, or 0, any free port. */
  port: number
  /** The secret of callers that may push to users. */
  secret: string
  /** Whether a page of this origin may connect and call the API. */
  isOurPage: (origin: string) => boolean
  signIn?: SignInOptions
  /**
   * Where the server stores its log and its acknowledgements. Default: in memory, which survives
   * its restarts.
   */
  folder?: string
  onConnected?: (client: { userId: string; deviceId: string }) => void
  onError: (error: Error) => void
}

/**
 * One environment: a Kull sync server with its HTTP routes and its accounts, and controls to break
 * it.
 */
export type EnvironmentServer = {
  readonly name: EnvironmentName
  readonly port: number
  readonly httpUrl: string
  readonly webSocketUrl: string
  readonly isUp: boolean
  devices(userId: string): readonly ConnectedDevice[]
  /** Stops like a server during a deployment: closes the sockets with 1001, and frees the port. */
  stop(): Promise<void>
  /** Starts again on the same port, with the same accounts. */
  start(): Promise<void>
  /** The next three return how many of the device's sockets they reached; see `Wires`. */
  cut(userId: string, deviceId: string): number
  silence(userId: string, deviceId: string): number
  writeFrame(userId: string, deviceId: string, text: string): number
  /** Sends a batch to all of a user's devices, and admin messages to admins. */
  sendNews(userId: string): void
  /** Gives a user credits, and tells the user's devices. */
  addCredits(userId: string, credits: number): void
  /** Makes a device's access tokens invalid. Returns how many sign-ins the device has. */
  expire(userId: string, deviceId: string): number
  /** Ends a device's sign-ins, as its user would after losing it. Returns how many there were. */
  revoke(userId: string, deviceId: string): number
}

/** How long sockets have for their closing handshake. Frozen ones never complete it. */
const graceMs = 250

/** Starts an environment. Rejects if no port is free. */
export async function startEnvironment(options: EnvironmentOptions): Promise<EnvironmentServer> {
  const { name, secret, isOurPage, onError } = options
  const ledger = createLedger()
  const memory = createDeliveryMemory(options.folder)
  const wires = createWires()
  const wireOf = (userId: string, deviceId: string) => `${userId}:${deviceId}`
  type Running = { http: Server; sync: SyncServer<typeof kull.receive>; opened: OpenMemory }
  let running: Running | undefined
  let own: OwnAddress = createOwnAddress(options.port)
  const signIn = createSignIn({
    ...options.signIn,
    environment: name,
    isOurPage,
    own: () => own,
    // After 4401 the client fetches a new token. If it gets none, the session signs out.
    onRefused({ userId, deviceId }) {
      for (const client of running?.sync.clients(userId) ?? []) {
        if (client.deviceId === deviceId) client.close(4401, 'Not signed in any more')
      }
    },
  })
  // A user may press the buttons for stop and start in any order, before the last action has ended.
  let last: Promise<void> = Promise.resolve()

  async function create(): Promise<Running> {
    const opened = await memory.open()
    const sync = createSyncServer({
      protocol: kull,
      delivery: opened.delivery,
      allowedOrigins: isOurPage,
      authenticate: signIn.authenticate,
      onConnected: (client) => options.onConnected?.(client),
      onError,
    })
    const broadcastToUser: typeof sync.broadcastToUser = (userId, type, ...data) => {
      // As in the product, a balance that was pushed replaces the stored balance.
      const update = z.safeParse(kull.receive.CREDIT_UPDATE, data[0])
      if (type === 'CREDIT_UPDATE' && update.success) ledger.record(userId, update.data.newBalance)
      return sync.broadcastToUser(userId, type, ...data)
    }
    const routes = createKullRoutes(
      { broadcastToUser },
      {
        authorize: createBearerCheck(secret),
        creditBalance: ledger.balanceOf,
        identify: signIn.identify,
        service: `kull-${name}`,
        onError,
      },
    )
    const http = createServer((request, response) => {
      answer(request, response).catch((error: unknown) => {
        onError(error instanceof Error ? error : new Error(String(error)))
        if (!response.headersSent) sendJson(response, 500, { error: 'Internal error' })
      })
    })
    async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
      if (isPreflight(request, response) || (await signIn.route(request, response))) return
      if (await routes(request, response)) return
      sendJson(response, 404, { error: 'Not found' })
    }
    http.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      const [path, query] = (request.url ?? '').split('?', 2)
      if (path !== '/ws') {
        socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n')
        return
      }
      wires.add(new URLSearchParams(query).get('token') ?? '', socket)
      sync.handleUpgrade(request, socket, head)
    })
    return { http, sync, opened }
  }

  // The page is served from another port and sends its own headers, so it needs CORS.
  function isPreflight(request: IncomingMessage, response: ServerResponse): boolean {
    const { origin } = request.headers
    if (origin === undefined || !isOurPage(origin)) return false
    response
      .setHeader('access-control-allow-origin', origin)
      .setHeader('access-control-expose-headers', 'date, retry-after')
      .setHeader('vary', 'origin')
    if (request.method !== 'OPTIONS') return false
    response
      .setHeader('access-control-allow-headers', 'authorization, content-type')
      .writeHead(204)
      .end()
    return true
  }

  function inTurn(act: () => Promise<void>): Promise<void> {
    last = last.then(act, act)
    return last
  }

  async function listen<T>(next: Running, begin: () => Promise<T>): Promise<T> {
    try {
      const begun = await begin()
      running = next
      return begun
    } catch (error) {
      await next.opened.end()
      throw error
    }
  }

  const first = await create()
  const port = await listen(first, () => listenNear(first.http, options.port))
  own = createOwnAddress(port)

  return {
    name,
    port,
    httpUrl: own.url,
    webSocketUrl: `${own.url.replace('http', 'ws')}/ws`,
    get isUp() {
      return running !== undefined
    },
    devices: (userId) => running?.sync.devices(userId) ?? [],
    stop: () =>
      inTurn(async () => {
        if (running === undefined) return
        const { http, sync, opened } = running
        running = undefined
        await sync.close({ graceMs })
        await closeServer(http)
        await opened.end()
      }),
    start: () =>
      inTurn(async () => {
        if (running !== undefined) return
        const next = await create()
        await listen(next, () => listenAt(next.http, port))
      }),
    cut: (userId, deviceId) => wires.cut(wireOf(userId, deviceId)),
    silence: (userId, deviceId) => wires.silence(wireOf(userId, deviceId)),
    writeFrame: (userId, deviceId, text) => wires.write(wireOf(userId, deviceId), text),
    sendNews(userId) {
      running?.sync.broadcastBatchToUser(userId, [
        { type: 'PROMPT_CHANGE', data: { promptId: 'warm-and-candid', action: 'voted' } },
        { type: 'PROMPT_CHANGE', data: { promptId: 'warm-and-candid', action: 'updated' } },
      ])
      running?.sync.broadcastToAdmins('ADMIN_SESSION_UPDATE', {
        sessionId: 'support-7',
        action: 'new_message',
        messageCount: 3,
      })
    },
    addCredits(userId, change) {
      const newBalance = ledger.balanceOf(userId) + change
      ledger.record(userId, newBalance)
      const update = { userId, newBalance, change, reason: 'Gift' }
      running?.sync.broadcastToUser(userId, 'CREDIT_UPDATE', update)
    },
    expire: (...device) => signIn.expireDevice(...device),
    revoke: (...device) => signIn.revokeDevice(...device),
  }
}
