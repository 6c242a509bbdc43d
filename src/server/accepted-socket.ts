import type { WebSocket } from 'ws'
import type { RawFrame } from '../schemas/message.js'
import type { MessageSchemas } from '../schemas/schema.js'
import type { Authentication, UpgradeRequest } from '../schemas/protocol.js'
import { type Authenticate, startAuthentication } from './authentication.js'
import type { ConnectedClient, SocketEnd } from './client.js'
import { ClientConnection, type ClientConnectionOptions } from './client-connection.js'
import type { DeliveryPort, Subscribe } from './delivery/port.js'
import type { Member, Members } from './members.js'
import type { Reporting } from './reporting.js'
import type { Ticker } from './ticker.js'

/** What an {@link AcceptedSocket} needs, the same for all sockets of a server. */
export interface AcceptedSocketOptions<R extends MessageSchemas>
  extends Pick<ClientConnectionOptions, 'clock' | 'counters' | 'maxBufferedBytes'> {
  readonly members: Members<R>
  /** Pings the connections of members; absent where the server does not. */
  readonly keepAlive: Ticker<ClientConnection> | undefined
  readonly reporting: Reporting
  readonly delivery: DeliveryPort
  readonly authenticate: Authenticate
  readonly authenticateTimeoutMs: number
  readonly byProtocol: (request: UpgradeRequest) => Authentication
  readonly receive: (member: Member<R>, frame: RawFrame) => void
  readonly onConnected: ((client: ConnectedClient<R>) => unknown) | undefined
  readonly onDisconnected: ((client: ConnectedClient<R>, end: SocketEnd) => unknown) | undefined
}

/** One socket from its upgrade to its end: it is authenticated, becomes a member, and leaves. */
export class AcceptedSocket<R extends MessageSchemas> {
  readonly #options: AcceptedSocketOptions<R>
  readonly #connection: ClientConnection
  #member: Member<R> | undefined
  #abandonAuthentication = (): void => {}

  /** `closed` is called once, before the socket's member leaves. */
  constructor(
    options: AcceptedSocketOptions<R>,
    socket: WebSocket,
    closed: (socket: AcceptedSocket<R>) => void,
  ) {
    const { clock, counters, maxBufferedBytes } = options
    this.#options = options
    this.#connection = new ClientConnection({
      socket,
      clock,
      counters,
      maxBufferedBytes,
      failed: ({ message }) => this.#log('warn', 'socket.failed', { message }),
      closed: (code, reason) => {
        closed(this)
        this.#leave({ code, reason })
      },
    })
  }

  /** Asks who connects. An authenticated client becomes a member; another one is closed. */
  authenticate(request: UpgradeRequest): void {
    const { authenticate, authenticateTimeoutMs, byProtocol, clock, reporting } = this.#options
    this.#abandonAuthentication = startAuthentication({
      request,
      authenticate,
      byProtocol: () => byProtocol(request),
      clock,
      timeoutMs: authenticateTimeoutMs,
      report: (error) => reporting.report(error),
      decided: (answer) => this.#authenticated(request, answer),
    })
  }

  close(code: number, reason: string, graceMs: number): void {
    this.#connection.close(code, reason, graceMs)
  }

  #authenticated(request: UpgradeRequest, answer: Authentication): void {
    const { counters, delivery } = this.#options
    const connection = this.#connection
    // Meanwhile the client, or the server, may have begun to close.
    if (!connection.isOpen) return
    if (!answer.ok) {
      counters.rejected += 1
      this.#log('info', 'socket.rejected', { closeCode: answer.closeCode })
      connection.close(answer.closeCode, answer.reason)
      return
    }
    delivery.prepare(
      request,
      answer,
      (subscribe) => {
        if (connection.isOpen) this.#join(answer, subscribe)
      },
      // 1011 is the server's fault: the client tries again.
      () => connection.close(1011, 'Unavailable'),
    )
  }

  #join(answer: Authentication & { readonly ok: true }, subscribe: Subscribe): void {
    const { keepAlive, members, onConnected, receive, reporting } = this.#options
    const { userId, deviceId } = answer
    const connection = this.#connection
    // Subscribing comes first: a client with delivery is greeted by the very first frame.
    const subscription = subscribe(connection, () => {
      members.sendRoster({ userId, deviceId }, connection)
    })
    const member = members.join(answer, answer.isAdmin === true, connection, subscription)
    this.#member = member
    keepAlive?.add(connection)
    this.#log('info', 'socket.joined', {})
    reporting.runUserCode('onConnected', () => onConnected?.(member.client))
    connection.admit((frame) => receive(member, frame))
  }

  #leave(end: SocketEnd): void {
    const { keepAlive, members, onDisconnected, reporting } = this.#options
    const member = this.#member
    this.#abandonAuthentication()
    if (member === undefined) return
    keepAlive?.delete(this.#connection)
    members.leave(member)
    member.subscription.leave()
    this.#log('info', 'socket.left', { closeCode: end.code })
    reporting.runUserCode('onDisconnected', () => onDisconnected?.(member.client, end))
  }

  #log(level: 'info' | 'warn', event: string, detail: Readonly<Record<string, unknown>>): void {
    const { userId, deviceId } = this.#member?.client ?? {}
    this.#options.reporting.log(level, 'connection', event, { ...detail, userId, deviceId })
  }
}
