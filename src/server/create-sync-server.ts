import { SyncError } from '../base/errors.js'
import type { MessageSchemas } from '../schemas/schema.js'
import type { Authentication } from '../schemas/protocol.js'
import { CLOSE_GRACE_MS, type ClientConnection } from './client-connection.js'
import { ClientMessages } from './client-messages.js'
import { isSendableCloseCode } from './close-code.js'
import { NoDelivery } from './delivery/no-delivery.js'
import type { DeliveryPort } from './delivery/port.js'
import { ServerDelivery } from './delivery/server-delivery.js'
import { ClientFrameReader } from './frame-reader.js'
import type { HandleUpgrade } from './handle-upgrade.js'
import { HttpListener } from './http-listener.js'
import { Members } from './members.js'
import { optionError } from './option-error.js'
import {
  type ResolvedServerOptions,
  resolveServerOptions,
  type SyncServerOptions,
} from './options.js'
import { Reporting } from './reporting.js'
import { Sockets } from './sockets.js'
import { type Counting, createCounters } from './stats.js'
import type { CloseOptions, SyncServer } from './sync-server.js'
import { Ticker } from './ticker.js'
import { attachUpgrade, UpgradeHandler } from './upgrade.js'

const notAuthenticated: Authentication = { ok: false, closeCode: 1008, reason: 'Not authenticated' }

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
  return new WebSocketSyncServer(resolveServerOptions(options))
}

class WebSocketSyncServer<R extends MessageSchemas, S extends MessageSchemas>
  implements SyncServer<R>
{
  readonly handleUpgrade: HandleUpgrade
  readonly #options: ResolvedServerOptions<R, S>
  readonly #counters = createCounters()
  readonly #reporting: Reporting
  readonly #members: Members<R>
  readonly #delivery: DeliveryPort
  readonly #sockets: Sockets<R>
  readonly #closeOnAbort = (): void => void this.close()
  /** The HTTP server of `listen`. */
  #listener: HttpListener | undefined
  /** Stops listening to the upgrades of an HTTP server. */
  #detach: (() => void) | undefined
  #closed: Promise<void> | undefined

  constructor(options: ResolvedServerOptions<R, S>) {
    const { clock, protocol, server, signal } = options
    this.#options = options
    this.#reporting = new Reporting(options.onError, options.log, clock)
    this.#members = new Members({
      envelope: protocol.envelope.toClient,
      announcements: protocol.server?.presence,
      clock,
      reporting: this.#reporting,
    })
    this.#delivery = this.#createDelivery()
    this.#sockets = this.#createSockets()
    this.handleUpgrade = this.#createUpgradeHandler()
    if (server !== undefined) this.#attachTo(server)
    if (signal?.aborted === true) this.#closeOnAbort()
    else signal?.addEventListener('abort', this.#closeOnAbort, { once: true })
  }

  listen: SyncServer<R>['listen'] = async (port = 0, host) => {
    if (this.#options.server !== undefined) {
      throw optionError('listen:', 'the server was given an HTTP server')
    }
    if (this.#listener !== undefined) throw optionError('listen:', 'the server listens already')
    if (this.#closed !== undefined) throw optionError('listen:', 'the server is closing')
    this.#listener = new HttpListener(this.#options.clock)
    this.#attachTo(this.#listener.server)
    return this.#listener.listen(port, host)
  }

  broadcastToUser: SyncServer<R>['broadcastToUser'] = (userId, type, ...[data]) =>
    this.#delivery.broadcast(userId, { type, data })

  publishToUser: SyncServer<R>['publishToUser'] = (userId, type, ...[data]) =>
    this.#delivery.publish(userId, { type, data })

  broadcastBatchToUser: SyncServer<R>['broadcastBatchToUser'] = (userId, messages) =>
    messages.length === 0 ? 0 : this.#delivery.broadcastBatch(userId, messages)

  sendToDevice: SyncServer<R>['sendToDevice'] = (userId, deviceId, type, ...[data]) => {
    const receivers = this.#members.presence.ofDevice({ userId, deviceId })
    return this.#members.send(receivers, userId, { type, data })
  }

  broadcastToAdmins: SyncServer<R>['broadcastToAdmins'] = (type, ...[data]) =>
    this.#members.send(this.#members.admins, undefined, { type, data })

  users: SyncServer<R>['users'] = () => this.#members.presence.users()

  devices: SyncServer<R>['devices'] = (userId) => this.#members.presence.devices(userId)

  clients: SyncServer<R>['clients'] = (userId) =>
    this.#members.presence.ofUser(userId).map(({ client }) => client)

  stats: SyncServer<R>['stats'] = () => {
    const { presence } = this.#members
    const { counters } = this.#delivery
    return {
      ...this.#counters,
      sockets: this.#sockets.size,
      users: presence.userCount,
      devices: presence.deviceCount,
      ...(counters !== undefined && { delivery: { ...counters } }),
    }
  }

  close: SyncServer<R>['close'] = (options = {}) => {
    const { code, graceMs } = options
    if (code !== undefined && !isSendableCloseCode(code)) {
      throw optionError('code:', `${code} is not a close code that can be sent`)
    }
    if (graceMs !== undefined && !(graceMs >= 0)) {
      throw optionError('graceMs:', `${graceMs} is not a duration`)
    }
    this.#closed ??= this.#close(options)
    return this.#closed
  };

  [Symbol.asyncDispose] = (): Promise<void> => this.close()

  async #close({
    code = 1001,
    reason = 'Server is closing',
    graceMs = CLOSE_GRACE_MS,
  }: CloseOptions): Promise<void> {
    this.#options.signal?.removeEventListener('abort', this.#closeOnAbort)
    const listenerClosed = this.#listener?.close(graceMs)
    // Without delivery the sockets begin to close before `close` returns.
    const drained = this.#delivery.drain(graceMs)
    if (drained !== undefined) await drained
    await this.#sockets.closeAll(code, reason, graceMs)
    await listenerClosed
    this.#detach?.()
  }

  #createDelivery(): DeliveryPort {
    const members = this.#members
    const { delivery, protocol } = this.#options
    if (delivery === undefined) return new NoDelivery(members)
    return new ServerDelivery({
      ...this.#options,
      options: delivery,
      envelope: protocol.envelope.toClient,
      reporting: this.#reporting,
      sendToPlain: (userId, messages, meta) => members.sendToPlain(userId, messages, meta),
      socketCount: (userId) => members.presence.ofUser(userId).length,
    })
  }

  #createSockets(): Sockets<R> {
    const options = this.#options
    const { clock, makeId, protocol } = options
    const counters = this.#counters
    const shared = {
      ...options,
      counters,
      members: this.#members,
      reporting: this.#reporting,
      delivery: this.#delivery,
    }
    const reader = new ClientFrameReader(protocol, counters, new ClientMessages(shared))
    return new Sockets({
      ...shared,
      keepAlive: createKeepAlive(options, counters),
      byProtocol: (request) =>
        protocol.server?.authenticate(request, makeId, clock.epoch()) ?? notAuthenticated,
      receive: (member, frame) => reader.read(member, frame),
    })
  }

  #createUpgradeHandler(): HandleUpgrade {
    const handler = new UpgradeHandler({
      ...this.#options,
      isOpen: () => this.#closed === undefined,
      accepted: (socket, request) => this.#sockets.accept(socket, request),
      refused: (status) => this.#upgradeRefused(status),
      originThrew: (cause) => {
        this.#reporting.report(new SyncError('handler-threw', 'allowedOrigins threw.', { cause }))
      },
    })
    return (request, socket, head) => handler.handle(request, socket, head)
  }

  #attachTo(server: Parameters<typeof attachUpgrade>[0]): void {
    this.#detach = attachUpgrade(server, this.#options.path, this.handleUpgrade, (status) => {
      this.#upgradeRefused(status)
    })
  }

  #upgradeRefused(status: number): void {
    this.#counters.refused += 1
    this.#reporting.log('info', 'connection', 'upgrade.refused', { status })
  }
}

// After a stall (a stopped process, a blocked event loop) a timer runs before the process has read
// the pongs that arrived meanwhile. So a late tick pings again, and terminates nobody.
const LATE_MS = 1_000

/** Pings connections at the WebSocket level, and terminates those whose last ping got no pong. */
function createKeepAlive(
  { clock, keepAliveMs }: Pick<ResolvedServerOptions<never, never>, 'clock' | 'keepAliveMs'>,
  counters: Counting,
): Ticker<ClientConnection> | undefined {
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
