import { type Channel, type ChannelOptions, createChannel } from './client-outbox.js'
import { markKey } from '../log/user-log.js'

/** The outboxes of a user that are heard. */
export interface Channels {
  /** The channel of an outbox, made where there is none. */
  of(deviceId: string, cid: string): Channel
  find(deviceId: string, cid: string): Channel | undefined
}

/** Makes an empty {@link Channels}. */
export function createChannels(
  options: Pick<ChannelOptions, 'mailbox' | 'window' | 'counters'>,
): Channels {
  const channels = new Map<string, Channel>()
  return {
    of(deviceId, cid) {
      const key = markKey({ deviceId, cid })
      const known = channels.get(key)
      if (known !== undefined) return known
      const channel = createChannel({
        ...options,
        deviceId,
        cid,
        ended() {
          channels.delete(key)
        },
      })
      channels.set(key, channel)
      return channel
    },
    find: (deviceId, cid) => channels.get(markKey({ deviceId, cid })),
  }
}
