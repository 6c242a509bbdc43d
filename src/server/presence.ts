import type { Identity } from '../schemas/server-behaviour.js'

/** A device of a user that has at least one socket. */
export interface ConnectedDevice {
  readonly deviceId: string
  readonly sockets: number
}

/** The last socket of a device is gone: who has to be told, and how often. */
export interface Departure<Connection> {
  /** One `DEVICE_DISCONNECTED` for each `DEVICE_CONNECTED` since the device was last away. */
  readonly times: number
  readonly audience: readonly Connection[]
}

/** A device that is there, and how often it was announced. */
export interface AnnouncedDevice {
  readonly deviceId: string
  readonly times: number
}

/** Which user is there, on which devices, over which sockets. Does no I/O. */
export interface Presence<Connection> {
  readonly userCount: number
  readonly deviceCount: number
  /** Adds a socket; gives the sockets of the user's other devices, which hear of it. */
  join(identity: Identity, connection: Connection): readonly Connection[]
  /** Removes a socket; `undefined` while its device has another one. */
  leave(identity: Identity, connection: Connection): Departure<Connection> | undefined
  /** Every socket of a user, device by device. */
  ofUser(userId: string): readonly Connection[]
  ofDevice(identity: Identity): readonly Connection[]
  users(): readonly string[]
  /** What somebody who was told nothing yet has to be told. */
  announced(userId: string): readonly AnnouncedDevice[]
  devices(userId: string): readonly ConnectedDevice[]
}

interface Device<Connection> {
  readonly connections: Set<Connection>
  announced: number
}

/** Makes an empty {@link Presence}. */
export function createPresence<Connection>(): Presence<Connection> {
  const users = new Map<string, Map<string, Device<Connection>>>()
  let deviceCount = 0

  function enter({ userId, deviceId }: Identity): Device<Connection> {
    const devices = users.get(userId) ?? new Map<string, Device<Connection>>()
    users.set(userId, devices)
    const known = devices.get(deviceId)
    if (known !== undefined) return known
    const device: Device<Connection> = { connections: new Set(), announced: 0 }
    devices.set(deviceId, device)
    deviceCount += 1
    return device
  }

  function ofUser(userId: string, except?: string): readonly Connection[] {
    const connections: Connection[] = []
    for (const [deviceId, device] of users.get(userId) ?? []) {
      if (deviceId !== except) connections.push(...device.connections)
    }
    return connections
  }

  return {
    get userCount() {
      return users.size
    },
    get deviceCount() {
      return deviceCount
    },
    join(identity, connection) {
      const device = enter(identity)
      device.connections.add(connection)
      device.announced += 1
      return ofUser(identity.userId, identity.deviceId)
    },
    leave({ userId, deviceId }, connection) {
      const devices = users.get(userId)
      const device = devices?.get(deviceId)
      if (devices === undefined || device?.connections.delete(connection) !== true) return undefined
      if (device.connections.size > 0) return undefined
      devices.delete(deviceId)
      deviceCount -= 1
      if (devices.size === 0) users.delete(userId)
      return { times: device.announced, audience: ofUser(userId) }
    },
    ofUser: (userId) => ofUser(userId),
    ofDevice: ({ userId, deviceId }) => [...(users.get(userId)?.get(deviceId)?.connections ?? [])],
    users: () => [...users.keys()],
    announced: (userId) =>
      Array.from(users.get(userId) ?? [], ([deviceId, { announced }]) => ({
        deviceId,
        times: announced,
      })),
    devices: (userId) =>
      Array.from(users.get(userId) ?? [], ([deviceId, { connections }]) => ({
        deviceId,
        sockets: connections.size,
      })),
  }
}
