import { type Clock, createSystemClock } from '../../base/clock.js'
import { nameThrown, type Settled, withDeadline } from '../../base/deadline.js'
import { type ReportError, SyncError } from '../../base/errors.js'
import { createOutboxCopy, ownCopy } from './outbox-copy.js'
import type { GuardedOutbox, GuardedOutboxStore } from './outbox-guarded.js'
import type {
  StoredMessage,
  OutboxChange,
  OutboxStore,
  OutboxWatcher,
  OwnedOutbox,
} from './outbox-store.js'
import { promised } from '../../storage/store.js'
import { createTurns } from './outbox-turns.js'
import { waitForOutbox } from './outbox-wait.js'

/** Options of {@link createGuardedOutboxStore}. */
export interface GuardedOutboxOptions {
  readonly clock?: Clock
  /** How long the storage may take to open, and to answer while ownership is waited for, in milliseconds. Default 3,000. */
  readonly timeoutMs?: number
  /** How long one `add`, `write` or `release` may take, in milliseconds. Default 10,000. */
  readonly operationTimeoutMs?: number
  /** Told once, with code `storage-failed`, when memory takes over. */
  readonly onError?: ReportError
}

/** A timer that fires this much late tells of a sleep, not of a storage that hangs. */
const LATE_TIMER_MS = 1_000

type Operation = 'ready' | 'add' | 'acquire' | 'watch' | 'write' | 'release'

/**
 * Puts memory behind an outbox's storage. Whoever uses it can rely on this:
 *
 * - Nothing rejects, and nothing hangs but the wait for an owner that is well. While that lasts,
 *   the storage is asked now and then whether it is still there.
 * - The first thing that throws, rejects or takes too long ends the use of the storage for good:
 *   `isDurable` is false, `onError` has been told, once.
 * - Nothing that was accepted is lost by that. Who owns the outbox goes on owning it, with all its
 *   messages, identity and fence; only what is over is still handed to the storage, so that it is
 *   not sent again by the next run. Who waits owns, at once, an outbox in memory without identity,
 *   which has what was added here: all of it, or, where another handle is known to own what is
 *   stored, what the storage did not say it has.
 * - A message of unknown fate (an `add` that took too long) may be sent twice: from here, and by
 *   whoever opens the storage next.
 * - In memory, a message may bear a number (`sent`) of an identity that is gone.
 */
export function createGuardedOutboxStore(
  store: OutboxStore,
  options: GuardedOutboxOptions = {},
): GuardedOutboxStore {
  const { clock = createSystemClock(), timeoutMs = 3_000, onError } = options
  const { operationTimeoutMs = 10_000 } = options
  const copy = createOutboxCopy()
  const turns = createTurns()
  const watchers = new Set<OutboxWatcher>()
  // Aborted when the storage has failed, and when `close` is called.
  const failure = new AbortController()
  const closing = new AbortController()
  const running = new Set<AbortController>()
  let opening: Promise<unknown> | undefined
  let stopWatching: () => void = () => undefined
  let owned: OwnedOutbox | undefined
  let isOthers = false
  let lastFence = 0
  // How many `add`s the storage has not been asked for yet: it has to open first.
  let toBeAdded = 0

  const hasFailed = (): boolean => failure.signal.aborted
  const isClosed = (): boolean => closing.signal.aborted

  function fail(operation: Operation, settled: Exclude<Settled<unknown>, { kind: 'value' }>): void {
    if (hasFailed() || isClosed()) return
    if (owned === undefined) {
      if (isOthers) copy.leaveStored()
      else copy.leaveIdentity()
    }
    failure.abort()
    const what = settled.kind === 'threw' ? `failed (${nameThrown(settled.error)})` : 'hangs'
    // The cause is left out: a storage's error may repeat what it was given.
    const message = `The outbox's storage ${what} (${operation}); memory is used from now on.`
    onError?.(new SyncError('storage-failed', message))
  }

  // A controller each: Node warns of a signal that many listen to.
  async function bounded(
    limitMs: number,
    run: () => PromiseLike<unknown>,
  ): Promise<Settled<unknown>> {
    const controller = new AbortController()
    running.add(controller)
    const limit = { clock, limitMs, signal: controller.signal }
    const answer = promised(run)
    let settled: Settled<unknown>
    let dueAt: number
    do {
      dueAt = clock.now() + limitMs
      settled = await withDeadline(limit, () => answer)
      // After a sleep the timer comes before an answer that has been there for long.
    } while (settled.kind === 'late' && clock.now() - dueAt > LATE_TIMER_MS)
    running.delete(controller)
    return settled
  }

  /** Whether the storage did it; where it did not, it has failed. */
  async function attempt(
    operation: Operation,
    limitMs: number,
    run: () => PromiseLike<unknown>,
  ): Promise<boolean> {
    const settled = await bounded(limitMs, run)
    if (settled.kind !== 'value') fail(operation, settled)
    return settled.kind === 'value'
  }

  function open(): Promise<unknown> {
    opening ??= begin()
    return opening
  }

  // Nothing came of the wait so far: another handle owns the outbox, or the storage hangs.
  async function askAgain(): Promise<void> {
    if (await attempt('ready', timeoutMs, () => store.ready())) isOthers = true
  }

  async function begin(): Promise<void> {
    try {
      stopWatching = store.watch({ added: hearAdded, removed: hearRemoved })
    } catch (error) {
      fail('watch', { kind: 'threw', error })
      return
    }
    await attempt('ready', timeoutMs, () => store.ready())
  }

  function hearAdded(messages: readonly StoredMessage[]): void {
    if (owned === undefined) return
    copy.apply({ put: messages })
    copy.noteStored(messages)
    for (const watcher of [...watchers]) watcher.added(messages)
  }

  const hearRemoved: OutboxWatcher['removed'] = (id, outcome) => {
    copy.apply({ remove: [{ id, outcome }] })
    for (const watcher of [...watchers]) watcher.removed(id, outcome)
  }

  function own(stored: OwnedOutbox, next: () => void): GuardedOutbox {
    copy.begin(stored)
    owned = stored
    isOthers = false
    lastFence = Math.max(lastFence, stored.fence)
    let isOver = false

    function finish(): void {
      isOver = true
      owned = undefined
      stored.lost.removeEventListener('abort', lose)
      next()
    }
    function lose(): void {
      isOthers = true
      copy.leaveStored()
      finish()
    }
    if (stored.lost.aborted) lose()
    else stored.lost.addEventListener('abort', lose)

    return {
      fence: stored.fence,
      identity: stored.identity,
      messages: copy.messages,
      lost: stored.lost,
      async write(change) {
        if (isOver || isClosed()) return 'lost'
        const added = (change.put ?? []).filter(({ id }) => !copy.has(id))
        if (hasFailed()) forget(stored, change)
        copy.apply(change)
        if (hasFailed()) return 'done'
        const settled = await bounded(operationTimeoutMs, async () => {
          await stored.write(change)
          copy.noteStored(change.put ?? [])
        })
        if (settled.kind === 'value') return 'done'
        if (stored.lost.aborted) {
          // Nothing was changed, so these are nobody's.
          copy.apply({ remove: added.map(({ id }) => ({ id, outcome: { outcome: 'lost' } })) })
          return 'lost'
        }
        if (isClosed()) return 'lost'
        fail('write', settled)
        return 'done'
      },
      async release() {
        if (isOver) return
        // The next owner has what is stored. Where nothing can be stored any more, all is here.
        if (hasFailed()) copy.leaveStored()
        finish()
        await attempt('release', operationTimeoutMs, () => stored.release())
      },
    }
  }

  // Fails as everything does by now, or is done in its own time.
  function forget(stored: OwnedOutbox, { remove = [] }: OutboxChange): void {
    const known = remove.filter(({ id }) => copy.isStored(id))
    if (known.length > 0) promised(() => stored.write({ remove: known })).catch(() => undefined)
  }

  function ownInMemory(next: () => void): GuardedOutbox {
    lastFence += 1
    return ownCopy(copy, lastFence, isClosed, next)
  }

  return {
    get isDurable() {
      return !hasFailed()
    },
    async add(messages) {
      if (isClosed()) return { durable: false }
      copy.apply({ put: messages })
      toBeAdded += 1
      await open()
      toBeAdded -= 1
      if (hasFailed()) return { durable: false }
      const durable = await attempt('add', operationTimeoutMs, async () => {
        await store.add(messages)
        copy.noteStored(messages)
      })
      return { durable }
    },
    async acquire(signal) {
      await open()
      const next = await turns.take(signal, closing.signal)
      if (next === undefined) return undefined
      const stored = hasFailed()
        ? undefined
        : await waitForOutbox({
            store,
            clock,
            everyMs: timeoutMs,
            signals: [signal, failure.signal, closing.signal],
            ask: askAgain,
            onThrown: (error) => fail('acquire', { kind: 'threw', error }),
          })
      // Both may have happened while it was on its way.
      if (signal.aborted || isClosed()) {
        stored?.release().catch(() => undefined)
        next()
        return undefined
      }
      if (stored === undefined || hasFailed()) {
        stored?.release().catch(() => undefined)
        return ownInMemory(next)
      }
      return own(stored, next)
    },
    watch(watcher) {
      const heard: OutboxWatcher = {
        added: (messages) => watcher.added(messages),
        removed: (id, outcome) => watcher.removed(id, outcome),
      }
      watchers.add(heard)
      return () => {
        watchers.delete(heard)
      }
    },
    async close() {
      if (isClosed()) return
      closing.abort()
      watchers.clear()
      await withDeadline({ clock, limitMs: timeoutMs }, async () => {
        // They go on first, since they have waited for it longer.
        if (toBeAdded > 0) await opening
        stopWatching()
        await store.close()
      })
      for (const controller of running) controller.abort()
    },
  }
}
