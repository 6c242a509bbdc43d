import type * as z from 'zod/mini'
import type { MapDraft } from '../base/persistent-map.js'
import type { MessageMeta } from '../schemas/envelope.js'
import type { devicePresence } from '../schemas/kull/devices.js'

/** What `DEVICE_CONNECTED` and `DEVICE_DISCONNECTED` say. */
export type DevicePresence = z.output<typeof devicePresence>

/** A device of the user's that is connected. */
export interface Device {
  readonly deviceId: string
  /** `undefined` from the deployed server, which sends neither this nor a name. */
  readonly platform: string | undefined
  readonly deviceName: string | undefined
  /** In milliseconds since the epoch. */
  readonly connectedAt: number | undefined
  /** How many of its sockets we were told of and not yet told the end of. */
  readonly sockets: number
  /** `false` since our own connection dropped and until the device is announced anew. */
  readonly isConfirmed: boolean
}

type Devices = MapDraft<Device>

/** A server announced a socket of a device. */
export function addSocket(devices: Devices, data: DevicePresence, meta: MessageMeta): void {
  const known = devices.get(data.deviceId)
  // What was counted on an earlier connection of ours is not worth anything any more.
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
 * A server said that a socket of a device closed: the deployed one does each time, though other
 * sockets of the same device may be open. The device has left with the last that we know of.
 */
export function removeSocket(devices: Devices, deviceId: string, ownDeviceId?: string): void {
  const known = devices.get(deviceId)
  if (known === undefined) return
  const sockets = known.sockets - 1
  if (deviceId === ownDeviceId) {
    // An older socket of our own: the one that we hear this on is open.
    devices.set(deviceId, { ...known, sockets: Math.max(sockets, 1) })
  } else if (sockets > 0) {
    devices.set(deviceId, { ...known, sockets })
  } else {
    devices.delete(deviceId)
  }
}

/** The device as it stands while our own connection is down. */
export function unconfirmDevice(device: Device): Device {
  return { ...device, sockets: 0, isConfirmed: false }
}

// Servers may send a number or ISO 8601. The deployed server sends only the time of the message.
function connectedAtOf({ connectedAt, timestamp }: DevicePresence, meta: MessageMeta) {
  const given = typeof connectedAt === 'string' ? Date.parse(connectedAt) : connectedAt
  return given === undefined || Number.isNaN(given) ? (timestamp ?? meta.timestamp) : given
}
