import type { WebSocket } from 'ws'
import type { Clock } from '../base/clock.js'
import type { RawFrame } from '../schemas/message.js'
import type { MessageSchemas } from '../schemas/schema.js'
import type { Authentication, UpgradeRequest } from '../schemas/server-behaviour.js'
import { type Authenticate, startAuthentication } from './authentication.js'
import type { ConnectedClient, SocketEnd } from './client.js'
import { type Connection, createConnection } from './client-connection.js'
import type { Delivery } from './delivery/server-delivery.js'
import type { KeepAlive } from './ticker.js'
import type { Member, Members } from './members.js'
import type { Reporting } from './reporting.js'
import type { Counting } from './stats.js'

/** Every socket that was accepted, whoever it turns out to be. */
export interface Sockets {
  readonly size: number
  /** Takes a socket through authentication, membership and its end. */
  accept(socket: WebSocket, request: UpgradeRequest): void
  /** Closes them all; resolves once the last one is gone. To be called once. */
  closeAll(code: number, reason: string, graceMs: number): Promise<void>
}

/** What {@link createSockets} needs. */
export interface SocketsOptions<R extends MessageSchemas> {
  readonly clock: Clock
  readonly counters: Counting
  readonly members: Members<R>
  readonly keepAlive: KeepAlive | undefined
  readonly reporting: Reporting
  readonly delivery: Delivery | undefined
  readonly maxBufferedBytes: number
  readonly authenticate: Authenticate
  readonly authenticateTimeoutMs: number
  readonly byProtocol: (request: UpgradeRequest) => Authentication
  readonly received: (member: Member<R>, frame: RawFrame) => void
  readonly onConnected: ((client: ConnectedClient<R>) => unknown) | undefined
  readonly onDisconnected: ((client: ConnectedClient<R>, end: SocketEnd) => unknown) | undefined
}

/** Makes an empty {@link Sockets}. */
export function createSockets<R extends MessageSchemas>(options: SocketsOptions<R>): Sockets {
  const { clock, counters, delivery, keepAlive, members, reporting } = options
  const connections = new Set<Connection>()
  let whenEmpty: (() => void) | undefined

  function accept(socket: WebSocket, request: UpgradeRequest): void {
    counters.accepted += 1
    let member: Member<R> | undefined

    const connection = createConnection({
      socket,
      clock,
      counters,
      maxBufferedBytes: options.maxBufferedBytes,
      handlers: {
        failed({ message }) {
          tell('warn', 'socket.failed', { message })
        },
        closed(code, reason) {
          giveUp()
          connections.delete(connection)
          if (member !== undefined) leave(member, { code, reason })
          if (connections.size === 0) whenEmpty?.()
        },
      },
    })
    connections.add(connection)

    function tell(level: 'info' | 'warn', event: string, detail: Record<string, unknown>): void {
      const { userId, deviceId } = member?.client ?? {}
      reporting.log(level, 'connection', event, { ...detail, userId, deviceId })
    }

    function decided(answer: Authentication): void {
      // The client may be on its way out by now, or we.
      if (!connection.isOpen) return
      if (!answer.ok) {
        counters.rejected += 1
        tell('info', 'socket.rejected', { closeCode: answer.closeCode })
        connection.close(answer.closeCode, answer.reason)
        return
      }
      if (delivery?.isAskedFor(request) === true) {
        delivery.load(
          answer.userId,
          () => {
            if (connection.isOpen) letIn(answer, true)
          },
          // Our fault and not the client's: it comes back.
          () => connection.close(1011, 'Unavailable'),
        )
      } else {
        letIn(answer, false)
      }
    }

    function letIn(answer: Authentication & { readonly ok: true }, hasDelivery: boolean): void {
      const { userId, deviceId } = answer
      // Its greeting is the first frame.
      const subscriber = hasDelivery
        ? delivery?.welcome({ userId, deviceId }, connection, () => {
            members.announceAll({ userId, deviceId }, connection)
          })
        : undefined
      const joined = members.join(answer, answer.isAdmin === true, connection, subscriber)
      member = joined
      keepAlive?.add(connection)
      tell('info', 'socket.joined', {})
      reporting.runUserCode('onConnected', () => options.onConnected?.(joined.client))
      connection.admit((frame) => options.received(joined, frame))
    }

    function leave(left: Member<R>, end: SocketEnd): void {
      keepAlive?.delete(connection)
      members.leave(left)
      if (left.subscriber !== undefined) delivery?.release(left.client.userId, left.subscriber)
      tell('info', 'socket.left', { closeCode: end.code })
      reporting.runUserCode('onDisconnected', () => options.onDisconnected?.(left.client, end))
    }

    const giveUp = startAuthentication({
      request,
      authenticate: options.authenticate,
      byProtocol: () => options.byProtocol(request),
      clock,
      timeoutMs: options.authenticateTimeoutMs,
      report: reporting.report,
      decided,
    })
  }

  return {
    get size() {
      return connections.size
    },
    accept,
    closeAll(code, reason, graceMs) {
      if (connections.size === 0) return Promise.resolve()
      return new Promise((resolve) => {
        whenEmpty = resolve
        for (const connection of connections) connection.close(code, reason, graceMs)
      })
    },
  }
}
