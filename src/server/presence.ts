import type { Identity } from '../schemas/protocol.js'

/** A device of a user that has at least one socket. */
export interface ConnectedDevice {
  readonly deviceId: string
  readonly sockets: number
}

/** The last socket of a device closed: who is told, and how often. */
export interface Departure<Socket> {
  /** One `DEVICE_DISCONNECTED` for each `DEVICE_CONNECTED` since the device was last away. */
  readonly times: number
  readonly audience: readonly Socket[]
}

/** A device that is present, and how often it was announced. */
export interface AnnouncedDevice {
  readonly deviceId: string
  readonly times: number
}

interface PresentDevice<Socket> {
  readonly sockets: Set<Socket>
  announced: number
}

/** Which users are present, on which devices, over which sockets. Does no I/O. */
export class Presence<Socket> {
  /** The devices by device id, by user id. */
  readonly #users = new Map<string, Map<string, PresentDevice<Socket>>>()
  #deviceCount = 0

  get userCount(): number {
    return this.#users.size
  }

  get deviceCount(): number {
    return this.#deviceCount
  }

  /** Adds a socket. Returns the sockets of the user's other devices, which are told. */
  join(identity: Identity, socket: Socket): readonly Socket[] {
    const device = this.#deviceOf(identity)
    device.sockets.add(socket)
    device.announced += 1
    return this.#socketsOf(identity.userId, identity.deviceId)
  }

  /** Removes a socket. Returns `undefined` while its device has another one. */
  leave({ userId, deviceId }: Identity, socket: Socket): Departure<Socket> | undefined {
    const devices = this.#users.get(userId)
    const device = devices?.get(deviceId)
    if (devices === undefined || device?.sockets.delete(socket) !== true) return undefined
    if (device.sockets.size > 0) return undefined
    devices.delete(deviceId)
    this.#deviceCount -= 1
    if (devices.size === 0) this.#users.delete(userId)
    return { times: device.announced, audience: this.#socketsOf(userId) }
  }

  /** Every socket of a user, device by device. */
  ofUser(userId: string): readonly Socket[] {
    return this.#socketsOf(userId)
  }

  ofDevice({ userId, deviceId }: Identity): readonly Socket[] {
    return [...(this.#users.get(userId)?.get(deviceId)?.sockets ?? [])]
  }

  users(): readonly string[] {
    return [...this.#users.keys()]
  }

  devices(userId: string): readonly ConnectedDevice[] {
    return Array.from(this.#users.get(userId) ?? [], ([deviceId, { sockets }]) => ({
      deviceId,
      sockets: sockets.size,
    }))
  }

  /** The devices of a user, each with the number of announcements that a newcomer is sent. */
  announced(userId: string): readonly AnnouncedDevice[] {
    return Array.from(this.#users.get(userId) ?? [], ([deviceId, { announced }]) => ({
      deviceId,
      times: announced,
    }))
  }

  #deviceOf({ userId, deviceId }: Identity): PresentDevice<Socket> {
    const devices = this.#users.get(userId) ?? new Map<string, PresentDevice<Socket>>()
    this.#users.set(userId, devices)
    const known = devices.get(deviceId)
    if (known !== undefined) return known
    const device: PresentDevice<Socket> = { sockets: new Set(), announced: 0 }
    devices.set(deviceId, device)
    this.#deviceCount += 1
    return device
  }

  #socketsOf(userId: string, exceptDevice?: string): readonly Socket[] {
    const sockets: Socket[] = []
    for (const [deviceId, device] of this.#users.get(userId) ?? []) {
      if (deviceId !== exceptDevice) sockets.push(...device.sockets)
    }
    return sockets
  }
}
