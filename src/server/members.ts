import type { Clock } from '../base/clock.js'
import { SyncError } from '../base/errors.js'
import type { MessageSchemas } from '../schemas/schema.js'
import type { Identity } from '../schemas/server-behaviour.js'
import { encodeMessage, fanOut, type Receiver, SERVER_DEVICE_ID } from './broadcast.js'
import type { ConnectedClient } from './client.js'
import { isSendableCloseCode } from './close-code.js'
import type { Connection } from './client-connection.js'
import type { Subscriber } from './delivery/subscriber.js'
import type { ServedProtocol } from './options.js'
import { createPresence, type Presence } from './presence.js'
import type { Reporting } from './reporting.js'

/** One socket that was let in. */
export interface Member<R extends MessageSchemas> {
  readonly client: ConnectedClient<R>
  readonly connection: Connection
  /** What it takes part in delivery with; absent for a plain one. */
  readonly subscriber?: Subscriber
}

/** Who was let in and is still there. */
export interface Members<R extends MessageSchemas> {
  readonly presence: Pick<
    Presence<Member<R>>,
    'userCount' | 'deviceCount' | 'ofUser' | 'ofDevice' | 'users' | 'devices'
  >
  readonly admins: ReadonlySet<Member<R>>
  /**
   * Adds a socket, and tells it and the user's other devices. One with delivery is told when it has
   * said where it stands, together with who else is there.
   */
  join(
    identity: Identity,
    isAdmin: boolean,
    connection: Connection,
    subscriber?: Subscriber,
  ): Member<R>
  /** Tells a socket who is there, its own device first. */
  announceAll(identity: Identity, connection: Connection): void
  /** Removes a socket, and tells the user's other devices if it was its device's last. */
  leave(member: Member<R>): void
}

/** What {@link createMembers} needs. */
export interface MembersOptions<R extends MessageSchemas, S extends MessageSchemas> {
  readonly protocol: ServedProtocol<R, S>
  readonly clock: Clock
  readonly runUserCode: Reporting['runUserCode']
}

/** Makes an empty {@link Members}. */
export function createMembers<R extends MessageSchemas, S extends MessageSchemas>(
  options: MembersOptions<R, S>,
): Members<R> {
  const { protocol, clock } = options
  const presence = createPresence<Member<R>>()
  const admins = new Set<Member<R>>()

  function announce(
    what: 'connected' | 'disconnected',
    device: Identity,
    hearers: readonly Member<R>[],
    times = 1,
  ): void {
    const audience = hearers.filter(({ subscriber }) => subscriber?.knowsPeers !== false)
    announceTo(audience, what, device, times)
  }

  function announceTo(
    audience: readonly Receiver[],
    what: 'connected' | 'disconnected',
    device: Identity,
    times: number,
  ): void {
    const rule = protocol.server?.presence
    if (rule === undefined || audience.length === 0) return
    options.runUserCode('server.presence', () => {
      const timestamp = clock.epoch()
      const { userId, deviceId } = device
      const frame = encodeMessage(
        protocol.envelope.toClient,
        { type: rule[what], data: rule.data({ userId, deviceId }, timestamp) },
        { timestamp, deviceId, userId },
      )
      for (let time = 0; time < times; time += 1) fanOut(audience, frame)
    })
  }

  function createClient(
    { userId, deviceId }: Identity,
    isAdmin: boolean,
    connection: Connection,
  ): ConnectedClient<R> {
    return {
      userId,
      deviceId,
      isAdmin,
      connectedAt: clock.epoch(),
      send(type, ...[data]) {
        const meta = { timestamp: clock.epoch(), deviceId: SERVER_DEVICE_ID, userId }
        return connection.send(encodeMessage(protocol.envelope.toClient, { type, data }, meta))
      },
      close(code = 1000, reason = '') {
        if (!isSendableCloseCode(code)) {
          throw new SyncError('option-invalid', `${code} is no close code that can be sent`)
        }
        connection.close(code, reason)
      },
      terminate: () => connection.terminate(),
    }
  }

  return {
    presence,
    admins,
    join(identity, isAdmin, connection, subscriber) {
      const client = createClient(identity, isAdmin, connection)
      const member = { client, connection, ...(subscriber !== undefined && { subscriber }) }
      const others = presence.join(identity, member)
      if (isAdmin) admins.add(member)
      announce('connected', identity, [member, ...others])
      return member
    },
    announceAll({ userId, deviceId: own }, connection) {
      const devices = presence.announced(userId)
      // A client takes the first announcement for its own.
      const ownFirst = [
        ...devices.filter(({ deviceId }) => deviceId === own),
        ...devices.filter(({ deviceId }) => deviceId !== own),
      ]
      for (const { deviceId, times } of ownFirst) {
        announceTo([{ connection }], 'connected', { userId, deviceId }, times)
      }
    },
    leave(member) {
      admins.delete(member)
      const departure = presence.leave(member.client, member)
      if (departure === undefined) return
      announce('disconnected', member.client, departure.audience, departure.times)
    },
  }
}
