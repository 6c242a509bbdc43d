import type { Clock } from '../../base/clock.js'
import type { ReportError } from '../../base/errors.js'
import type { Database } from '../../database/database.js'
import type { OutboxIdentity } from './identity.js'
import type { StoredMessage, StoredOutcome } from './stored-message.js'

/** An outbox in the hands of its owner. */
export interface OwnedOutbox {
  readonly identity: OutboxIdentity
  /** What was stored, in the order in which it was accepted. */
  readonly messages: readonly StoredMessage[]
  /** The numbers of the messages are of a former `cid`. */
  readonly isRenewed: boolean
  /** What this handle had added may be stored all the same: the storage hangs. */
  readonly isUncertain: boolean
}

/** What an outbox's storage tells. None of the functions throws. */
export interface OutboxStoreEvents {
  /**
   * This handle owns the outbox. While the storage does not work that is an outbox in memory, and
   * the stored one may follow.
   */
  owned(outbox: OwnedOutbox): void
  /** Another handle owns the outbox, because this one did not answer. */
  lost(): void
  /** For the owner: other handles have added these. */
  added(messages: readonly StoredMessage[]): void
  /** The owner has settled a message that this handle had added. */
  removed(id: string, outcome: StoredOutcome): void
  /** The database has lost what was stored in it: no outcome of a stored message follows. */
  gone(): void
  /** `isDurable` has changed. */
  changed(): void
}

/** Options of an outbox's storage. */
export interface OutboxStoreOptions {
  readonly database: Database
  readonly name: string
  readonly clock: Clock
  readonly leaseMs: number
  readonly makeId: () => string
  readonly report: ReportError
  readonly events: OutboxStoreEvents
}
