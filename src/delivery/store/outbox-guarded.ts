import type { StoredMessage, OutboxChange, OutboxIdentity, OutboxWatcher } from './outbox-store.js'

/** An outbox's storage that works even if the storage fails; see `createGuardedOutboxStore`. */
export interface GuardedOutboxStore {
  /** Becomes false when the storage fails. */
  readonly isDurable: boolean
  /** Adds messages, and says whether they survive a crash. Never rejects. */
  add(messages: readonly StoredMessage[]): Promise<{ readonly durable: boolean }>
  /**
   * Waits for ownership, without a time limit. Never rejects: it gives `undefined` when the signal
   * aborts or the outbox is closed.
   */
  acquire(signal: AbortSignal): Promise<GuardedOutbox | undefined>
  /** Calls the watcher for what other handles do from now on. Gives the function that ends it. */
  watch(watcher: OutboxWatcher): () => void
  /** Never rejects, and takes no longer than `timeoutMs`. */
  close(): Promise<void>
}

/** A guarded outbox as its owner uses it. */
export interface GuardedOutbox {
  readonly fence: number
  readonly identity: OutboxIdentity | undefined
  readonly messages: readonly StoredMessage[]
  /** Aborts when another handle has become the owner: that one sends what is stored. */
  readonly lost: AbortSignal
  /**
   * Makes a change. Never rejects: it gives `done` once the change is made, durably unless the
   * storage failed, and `lost` if another handle owns the outbox and nothing was changed.
   */
  write(change: OutboxChange): Promise<'done' | 'lost'>
  /** Releases the outbox to the next standby. Never rejects. */
  release(): Promise<void>
}
