import type { KeptMessage, OutboxChange, OutboxWatcher } from '../../storage/outbox-store.js'

/**
 * Where an outbox is kept, as the outbox relies on it: no promise rejects, and each settles within
 * a bound, but for the wait until another owner goes.
 */
export interface Keeper {
  /** Keeps messages; tells whether they survive a crash. */
  add(messages: readonly KeptMessage[]): Promise<boolean>
  /** Gives the outbox once it is ours; never where the signal was aborted before. */
  acquire(signal: AbortSignal): Promise<KeptOutbox>
  watch(watcher: OutboxWatcher): () => void
  close(): Promise<void>
}

/** An outbox that is ours. */
export interface KeptOutbox {
  readonly fence: number
  /** Its name on the wire; `undefined` where it never had one, and is to be given one. */
  readonly cid: string | undefined
  readonly messages: readonly KeptMessage[]
  /** Aborted when somebody else has taken it. */
  readonly lost: AbortSignal
  /** Makes a change; `lost` where somebody else has taken the outbox, and nothing was changed. */
  readonly write: (change: OutboxChange) => Promise<'done' | 'lost'>
}
