import type * as z from 'zod/mini'
import type { MapDraft } from '../base/persistent-map.js'
import type { MessageMeta } from '../schemas/envelope.js'
import type { devicePresence } from '../schemas/kull.js'

/** The data of `DEVICE_CONNECTED` and `DEVICE_DISCONNECTED`. */
export type DevicePresence = z.output<typeof devicePresence>

/** A connected device of the user. */
export interface Device {
  readonly deviceId: string
  /** `undefined` from the deployed server, which sends neither this nor a name. */
  readonly platform: string | undefined
  readonly deviceName: string | undefined
  /** In milliseconds since the epoch. */
  readonly connectedAt: number | undefined
  /** The number of its open sockets, as far as the server announced them. */
  readonly sockets: number
  /** Becomes false when our connection drops, and true when the server announces the device again. */
  readonly isConfirmed: boolean
}

type Devices = MapDraft<Device>

/** Applies the announcement of a socket of a device. */
export function addSocket(devices: Devices, data: DevicePresence, meta: MessageMeta): void {
  const known = devices.get(data.deviceId)
  // A count from an earlier connection of ours is out of date.
  const counted = known?.isConfirmed === true ? known : undefined
  devices.set(data.deviceId, {
    deviceId: data.deviceId,
    platform: data.platform ?? known?.platform,
    deviceName: data.deviceName ?? known?.deviceName,
    connectedAt: counted?.connectedAt ?? connectedAtOf(data, meta),
    sockets: (counted?.sockets ?? 0) + 1,
    isConfirmed: true,
  })
}

/**
 * Applies that a socket of a device closed. The deployed server announces each one, even if other
 * sockets of the device are open. The device leaves with its last known socket.
 */
export function removeSocket(devices: Devices, deviceId: string, ownDeviceId?: string): void {
  const known = devices.get(deviceId)
  if (known === undefined) return
  const sockets = known.sockets - 1
  if (deviceId === ownDeviceId) {
    // An older socket of this client: the one that brought this message is open.
    devices.set(deviceId, { ...known, sockets: Math.max(sockets, 1) })
  } else if (sockets > 0) {
    devices.set(deviceId, { ...known, sockets })
  } else {
    devices.delete(deviceId)
  }
}

/** The device while our own connection is down. */
export function unconfirmDevice(device: Device): Device {
  return { ...device, sockets: 0, isConfirmed: false }
}

// Servers may send a number or ISO 8601. The deployed server sends only the time of the message.
function connectedAtOf({ connectedAt, timestamp }: DevicePresence, meta: MessageMeta) {
  const given = typeof connectedAt === 'string' ? Date.parse(connectedAt) : connectedAt
  return given === undefined || Number.isNaN(given) ? (timestamp ?? meta.timestamp) : given
}
