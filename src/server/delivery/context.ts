import type { Members } from '../members.js'
import type { ServedProtocol, UntypedServerContext } from '../options.js'
import type { Counting, DeliveryCounters } from '../stats.js'
import type { MessageSchemas } from '../../schemas/schema.js'
import type { ResolvedDeliveryOptions } from './options.js'

/** What the parts of a server's delivery share. */
export interface ServerDeliveryContext
  extends Pick<
    UntypedServerContext,
    'clock' | 'envelope' | 'maxBufferedBytes' | 'maxMessageBytes' | 'reporting'
  > {
  readonly options: ResolvedDeliveryOptions
  readonly protocol: Pick<ServedProtocol<MessageSchemas, never>, 'receive' | 'coordinator'>
  readonly counters: Counting<DeliveryCounters>
  readonly members: Pick<Members<never>, 'sendToPlain' | 'presence'>
}
