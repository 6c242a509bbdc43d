/**
 * Where an outbox is kept, so that what it accepted outlives a crash, a reload, a kill -9. Several
 * handles may be open on one place (tabs of a browser, processes): any of them adds messages, one
 * of them at a time owns the outbox and sends what is in it.
 *
 * Every promise may reject or hang: the library bounds the wait and goes on in memory. The
 * compliance suite in test/storage says what the contract means.
 */
export interface OutboxStore {
  /**
   * Resolves once the place has answered; asks anew at each call. Never waits for another handle,
   * so that waiting to own the outbox can be told from a place that hangs.
   */
  ready(): Promise<void>
  /** Keeps messages, in order; resolves once they survive a crash. Any handle may. */
  add(messages: readonly StoredMessage[]): Promise<void>
  /**
   * Waits until this handle owns the outbox, however long another one does; gives what is kept.
   * Rejects with an `AbortError` once the signal is aborted.
   */
  acquire(signal: AbortSignal): Promise<OwnedOutbox>
  /** Hears what other handles do, from now on; gives the function that stops it. */
  watch(watcher: OutboxWatcher): () => void
  /** Gives up ownership and everything that is open. What is called from then on rejects. */
  close(): Promise<void>
}

/** A message as it is kept. Plain JSON data. */
export interface StoredMessage {
  /** Made by whoever accepted it, and used once. */
  readonly id: string
  readonly type: string
  /** Validated by the schema of its type. Absent where the message has none. */
  readonly payload?: unknown
  /** In milliseconds since the epoch. */
  readonly acceptedAt: number
  /** When it is not worth sending any more, in milliseconds since the epoch. */
  readonly expiresAt?: number
  /** Larger ones go first. */
  readonly priority: number
  /** Of messages with the same type and key only the latest is worth sending. */
  readonly key?: string
  /** Its number, once it has been given one, and the epoch of the server that it was sent to. */
  readonly sent?: { readonly n: number; readonly epoch: string }
}

/** How an outbox is known to servers. */
export interface OutboxIdentity {
  /** A UUID: the outbox's name on the wire. */
  readonly cid: string
  /** The epoch in which a server last answered for this cid; absent before the first answer. */
  readonly epoch?: string
}

/** What became of a message, for the handle that accepted it. Plain JSON data. */
export interface StoredOutcome {
  readonly outcome: string
  readonly [detail: string]: unknown
}

/** An outbox in the hands of its owner. */
export interface OwnedOutbox {
  /** Larger than that of every owner before. */
  readonly fence: number
  /** `undefined` for an outbox that was never used. */
  readonly identity: OutboxIdentity | undefined
  /** Everything that is kept, in the order of `add`. */
  readonly messages: readonly StoredMessage[]
  /** Aborted when another handle has taken the outbox over: because this one did not answer. */
  readonly lost: AbortSignal
  /**
   * Makes a change, wholly or not at all; resolves once it survives a crash. Changes are made in
   * the order of the calls. Rejects, with nothing changed, where another handle owns the outbox by
   * now; `lost` is aborted by then.
   */
  write(change: OutboxChange): Promise<void>
  /** Hands the outbox over to whoever waits for it. */
  release(): Promise<void>
}

/** A change by the owner. */
export interface OutboxChange {
  readonly identity?: OutboxIdentity
  /** New messages, and those that were kept with something changed (in their old place). */
  readonly put?: readonly StoredMessage[]
  /** Messages that are over; whoever accepted them is told how. */
  readonly remove?: readonly { readonly id: string; readonly outcome: StoredOutcome }[]
}

/** Hears of an outbox what other handles did to it. */
export interface OutboxWatcher {
  /** For the owner: another handle added these. */
  added(messages: readonly StoredMessage[]): void
  /** For whoever else accepted the message: the owner is done with it. Others may hear it too. */
  removed(id: string, outcome: StoredOutcome): void
}
