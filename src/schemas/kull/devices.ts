import * as z from 'zod/mini'

/**
 * The data of `DEVICE_CONNECTED` and `DEVICE_DISCONNECTED`.
 *
 * By contract a device comes with its platform, name and time of connection; the deployed server
 * sends only `deviceId` and `timestamp`.
 */
export const devicePresence = z.object({
  deviceId: z.string(),
  platform: z.optional(z.string()),
  deviceName: z.optional(z.string()),
  /** A number of ms since the epoch, or ISO 8601: the contract does not say which. */
  connectedAt: z.optional(z.union([z.number(), z.string()])),
  /** Milliseconds since the epoch. */
  timestamp: z.optional(z.number()),
})
