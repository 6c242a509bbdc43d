import type { MessageMeta } from '../schemas/envelope.js'
import type { MessageSchemas } from '../schemas/schema.js'
import type { Authentication, Identity, ServerBehaviour } from '../schemas/protocol.js'
import type { ConnectedClient } from './client.js'
import type { ClientConnection } from './client-connection.js'
import { assertCloseCode } from './close-code.js'
import type { Subscription } from './delivery/port.js'
import type { UntypedServerContext } from './options.js'
import {
  encodeBatch,
  encodeMessage,
  fanOut,
  type Receiver,
  SERVER_DEVICE_ID,
  type UnsealedMessage,
} from './outgoing.js'
import { Presence } from './presence.js'

/** One authenticated socket. */
export interface Member<R extends MessageSchemas> {
  readonly client: ConnectedClient<R>
  readonly connection: ClientConnection
  readonly subscription: Subscription
}

/**
 * The authenticated sockets. Sends messages to them, each encoded once whatever the number of
 * receivers, and announces to a user's devices which of them come and go.
 */
export class Members<R extends MessageSchemas> {
  readonly presence = new Presence<Member<R>>()
  readonly admins = new Set<Member<R>>()
  readonly #context: UntypedServerContext
  /** How the protocol announces devices. Without it nobody is told. */
  readonly #announcements: ServerBehaviour<R, MessageSchemas>['presence']

  constructor(
    context: UntypedServerContext,
    announcements: ServerBehaviour<R, MessageSchemas>['presence'],
  ) {
    this.#context = context
    this.#announcements = announcements
  }

  /**
   * Adds a socket and announces its device to it and to the user's other devices. A client with
   * delivery hears no announcements before it is sent its roster.
   */
  join(
    { userId, deviceId, isAdmin }: Authentication & { readonly ok: true },
    connection: ClientConnection,
    subscription: Subscription,
  ): Member<R> {
    const client = this.#createClient({ userId, deviceId }, isAdmin === true, connection)
    const member = { client, connection, subscription }
    const others = this.presence.join(client, member)
    if (client.isAdmin) this.admins.add(member)
    this.#announce('connected', client, [member, ...others], 1)
    return member
  }

  /** Removes a socket. Announces to the user's other devices if it was the last of its device. */
  leave(member: Member<R>): void {
    this.admins.delete(member)
    const departure = this.presence.leave(member.client, member)
    if (departure === undefined) return
    this.#announce('disconnected', member.client, departure.audience, departure.times)
  }

  /** Announces all present devices of a user to one connection: its roster. */
  sendRoster({ userId, deviceId: own }: Identity, connection: ClientConnection): void {
    const devices = this.presence.announced(userId)
    // A client takes the first announcement for its own device.
    devices.sort((a, b) => Number(b.deviceId === own) - Number(a.deviceId === own))
    for (const { deviceId, times } of devices) {
      this.#announceTo([{ connection }], 'connected', { userId, deviceId }, times)
    }
  }

  /**
   * Sends a message to some sockets; returns how many took it.
   *
   * @throws SyncError `message-invalid` where JSON cannot hold the data.
   */
  send(
    receivers: Iterable<Receiver>,
    userId: string | undefined,
    message: UnsealedMessage,
    deviceId = SERVER_DEVICE_ID,
  ): number {
    const { clock, envelope } = this.#context
    const meta = { timestamp: clock.epoch(), deviceId, userId }
    return fanOut(receivers, encodeMessage(envelope, message, meta))
  }

  /** Sends to all sockets of a user, several messages in one frame where the envelope has batches. */
  sendToUser(userId: string, messages: readonly UnsealedMessage[]): number {
    const timestamp = this.#context.clock.epoch()
    const meta = { timestamp, deviceId: SERVER_DEVICE_ID, userId }
    return this.#sendBatch(this.presence.ofUser(userId), messages, meta)
  }

  /** As `sendToUser`, to the sockets without delivery alone. */
  sendToPlain(
    userId: string,
    messages: readonly UnsealedMessage[],
    meta: Partial<MessageMeta>,
  ): number {
    const sockets = this.presence.ofUser(userId)
    const receivers = sockets.filter(({ subscription }) => subscription.isPlain)
    return receivers.length === 0 ? 0 : this.#sendBatch(receivers, messages, meta)
  }

  #sendBatch(
    receivers: readonly Receiver[],
    messages: readonly UnsealedMessage[],
    meta: Partial<MessageMeta>,
  ): number {
    let taken = receivers.length
    for (const frame of encodeBatch(this.#context.envelope, messages, meta)) {
      taken = Math.min(taken, fanOut(receivers, frame))
    }
    return taken
  }

  #announce(
    change: 'connected' | 'disconnected',
    device: Identity,
    members: readonly Member<R>[],
    times: number,
  ): void {
    const audience = members.filter(({ subscription }) => subscription.hasRoster)
    this.#announceTo(audience, change, device, times)
  }

  #announceTo(
    audience: readonly Receiver[],
    change: 'connected' | 'disconnected',
    { userId, deviceId }: Identity,
    times: number,
  ): void {
    const announcements = this.#announcements
    const { clock, envelope, reporting } = this.#context
    if (announcements === undefined || audience.length === 0) return
    reporting.runUserCode('server.presence', () => {
      const timestamp = clock.epoch()
      const data = announcements.data({ userId, deviceId }, timestamp)
      const meta = { timestamp, deviceId, userId }
      const frame = encodeMessage(envelope, { type: announcements[change], data }, meta)
      for (let time = 0; time < times; time += 1) fanOut(audience, frame)
    })
  }

  #createClient(
    { userId, deviceId }: Identity,
    isAdmin: boolean,
    connection: ClientConnection,
  ): ConnectedClient<R> {
    const receivers = [{ connection }]
    return {
      userId,
      deviceId,
      isAdmin,
      connectedAt: this.#context.clock.epoch(),
      send: (type, ...[data]) => this.send(receivers, userId, { type, data }) === 1,
      close(code = 1000, reason = '') {
        assertCloseCode(code)
        connection.close(code, reason)
      },
      terminate: () => connection.terminate(),
    }
  }
}
