import { createOutboxContents } from './outbox-contents.js'
import { abortError, closedError, LostError } from './outbox-errors.js'
import type {
  StoredMessage,
  OutboxChange,
  OutboxStore,
  OutboxWatcher,
  OwnedOutbox,
} from './outbox-store.js'

/** A place in memory that several handles can be opened on, as tabs open one database. */
export interface MemoryOutboxStore {
  open(): MemoryOutboxHandle
}

/** A handle that can come to the ends that tabs and processes come to. */
export interface MemoryOutboxHandle extends OutboxStore {
  /** As a kill -9: what was resolved stays, what was pending is lost, nothing settles any more. */
  crash(): void
  /** As a tab that is frozen for too long: it loses the outbox to the next in line. */
  loseOwnership(): void
}

interface Waiter {
  readonly handle: MemoryOutboxHandle
  readonly grant: () => void
  readonly giveUp: () => void
}

interface Ownership {
  readonly handle: MemoryOutboxHandle
  readonly lost: AbortController
}

/**
 * Makes a place for outboxes that lasts as long as the process: for tests, and for what need not
 * outlive one. Handles on it compete and are told of each other as tabs are.
 *
 * @example
 * const place = createMemoryOutboxStore()
 * const first = place.open()
 * first.crash()
 * const owned = await place.open().acquire(signal) // has what `first` had been told is kept
 */
export function createMemoryOutboxStore(): MemoryOutboxStore {
  const contents = createOutboxContents()
  const watchers = new Map<OutboxWatcher, MemoryOutboxHandle>()
  const line = new Set<Waiter>()
  let owner: Ownership | undefined
  let fence = 0

  function handOver(): void {
    const [next] = line
    if (owner !== undefined || next === undefined) return
    line.delete(next)
    next.grant()
  }

  function leave(handle: MemoryOutboxHandle): void {
    for (const [watcher, theirs] of watchers) if (theirs === handle) watchers.delete(watcher)
    for (const waiter of line) if (waiter.handle === handle) line.delete(waiter)
    if (owner?.handle === handle) owner = undefined
    handOver()
  }

  // Later, and each by itself: what a watcher does or throws is no part of the change.
  function tell(whom: (handle: MemoryOutboxHandle) => boolean, what: Telling): void {
    for (const [watcher, handle] of [...watchers]) {
      if (!whom(handle)) continue
      void Promise.resolve().then(() => {
        if (watchers.has(watcher)) what(watcher)
      })
    }
  }

  function takeOver(handle: MemoryOutboxHandle, change: ChangeOf): OwnedOutbox {
    const ownership: Ownership = { handle, lost: new AbortController() }
    owner = ownership
    fence += 1
    return {
      fence,
      identity: contents.identity,
      messages: contents.messages,
      lost: ownership.lost.signal,
      write: (wanted) =>
        change(() => {
          if (owner !== ownership) throw new LostError()
          const over = (wanted.remove ?? []).filter(({ id }) => contents.has(id))
          contents.apply(wanted)
          for (const { id, outcome } of over) {
            tell(
              (other) => other !== handle,
              (watcher) => watcher.removed(id, outcome),
            )
          }
        }),
      release: () =>
        change(() => {
          if (owner !== ownership) return
          owner = undefined
          handOver()
        }),
    }
  }

  return {
    open() {
      let end: 'closed' | 'crashed' | undefined

      // A turn of its own between the call and the change, in which a crash loses it.
      async function change<T>(run: () => T): Promise<T> {
        if (end === 'closed') throw closedError()
        await Promise.resolve()
        if (end === 'crashed') return new Promise<never>(() => undefined)
        return run()
      }

      const handle: MemoryOutboxHandle = {
        ready: () => change(() => undefined),
        add: (messages) =>
          change(() => {
            accept(handle, messages)
          }),
        async acquire(signal) {
          await change(() => undefined)
          return await new Promise((resolve, reject) => {
            function giveUp(): void {
              line.delete(waiter)
              signal.removeEventListener('abort', giveUp)
              reject(abortError())
            }
            const waiter: Waiter = {
              handle,
              giveUp,
              grant() {
                signal.removeEventListener('abort', giveUp)
                resolve(takeOver(handle, change))
              },
            }
            if (signal.aborted || end === 'closed') {
              giveUp()
              return
            }
            signal.addEventListener('abort', giveUp)
            line.add(waiter)
            handOver()
          })
        },
        watch(watcher) {
          // Its own object, so that one watcher given twice is heard twice.
          const own: OutboxWatcher = {
            added: (messages) => watcher.added(messages),
            removed: (id, outcome) => watcher.removed(id, outcome),
          }
          watchers.set(own, handle)
          return () => {
            watchers.delete(own)
          }
        },
        async close() {
          if (end !== undefined) return
          // What was called before is done first.
          await change(() => undefined)
          end = 'closed'
          for (const waiter of [...line]) if (waiter.handle === handle) waiter.giveUp()
          leave(handle)
        },
        crash() {
          end = 'crashed'
          leave(handle)
        },
        loseOwnership() {
          if (owner?.handle !== handle) return
          const { lost } = owner
          owner = undefined
          handOver()
          lost.abort()
        },
      }
      return handle
    },
  }

  function accept(handle: MemoryOutboxHandle, messages: readonly StoredMessage[]): void {
    contents.apply({ put: messages } satisfies OutboxChange)
    const owning = owner?.handle
    if (owning === undefined || owning === handle) return
    tell(
      (other) => other === owning,
      (watcher) => watcher.added(messages),
    )
  }
}

type Telling = (watcher: OutboxWatcher) => void
type ChangeOf = <T>(run: () => T) => Promise<T>
