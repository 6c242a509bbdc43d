import type { WebSocket } from 'ws'
import { assertOption } from '../base/errors.js'
import type { MessageSchemas } from '../schemas/schema.js'
import type { UpgradeRequest } from '../schemas/protocol.js'
import { AcceptedSocket, type SocketParts } from './accepted-socket.js'
import { CLOSE_GRACE_MS, type ClientConnection } from './client-connection.js'
import { ClientMessages } from './client-messages.js'
import { assertCloseCode } from './close-code.js'
import { NoDelivery } from './delivery/no-delivery.js'
import { ServerDelivery } from './delivery/server-delivery.js'
import { HttpListener } from './http-listener.js'
import { Members } from './members.js'
import {
  createServerContext,
  type ServerContext,
  type SyncServerOptions,
  type UntypedServerContext,
} from './options.js'
import type { CloseOptions, HandleUpgrade, SyncServer } from './sync-server.js'
import { Ticker } from './ticker.js'
import { UpgradeHandler } from './upgrade.js'

/**
 * Makes the server side of a protocol, on any Node HTTP server.
 *
 * @throws SyncError `option-invalid`, naming the option.
 *
 * @example
 * const server = createServer(requestHandler)
 * const sync = createSyncServer({ protocol: kull, server })
 * server.listen(5000)
 * sync.broadcastToUser(userId, 'CREDIT_UPDATE', { userId, newBalance: 480, change: -20, reason: '' })
 */
export function createSyncServer<R extends MessageSchemas, S extends MessageSchemas>(
  options: SyncServerOptions<R, S>,
): SyncServer<R> {
  return new WebSocketSyncServer(createServerContext(options))
}

class WebSocketSyncServer<R extends MessageSchemas, S extends MessageSchemas>
  implements SyncServer<R>
{
  readonly #context: ServerContext<R, S>
  readonly #parts: SocketParts<R, S>
  readonly #upgrades: UpgradeHandler
  /** Every open socket, authenticated or not. */
  readonly #sockets = new Set<AcceptedSocket<R, S>>()
  readonly #closeOnAbort = (): void => void this.close()
  /** The HTTP server of `listen`. */
  #listener: HttpListener | undefined
  /** Stops listening to the upgrades of an HTTP server. */
  #detach: (() => void) | undefined
  #closed: Promise<void> | undefined
  #allSocketsClosed = (): void => {}

  constructor(context: ServerContext<R, S>) {
    const { delivery: options, protocol, server, signal } = context
    const members = new Members<R>(context, protocol.server?.presence)
    const delivery =
      options === undefined
        ? new NoDelivery(members)
        : new ServerDelivery({ ...context, options, members })
    this.#context = context
    this.#parts = {
      context,
      members,
      delivery,
      messages: new ClientMessages(context, delivery),
      keepAlive: createKeepAlive(context),
    }
    this.#upgrades = new UpgradeHandler(context, (socket, request) => {
      this.#accept(socket, request)
    })
    if (server !== undefined) this.#detach = this.#upgrades.attachTo(server)
    if (signal?.aborted === true) this.#closeOnAbort()
    else signal?.addEventListener('abort', this.#closeOnAbort, { once: true })
  }

  handleUpgrade: HandleUpgrade = (request, socket, head) => {
    this.#upgrades.handle(request, socket, head)
  }

  listen: SyncServer<R>['listen'] = async (port = 0, host) => {
    const { clock, server } = this.#context
    const problem = 'listen: the server '
    assertOption(server === undefined, `${problem}was given an HTTP server`)
    assertOption(this.#listener === undefined, `${problem}listens already`)
    assertOption(this.#closed === undefined, `${problem}is closing`)
    const listener = new HttpListener(clock)
    this.#listener = listener
    this.#detach = this.#upgrades.attachTo(listener.server)
    return listener.listen(port, host)
  }

  broadcastToUser: SyncServer<R>['broadcastToUser'] = (userId, type, ...[data]) =>
    this.#parts.delivery.broadcast(userId, [{ type, data }])

  publishToUser: SyncServer<R>['publishToUser'] = (userId, type, ...[data]) =>
    this.#parts.delivery.publish(userId, { type, data })

  broadcastBatchToUser: SyncServer<R>['broadcastBatchToUser'] = (userId, messages) =>
    messages.length === 0 ? 0 : this.#parts.delivery.broadcast(userId, messages)

  sendToDevice: SyncServer<R>['sendToDevice'] = (userId, deviceId, type, ...[data]) => {
    const { members } = this.#parts
    const receivers = members.presence.ofDevice({ userId, deviceId })
    return members.send(receivers, userId, { type, data })
  }

  broadcastToAdmins: SyncServer<R>['broadcastToAdmins'] = (type, ...[data]) =>
    this.#parts.members.send(this.#parts.members.admins, undefined, { type, data })

  users: SyncServer<R>['users'] = () => this.#parts.members.presence.users()

  devices: SyncServer<R>['devices'] = (userId) => this.#parts.members.presence.devices(userId)

  clients: SyncServer<R>['clients'] = (userId) =>
    this.#parts.members.presence.ofUser(userId).map(({ client }) => client)

  stats: SyncServer<R>['stats'] = () => {
    const { presence } = this.#parts.members
    const { counters } = this.#parts.delivery
    return {
      ...this.#context.counters,
      sockets: this.#sockets.size,
      users: presence.userCount,
      devices: presence.deviceCount,
      ...(counters !== undefined && { delivery: { ...counters } }),
    }
  }

  close: SyncServer<R>['close'] = (options = {}) => {
    const { code, graceMs } = options
    if (code !== undefined) assertCloseCode(code)
    const isDuration = graceMs === undefined || graceMs >= 0
    assertOption(isDuration, `graceMs: ${graceMs} is not a duration`)
    this.#closed ??= this.#close(options)
    return this.#closed
  };

  [Symbol.asyncDispose] = (): Promise<void> => this.close()

  async #close({
    code = 1001,
    reason = 'Server is closing',
    graceMs = CLOSE_GRACE_MS,
  }: CloseOptions): Promise<void> {
    this.#upgrades.close()
    this.#context.signal?.removeEventListener('abort', this.#closeOnAbort)
    const listenerClosed = this.#listener?.close(graceMs)
    // Without delivery the sockets begin to close before `close` returns.
    const drained = this.#parts.delivery.drain(graceMs)
    if (drained !== undefined) await drained
    await this.#closeSockets(code, reason, graceMs)
    await listenerClosed
    this.#detach?.()
  }

  #accept(socket: WebSocket, request: UpgradeRequest): void {
    this.#context.counters.accepted += 1
    const accepted = new AcceptedSocket(this.#parts, socket, (closed) => {
      this.#sockets.delete(closed)
      if (this.#sockets.size === 0) this.#allSocketsClosed()
    })
    this.#sockets.add(accepted)
    void accepted.authenticate(request)
  }

  /** Closes all sockets; resolves once the last one has closed. */
  async #closeSockets(code: number, reason: string, graceMs: number): Promise<void> {
    if (this.#sockets.size === 0) return
    await new Promise<void>((resolve) => {
      this.#allSocketsClosed = resolve
      for (const socket of this.#sockets) socket.close(code, reason, graceMs)
    })
  }
}

// After a stall (a stopped process, a blocked event loop) a timer runs before the process has read
// the pongs that arrived meanwhile. So a late tick pings again, and terminates nobody.
const LATE_MS = 1_000

/** Pings connections at the WebSocket level, and terminates those whose last ping got no pong. */
function createKeepAlive(context: UntypedServerContext): Ticker<ClientConnection> | undefined {
  const { clock, counters, keepAliveMs } = context
  if (keepAliveMs === false) return undefined
  return new Ticker(clock, keepAliveMs, (connection, lateMs) => {
    if (!connection.awaitsPong || lateMs >= LATE_MS) {
      connection.ping()
      return
    }
    counters.silent += 1
    connection.terminate()
  })
}
