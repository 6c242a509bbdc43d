/**
 * The storage of an outbox: accepted messages survive a crash, a reload and kill -9. Several
 * handles may be open on one outbox (the tabs of a browser, several processes). Each of them adds
 * messages; one of them at a time owns the outbox and sends them. The others are standbys.
 *
 * Each promise may reject or hang: the library limits the wait and continues in memory. The suite
 * test/delivery/store/outbox-compliance.ts tests the contract.
 */
export interface OutboxStore {
  /**
   * Resolves once the storage has answered. It asks the storage at each call, and never waits for
   * another handle. This tells a storage that hangs from one that another handle owns.
   */
  ready(): Promise<void>
  /** Persists messages, in order. Resolves once they survive a crash. Every handle may add. */
  add(messages: readonly StoredMessage[]): Promise<void>
  /**
   * Waits until this handle owns the outbox, without a time limit. Rejects with an `AbortError`
   * when the signal aborts.
   */
  acquire(signal: AbortSignal): Promise<OwnedOutbox>
  /** Calls the watcher for what other handles do from now on. Gives the function that ends it. */
  watch(watcher: OutboxWatcher): () => void
  /** Releases ownership and closes the handle. Later calls reject. */
  close(): Promise<void>
}

/** A message as it is stored. Plain JSON data. */
export interface StoredMessage {
  /** Unique. Made by the handle that accepted the message. */
  readonly id: string
  readonly type: string
  /** Valid by the schema of its type. Absent if the type has no payload. */
  readonly payload?: unknown
  /** In milliseconds since the epoch. */
  readonly acceptedAt: number
  /** When the message expires, in milliseconds since the epoch. */
  readonly expiresAt?: number
  /** Messages with a larger priority are sent first. */
  readonly priority: number
  /** Of several messages with the same type and key, only the latest is sent. */
  readonly key?: string
  /** Its number, and the epoch of the server that it is for. Written before the first transmission. */
  readonly sent?: { readonly n: number; readonly epoch: string }
}

/** How servers know an outbox. */
export interface OutboxIdentity {
  /** The id of the outbox on the wire: a UUID. */
  readonly cid: string
  /** The epoch of the server that last answered for this cid. Absent before the first answer. */
  readonly epoch?: string
}

/** How a message was settled, for the handle that accepted it. Plain JSON data. */
export interface StoredOutcome {
  readonly outcome: string
  readonly [detail: string]: unknown
}

/** An outbox as its owner uses it. */
export interface OwnedOutbox {
  /** The fencing token: larger than that of every former owner. */
  readonly fence: number
  /** `undefined` for a new outbox. */
  readonly identity: OutboxIdentity | undefined
  /** All stored messages, in the order of `add`. */
  readonly messages: readonly StoredMessage[]
  /** Aborts when another handle has become the owner, because this one did not renew its lease. */
  readonly lost: AbortSignal
  /**
   * Makes a change, wholly or not at all. Resolves once it survives a crash. Changes are made in
   * the order of the calls. If another handle owns the outbox by now, it changes nothing and
   * rejects; `lost` is aborted by then.
   */
  write(change: OutboxChange): Promise<void>
  /** Releases the outbox to the next standby. */
  release(): Promise<void>
}

/** A change that an owner makes. */
export interface OutboxChange {
  readonly identity?: OutboxIdentity
  /** New messages, and stored ones with new contents. A stored one keeps its position. */
  readonly put?: readonly StoredMessage[]
  /** Settled messages. The handles that accepted them hear the outcome. */
  readonly remove?: readonly { readonly id: string; readonly outcome: StoredOutcome }[]
}

/** Hears what other handles did to an outbox. */
export interface OutboxWatcher {
  /** For the owner: another handle added these. */
  added(messages: readonly StoredMessage[]): void
  /** For the handle that accepted the message: the owner settled it. Other handles may hear it too. */
  removed(id: string, outcome: StoredOutcome): void
}

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
