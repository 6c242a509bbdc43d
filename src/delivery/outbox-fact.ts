import type { DeliveryEvent } from '../machines/delivery.js'
import type { OutboxEvent } from '../machines/outbox.js'

/** What happens in an outbox that one of the machines has to know. */
export type OutboxFact = Extract<OutboxEvent | DeliveryEvent, { readonly type: `outbox.${string}` }>
