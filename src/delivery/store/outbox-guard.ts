import { type Clock, createSystemClock } from '../../base/clock.js'
import { withDeadline } from '../../base/deadline.js'
import type { ReportError } from '../../base/errors.js'
import { OutboxCalls } from './outbox-calls.js'
import { OutboxCopy } from './outbox-contents.js'
import { ownCopy, ownStored } from './outbox-owners.js'
import type {
  GuardedOutbox,
  GuardedOutboxStore,
  StoredMessage,
  StoredOutcome,
  OutboxStore,
  OutboxWatcher,
  OwnedOutbox,
} from './outbox-store.js'
import { Turns, waitForOutbox } from './outbox-wait.js'
import { OutboxWatchers } from './outbox-watchers.js'

/** Options of {@link createGuardedOutboxStore}. */
export interface GuardedOutboxOptions {
  readonly clock?: Clock
  /**
   * How long the storage may take to open, and to answer a standby that asks whether it still
   * works, in milliseconds. Default 3,000.
   */
  readonly timeoutMs?: number
  /** How long one `add`, `write` or `release` may take, in milliseconds. Default 10,000. */
  readonly operationTimeoutMs?: number
  /** Called once, with code `storage-failed`, when memory takes over. */
  readonly onError?: ReportError
}

/**
 * Adds memory to an outbox's storage, so that the outbox works even if the storage fails:
 *
 * - No method rejects. None hangs, except `acquire` while a working owner has the outbox. During
 *   that wait the standby asks the storage from time to time whether it still works.
 * - The first call that throws, rejects or takes too long ends the use of the storage: `isDurable`
 *   is false from then on, and `onError` is called once.
 * - A failure loses no accepted message. An owner stays the owner, with all messages, identity and
 *   fence. Removals still go to the storage, so that the next run does not send settled messages
 *   again.
 * - After a failure a standby gets an in-memory outbox without identity at once. It holds every
 *   message that this handle added. If another handle is known to own the stored outbox, it holds
 *   only those that the storage did not confirm.
 * - A message whose `add` took too long may be sent twice: by this handle, and by the next one
 *   that opens the storage.
 * - A message may have a number (`sent`) from before the failure. If memory continues under a new
 *   identity, the server cannot recognise that number: the message may arrive twice.
 */
export function createGuardedOutboxStore(
  store: OutboxStore,
  options: GuardedOutboxOptions = {},
): GuardedOutboxStore {
  return new OutboxGuard(store, options)
}

class OutboxGuard implements GuardedOutboxStore {
  readonly #store: OutboxStore
  readonly #clock: Clock
  readonly #timeoutMs: number
  readonly #operationTimeoutMs: number
  readonly #calls: OutboxCalls
  readonly #copy = new OutboxCopy()
  readonly #turns = new Turns()
  readonly #watchers = new OutboxWatchers()
  #opening: Promise<void> | undefined
  #stopWatching: () => void = () => undefined
  /** Who owns the stored outbox, as far as this handle knows. */
  #owner: 'unknown' | 'this' | 'other' = 'unknown'
  #lastFence = 0
  /** The number of `add`s that wait until the storage is open. */
  #addsBeforeOpen = 0

  constructor(store: OutboxStore, options: GuardedOutboxOptions) {
    this.#store = store
    this.#clock = options.clock ?? createSystemClock()
    this.#timeoutMs = options.timeoutMs ?? 3_000
    this.#operationTimeoutMs = options.operationTimeoutMs ?? 10_000
    this.#calls = new OutboxCalls({
      clock: this.#clock,
      onError: options.onError,
      beforeFailure: () => this.#leaveStorage(),
    })
  }

  get isDurable(): boolean {
    return !this.#calls.hasFailed()
  }

  async add(messages: readonly StoredMessage[]): Promise<{ readonly durable: boolean }> {
    if (this.#calls.isClosed()) return { durable: false }
    this.#copy.apply({ put: messages })
    this.#addsBeforeOpen += 1
    await this.#open()
    this.#addsBeforeOpen -= 1
    if (this.#calls.hasFailed()) return { durable: false }
    const durable = await this.#calls.attempt('add', this.#operationTimeoutMs, async () => {
      await this.#store.add(messages)
      this.#copy.noteStored(messages)
    })
    return { durable }
  }

  async acquire(signal: AbortSignal): Promise<GuardedOutbox | undefined> {
    await this.#open()
    const endTurn = await this.#turns.take(signal, this.#calls.closed)
    if (endTurn === undefined) return undefined
    const stored = this.#calls.hasFailed() ? undefined : await this.#waitForStored(signal)
    // During the wait the caller may have given up, and the storage may have failed.
    const isUnwanted = signal.aborted || this.#calls.isClosed()
    if (!isUnwanted && !this.#calls.hasFailed() && stored !== undefined) {
      return this.#ownStored(stored, endTurn)
    }
    stored?.release().catch(() => undefined)
    if (!isUnwanted) return this.#ownInMemory(endTurn)
    endTurn()
    return undefined
  }

  watch(watcher: OutboxWatcher): () => void {
    return this.#watchers.add(watcher)
  }

  async close(): Promise<void> {
    if (this.#calls.isClosed()) return
    this.#calls.close()
    this.#watchers.clear()
    await withDeadline({ clock: this.#clock, limitMs: this.#timeoutMs }, async () => {
      // Adds that wait for the storage to open continue first: they are older than the close.
      if (this.#addsBeforeOpen > 0) await this.#opening
      this.#stopWatching()
      await this.#store.close()
    })
    this.#calls.abandon()
  }

  #open(): Promise<void> {
    this.#opening ??= this.#begin()
    return this.#opening
  }

  async #begin(): Promise<void> {
    try {
      this.#stopWatching = this.#store.watch({
        added: (messages) => this.#hearAdded(messages),
        removed: (id, outcome) => this.#hearRemoved(id, outcome),
      })
    } catch (error) {
      this.#calls.fail('watch', { kind: 'threw', error })
      return
    }
    await this.#calls.attempt('ready', this.#timeoutMs, () => this.#store.ready())
  }

  #hearAdded(messages: readonly StoredMessage[]): void {
    if (this.#owner !== 'this') return
    this.#copy.apply({ put: messages })
    this.#copy.noteStored(messages)
    this.#watchers.added(messages)
  }

  #hearRemoved(id: string, outcome: StoredOutcome): void {
    this.#copy.apply({ remove: [{ id, outcome }] })
    this.#watchers.removed(id, outcome)
  }

  #waitForStored(signal: AbortSignal): Promise<OwnedOutbox | undefined> {
    return waitForOutbox(this.#store, {
      calls: this.#calls,
      everyMs: this.#timeoutMs,
      signal,
      // A storage that answers while the wait goes on means that another handle owns the outbox.
      onAnswer: () => {
        this.#owner = 'other'
      },
    })
  }

  #ownStored(stored: OwnedOutbox, endTurn: () => void): GuardedOutbox {
    this.#copy.begin(stored)
    this.#owner = 'this'
    this.#lastFence = Math.max(this.#lastFence, stored.fence)
    return ownStored(stored, {
      copy: this.#copy,
      calls: this.#calls,
      limitMs: this.#operationTimeoutMs,
      onEnded: (reason) => {
        this.#owner = reason === 'lost' ? 'other' : 'unknown'
        endTurn()
      },
    })
  }

  #ownInMemory(endTurn: () => void): GuardedOutbox {
    this.#lastFence += 1
    return ownCopy(this.#lastFence, this.#copy, this.#calls, endTurn)
  }

  // The owner keeps everything; a standby keeps what no other handle will send.
  #leaveStorage(): void {
    if (this.#owner === 'other') this.#copy.leaveStored()
    else if (this.#owner === 'unknown') this.#copy.leaveIdentity()
  }
}
