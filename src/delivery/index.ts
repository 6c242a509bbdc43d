/**
 * `statewire/delivery`: messages that wait while there is no connection, are acknowledged by the
 * server, and are sent again if they were missed. See docs/delivery.md.
 *
 * @module
 */
export { createDelivery } from './client-delivery.js'
export type { DeliveryOptions } from './options.js'
