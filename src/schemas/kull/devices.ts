import * as z from 'zod/mini'

/**
 * The data of `DEVICE_CONNECTED` and `DEVICE_DISCONNECTED`.
 *
 * The product's servers may send platform, name and time of connection of a device. The deployed
 * server sends only `deviceId` and `timestamp`.
 */
export const devicePresence = z.object({
  deviceId: z.string(),
  platform: z.optional(z.string()),
  deviceName: z.optional(z.string()),
  /** Milliseconds since the epoch, or ISO 8601. Servers may send either. */
  connectedAt: z.optional(z.union([z.number(), z.string()])),
  /** Milliseconds since the epoch. */
  timestamp: z.optional(z.number()),
})
