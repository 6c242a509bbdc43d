import { ClientDelivery } from './client-delivery.js'
import { type DeliveryOptions, resolveDelivery } from './options.js'
import type { Delivery } from './port.js'

/**
 * Makes the delivery of a client. Messages wait while there is no connection. A server that has
 * delivery too acknowledges them, and sends what the client missed. With any other server messages
 * wait, and are then sent as without delivery. docs/delivery.md says what is promised.
 *
 * @throws SyncError `option-invalid`, naming the option.
 *
 * @example
 * const sync = createSyncClient(chat, { url, delivery: createDelivery({ maxMessages: 100 }) })
 * const receipt = sync.send('SAY', { text: 'hello' }) // in any state
 * await receipt.settled // { outcome: 'delivered' }
 */
export function createDelivery(options: DeliveryOptions = {}): Delivery {
  const resolved = resolveDelivery(options)
  return { attach: (host) => new ClientDelivery(resolved, host) }
}
