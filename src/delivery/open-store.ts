import type { OutboxParts } from './parts.js'
import type { OutboxStoreEvents } from './store/outbox-port.js'
import { OutboxStore } from './store/outbox-store.js'

/** Opens the storage of an outbox. Without a database the outbox is in memory alone. */
export function openStore(
  { host: { clock, report }, key, options }: OutboxParts,
  events: OutboxStoreEvents,
): OutboxStore | undefined {
  const { database, leaseMs, makeId } = options
  if (database === undefined) return undefined
  return new OutboxStore({ database, name: key, clock, leaseMs, makeId, report, events })
}
