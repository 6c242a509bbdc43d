import { SyncError } from '../base/errors.js'
import type { MessageMeta } from '../schemas/envelope.js'
import type { MessageSchemas, TypeOf } from '../schemas/schema.js'
import type { Authentication } from '../schemas/server-behaviour.js'
import {
  encodeBatch,
  encodeMessage,
  fanOut,
  SERVER_DEVICE_ID,
  type UnsealedMessage,
} from './broadcast.js'
import type { BodyArguments, ConnectedClient, Outgoing } from './client.js'
import { isSendableCloseCode } from './close-code.js'
import { CLOSE_GRACE_MS } from './client-connection.js'
import { createConversation } from './client-messages.js'
import { createAdmit } from './delivery/admission.js'
import { createDelivery } from './delivery/server-delivery.js'
import type { LogPosition } from './log/delivery-log.js'
import type { HandleUpgrade } from './handle-upgrade.js'
import { createInbound } from './frame-reader.js'
import { createKeepAlive } from './ticker.js'
import { createListener, type Listener, type ListeningAddress } from './http-listener.js'
import { createMembers, type Member } from './members.js'
import { resolveOptions, type SyncServerOptions } from './options.js'
import type { ConnectedDevice } from './presence.js'
import { createReporting } from './reporting.js'
import { createSockets } from './sockets.js'
import { createCounters, type ServerStats } from './stats.js'
import { attachUpgrade, createUpgrade } from './upgrade.js'

/** How a server goes. */
export interface CloseOptions {
  /** What sockets are closed with. Default 1001. */
  readonly code?: number
  /** Default `Server is closing`. */
  readonly reason?: string
  /** How long sockets have to finish their handshake, in milliseconds. Default 2,000. */
  readonly graceMs?: number
}

/** A running sync server. */
export interface SyncServer<R extends MessageSchemas> extends AsyncDisposable {
  /**
   * Listens on a port of its own; 0, the default, takes a free one. For servers that were given
   * no `server`. Rejects with Node's error, for example `EADDRINUSE`, and with `option-invalid`
   * where there is a `server` or it listens already.
   */
  listen(port?: number, host?: string): Promise<ListeningAddress>
  /** Takes an upgrade whatever its path, for those who route upgrades themselves. */
  handleUpgrade: HandleUpgrade
  /**
   * Sends to every socket of a user; gives how many took it. As with all that send, the data's
   * type is checked by the compiler alone. With `delivery` it is kept for those who are away, too;
   * where the log answers by a promise it is sent once the log has it, to as many as there are.
   *
   * @throws SyncError `message-invalid` where JSON cannot hold the data.
   */
  broadcastToUser<K extends TypeOf<R>>(
    userId: string,
    type: K,
    ...data: BodyArguments<R[K]>
  ): number
  /**
   * Sends to all of a user's devices, those included that are not there now; resolves with its
   * place once the log has it. For servers with `delivery`.
   *
   * Rejects with SyncError `message-invalid` as `broadcastToUser` throws it, `log-failed` where the
   * log did not take it, `disposed` once the server closes, and `option-invalid` without delivery.
   */
  publishToUser<K extends TypeOf<R>>(
    userId: string,
    type: K,
    ...data: BodyArguments<R[K]>
  ): Promise<LogPosition>
  /** Sends several messages to every socket of a user, in one frame; gives how many took it. */
  broadcastBatchToUser(userId: string, messages: readonly Outgoing<R>[]): number
  /** Sends to every socket of one device; gives how many took it. */
  sendToDevice<K extends TypeOf<R>>(
    userId: string,
    deviceId: string,
    type: K,
    ...data: BodyArguments<R[K]>
  ): number
  /** Sends to every socket that was authenticated with `isAdmin`; gives how many took it. */
  broadcastToAdmins<K extends TypeOf<R>>(type: K, ...data: BodyArguments<R[K]>): number
  /** The users with at least one socket. */
  users(): readonly string[]
  /** The devices of a user with at least one socket. */
  devices(userId: string): readonly ConnectedDevice[]
  /** The sockets of a user. */
  clients(userId: string): readonly ConnectedClient<R>[]
  stats(): ServerStats
  /**
   * Takes no new sockets, closes those there are, and resolves once the last one is gone. With
   * `delivery` clients are told before to come back at different times, and what is being written
   * is finished and acknowledged. A
   * `server` that was given goes on. A second call gives the same promise.
   *
   * @throws SyncError `option-invalid` for a code that cannot be sent, or no duration.
   */
  close(options?: CloseOptions): Promise<void>
}

const nobody: Authentication = { ok: false, closeCode: 1008, reason: 'Not authenticated' }

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
  given: SyncServerOptions<R, S>,
): SyncServer<R> {
  const options = resolveOptions(given)
  const { clock, keepAliveMs, makeId, path, protocol, signal } = options
  const envelope = protocol.envelope.toClient
  const counters = createCounters()
  const reporting = createReporting(options.onError, options.log, clock)
  const members = createMembers({ protocol, clock, runUserCode: reporting.runUserCode })
  const delivery =
    options.delivery &&
    createDelivery({
      ...options,
      ...reporting,
      options: options.delivery,
      envelope,
      sendToPlain(userId, messages, meta) {
        const plain = members.presence.ofUser(userId).filter(({ subscriber }) => !subscriber)
        return plain.length === 0 ? 0 : sendInOneFrame(plain, messages, meta)
      },
    })
  let closing: Promise<void> | undefined
  const conversation = createConversation({
    ...options,
    members,
    runUserCode: reporting.runUserCode,
    delivery,
    admit: createAdmit({ accept: options.delivery?.accept, clock, report: reporting.report }),
    isOpen: () => delivery === undefined || closing === undefined,
  })
  const read = createInbound<Member<R>>({
    ...conversation,
    protocol,
    counters,
    ignored({ client: { userId, deviceId } }, event, detail) {
      reporting.log('info', 'messages', event, { ...detail, userId, deviceId })
    },
  })
  const sockets = createSockets({
    authenticate: (_request, { byProtocol }) => byProtocol(),
    onConnected: undefined,
    onDisconnected: undefined,
    ...options,
    counters,
    members,
    reporting,
    delivery,
    byProtocol: (request) =>
      protocol.server?.authenticate(request, makeId, clock.epoch()) ?? nobody,
    received: read,
    keepAlive:
      keepAliveMs === false
        ? undefined
        : createKeepAlive({
            clock,
            intervalMs: keepAliveMs,
            silent(connection) {
              counters.silent += 1
              connection.terminate()
            },
          }),
  })

  let listener: Listener | undefined
  let detach: (() => void) | undefined

  function refused(status: number): void {
    counters.refused += 1
    reporting.log('info', 'connection', 'upgrade.refused', { status })
  }

  const handleUpgrade = createUpgrade({
    allowedOrigins: undefined,
    perMessageDeflate: false,
    ...options,
    isOpen: () => closing === undefined,
    accepted: (socket, request) => sockets.accept(socket, request),
    refused,
    originThrew(cause) {
      reporting.report(new SyncError('handler-threw', 'allowedOrigins threw.', { cause }))
    },
  })

  function metaFor(userId: string | undefined) {
    return { timestamp: clock.epoch(), deviceId: SERVER_DEVICE_ID, userId }
  }

  function send(
    receivers: Iterable<Member<R>>,
    userId: string | undefined,
    type: string,
    data: unknown,
  ): number {
    return fanOut(receivers, encodeMessage(envelope, { type, data }, metaFor(userId)))
  }

  function sendInOneFrame(
    receivers: readonly Member<R>[],
    messages: readonly UnsealedMessage[],
    meta: Partial<MessageMeta>,
  ): number {
    const [only] = messages
    if (only !== undefined && messages.length === 1) {
      return fanOut(receivers, encodeMessage(envelope, only, meta))
    }
    let taken = receivers.length
    for (const frame of encodeBatch(envelope, messages, meta)) {
      taken = Math.min(taken, fanOut(receivers, frame))
    }
    return taken
  }

  /** Gives how many sockets took them, or will once the log has them. */
  function publish(userId: string, messages: readonly UnsealedMessage[]): number {
    if (delivery === undefined || closing !== undefined) return 0
    const outcome: { sockets?: number } = {}
    delivery.publish({
      userId,
      messages,
      settled(sockets) {
        outcome.sockets = sockets
      },
      failed() {
        outcome.sockets = 0
      },
    })
    return outcome.sockets ?? members.presence.ofUser(userId).length
  }

  async function drain({
    code = 1001,
    reason = 'Server is closing',
    graceMs = CLOSE_GRACE_MS,
  }: CloseOptions): Promise<void> {
    signal?.removeEventListener('abort', closeOnAbort)
    const listenerGone = listener?.close(graceMs)
    if (delivery !== undefined) await delivery.drain(graceMs)
    await sockets.closeAll(code, reason, graceMs)
    await listenerGone
    detach?.()
  }

  function close(how: CloseOptions = {}): Promise<void> {
    const { code, graceMs } = how
    if (code !== undefined && !isSendableCloseCode(code)) {
      throw new SyncError('option-invalid', `code: ${code} cannot be sent`)
    }
    if (graceMs !== undefined && !(graceMs >= 0)) {
      throw new SyncError('option-invalid', `graceMs: ${graceMs} is no duration`)
    }
    closing ??= drain(how)
    return closing
  }

  function closeOnAbort(): void {
    void close()
  }

  if (options.server !== undefined) {
    detach = attachUpgrade(options.server, path, handleUpgrade, refused)
  }
  if (signal?.aborted === true) closeOnAbort()
  else signal?.addEventListener('abort', closeOnAbort, { once: true })

  return {
    async listen(port = 0, host) {
      if (options.server !== undefined || listener !== undefined || closing !== undefined) {
        throw new SyncError('option-invalid', 'listen: there is a server already, or none any more')
      }
      listener = createListener(clock, (server) => {
        detach = attachUpgrade(server, path, handleUpgrade, refused)
      })
      return listener.listen(port, host)
    },
    handleUpgrade,
    broadcastToUser: (userId, type, ...[data]) =>
      delivery === undefined
        ? send(members.presence.ofUser(userId), userId, type, data)
        : publish(userId, [{ type, data }]),
    publishToUser: (userId, type, ...[data]) =>
      new Promise((resolve, reject) => {
        const refuse = (code: 'option-invalid' | 'disposed' | 'log-failed', what: string) => {
          reject(new SyncError(code, `publishToUser: ${what}`))
        }
        if (delivery === undefined) refuse('option-invalid', 'the server has no delivery')
        else if (closing !== undefined) refuse('disposed', 'the server closes')
        else {
          delivery.publish({
            userId,
            messages: [{ type, data }],
            settled: (_sockets, position) => resolve(position),
            failed: () => refuse('log-failed', 'the log did not take it'),
          })
        }
      }),
    broadcastBatchToUser(userId, messages) {
      if (messages.length === 0) return 0
      if (delivery !== undefined) return publish(userId, messages)
      const receivers = members.presence.ofUser(userId)
      let taken = receivers.length
      for (const frame of encodeBatch(envelope, messages, metaFor(userId))) {
        taken = Math.min(taken, fanOut(receivers, frame))
      }
      return taken
    },
    sendToDevice: (userId, deviceId, type, ...[data]) =>
      send(members.presence.ofDevice({ userId, deviceId }), userId, type, data),
    broadcastToAdmins: (type, ...[data]) => send(members.admins, undefined, type, data),
    users: members.presence.users,
    devices: members.presence.devices,
    clients: (userId) => members.presence.ofUser(userId).map(({ client }) => client),
    stats: () => ({
      ...counters,
      sockets: sockets.size,
      users: members.presence.userCount,
      devices: members.presence.deviceCount,
      ...(delivery && { delivery: { ...delivery.counters } }),
    }),
    close,
    [Symbol.asyncDispose]: () => close(),
  }
}
