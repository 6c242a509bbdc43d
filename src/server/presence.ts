import type { Identity } from '../schemas/protocol.js'

/** A device of a user that has at least one socket. */
export interface ConnectedDevice {
  readonly deviceId: string
  readonly sockets: number
}

interface PresentDevice<Socket> {
  readonly sockets: Set<Socket>
  /** How often the device was announced since it was last away. */
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
    return this.ofUser(identity.userId, identity.deviceId)
  }

  /**
   * Removes a socket. If it was the last one of its device, returns who is told, and how often: one
   * `DEVICE_DISCONNECTED` for each `DEVICE_CONNECTED` since the device was last away.
   */
  leave(
    { userId, deviceId }: Identity,
    socket: Socket,
  ): { readonly times: number; readonly audience: readonly Socket[] } | undefined {
    const devices = this.#users.get(userId)
    const device = devices?.get(deviceId)
    if (devices === undefined || device?.sockets.delete(socket) !== true) return undefined
    if (device.sockets.size > 0) return undefined
    devices.delete(deviceId)
    this.#deviceCount -= 1
    if (devices.size === 0) this.#users.delete(userId)
    return { times: device.announced, audience: this.ofUser(userId) }
  }

  /** The sockets of a user, device by device, but for those of one device. */
  ofUser(userId: string, exceptDevice?: string): readonly Socket[] {
    const sockets: Socket[] = []
    for (const [deviceId, device] of this.#users.get(userId) ?? []) {
      if (deviceId !== exceptDevice) sockets.push(...device.sockets)
    }
    return sockets
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
  announced(userId: string): { deviceId: string; times: number }[] {
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
}
