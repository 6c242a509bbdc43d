import type { LoggedMessage } from '../log/delivery-log.js'
import { loggedSizeOf } from './logged-message.js'
import type { ResolvedDeliveryOptions } from './options.js'

// A trim writes the whole state. So it removes a tenth of the messages at once.
const KEPT_BY_TRIM = 0.9

/** How many of the oldest messages a trim removes, so that the rest is well within the bounds. */
export function countToTrim(
  messages: readonly LoggedMessage[],
  bytes: number,
  { maxEntries, maxLogBytes }: ResolvedDeliveryOptions,
): number {
  const mostKept = Math.max(1, Math.floor(maxEntries * KEPT_BY_TRIM))
  let excessBytes = bytes - maxLogBytes * KEPT_BY_TRIM
  const firstKept = messages.findIndex((message, index) => {
    if (messages.length - index <= mostKept && excessBytes <= 0) return true
    excessBytes -= loggedSizeOf(message)
    return false
  })
  return firstKept < 0 ? messages.length : firstKept
}

/** How many bytes messages count for in the bounds of a user's log. */
export function totalSizeOf(messages: readonly LoggedMessage[]): number {
  return messages.reduce((sum, message) => sum + loggedSizeOf(message), 0)
}
