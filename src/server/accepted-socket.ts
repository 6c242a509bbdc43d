import type { WebSocket } from 'ws'
import type { MessageSchemas } from '../schemas/schema.js'
import type { Authentication, UpgradeRequest } from '../schemas/protocol.js'
import { authenticateClient } from './authentication.js'
import type { SocketEnd } from './client.js'
import { ClientConnection } from './client-connection.js'
import type { ClientMessages } from './client-messages.js'
import type { ServerDeliveryPort, Subscription } from './delivery/port.js'
import type { Member, Members } from './members.js'
import type { ServerContext } from './options.js'
import type { Ticker } from './ticker.js'

/** The parts of a server that its sockets use. */
export interface SocketParts<R extends MessageSchemas, S extends MessageSchemas> {
  readonly context: ServerContext<R, S>
  readonly members: Members<R>
  readonly messages: ClientMessages<R, S>
  readonly delivery: ServerDeliveryPort
  /** Pings the connections of members; absent where the server does not. */
  readonly keepAlive: Ticker<ClientConnection> | undefined
}

/** One socket from its upgrade to its end: it is authenticated, becomes a member, and leaves. */
export class AcceptedSocket<R extends MessageSchemas, S extends MessageSchemas> {
  readonly #parts: SocketParts<R, S>
  readonly #connection: ClientConnection
  #member: Member<R> | undefined
  readonly #left = new AbortController()

  /** `closed` is called once, before the socket's member leaves. */
  constructor(
    parts: SocketParts<R, S>,
    socket: WebSocket,
    closed: (socket: AcceptedSocket<R, S>) => void,
  ) {
    this.#parts = parts
    this.#connection = new ClientConnection(socket, parts.context, {
      failed: ({ message }) => this.#log('warn', 'socket.failed', { message }),
      closed: (code, reason) => {
        closed(this)
        this.#leave({ code, reason })
      },
    })
  }

  /** Asks who connects. An authenticated client becomes a member; another one is closed. */
  async authenticate(request: UpgradeRequest): Promise<void> {
    const { context, delivery, members } = this.#parts
    const connection = this.#connection
    const answer = await authenticateClient(request, context, this.#left.signal)
    if (!answer.ok) {
      this.#reject(answer)
      return
    }
    const sendRoster = () => members.sendRoster(answer, connection)
    // Subscribing comes first: a client with delivery is greeted by the very first frame.
    const subscription = await delivery.subscribe(request, answer, connection, sendRoster)
    // Meanwhile the client, or the server, may have begun to close.
    if (subscription !== undefined && connection.isOpen) this.#join(answer, subscription)
    else subscription?.leave()
  }

  close(code: number, reason: string, graceMs: number): void {
    this.#connection.close(code, reason, graceMs)
  }

  #reject({ closeCode, reason }: Authentication & { readonly ok: false }): void {
    if (!this.#connection.isOpen) return
    this.#parts.context.counters.rejected += 1
    this.#log('info', 'socket.rejected', { closeCode })
    this.#connection.close(closeCode, reason)
  }

  #join(answer: Authentication & { readonly ok: true }, subscription: Subscription): void {
    const { context, keepAlive, members, messages } = this.#parts
    const connection = this.#connection
    const member = members.join(answer, connection, subscription)
    this.#member = member
    keepAlive?.add(connection)
    this.#log('info', 'socket.joined')
    context.reporting.runUserCode('onConnected', () => context.onConnected?.(member.client))
    connection.admit((frame) => messages.read(member, frame))
  }

  #leave(end: SocketEnd): void {
    const { context, keepAlive, members } = this.#parts
    const member = this.#member
    this.#left.abort()
    if (member === undefined) return
    keepAlive?.delete(this.#connection)
    members.leave(member)
    member.subscription.leave()
    this.#log('info', 'socket.left', { closeCode: end.code })
    context.reporting.runUserCode('onDisconnected', () => {
      return context.onDisconnected?.(member.client, end)
    })
  }

  #log(level: 'info' | 'warn', event: string, detail?: Readonly<Record<string, unknown>>): void {
    const { userId, deviceId } = this.#member?.client ?? {}
    const { reporting } = this.#parts.context
    reporting.log(level, 'connection', event, { ...detail, userId, deviceId })
  }
}
