import type { StoredMessage, OutboxChange, OutboxIdentity, OutboxWatcher } from './outbox-store.js'

/** An outbox's storage that answers, whatever becomes of it; see `createGuardedOutboxStore`. */
export interface GuardedOutboxStore {
  /** False from the moment on in which the storage failed. */
  readonly isDurable: boolean
  /** Keeps messages; says whether they survive a crash. Never rejects. */
  add(messages: readonly StoredMessage[]): Promise<{ readonly durable: boolean }>
  /**
   * Waits for ownership, however long another handle has it. Never rejects: `undefined` once the
   * signal is aborted, or the storage closed.
   */
  acquire(signal: AbortSignal): Promise<GuardedOutbox | undefined>
  /** Hears what other handles do, from now on; gives the function that stops it. */
  watch(watcher: OutboxWatcher): () => void
  /** Never rejects, and takes no longer than `timeoutMs`. */
  close(): Promise<void>
}

/** An outbox in the hands of its owner. */
export interface GuardedOutbox {
  readonly fence: number
  readonly identity: OutboxIdentity | undefined
  readonly messages: readonly StoredMessage[]
  /** Aborted when another handle has taken the outbox over: what is stored is its to send. */
  readonly lost: AbortSignal
  /**
   * Makes a change. Never rejects: `done` once it is made, durably where the storage still is;
   * `lost` where the outbox is not this owner's any more, and nothing was changed.
   */
  write(change: OutboxChange): Promise<'done' | 'lost'>
  /** Hands the outbox over. Never rejects. */
  release(): Promise<void>
}
