import type { DeliveryEvent } from '../machines/delivery.js'
import type { OutboxEvent } from '../machines/outbox.js'
import type { MessageEncoder } from './message-encoder.js'
import type { MessageRules } from './message-rules.js'
import type { ResolvedDelivery } from './options.js'
import type { DeliveryHost } from './port.js'

/** What the units of one client's delivery share. */
export interface DeliveryParts {
  readonly host: DeliveryHost
  readonly options: ResolvedDelivery
  readonly rules: MessageRules
  readonly encoder: MessageEncoder
}

/** What the units of one outbox share. None of the functions throws. */
export interface OutboxParts extends DeliveryParts {
  /** Names the outbox in the database. */
  readonly key: string
  /** Counts since the client was made, of all its outboxes. */
  readonly counts: {
    accepted: number
    delivered: number
    transmitted: number
    retransmitted: number
  }
  /** Called when the status has changed. */
  readonly changed: () => void
  readonly tell: (fact: OutboxFact) => void
}

/** What happens in an outbox that one of the machines has to know. */
export type OutboxFact = Extract<OutboxEvent | DeliveryEvent, { readonly type: `outbox.${string}` }>
