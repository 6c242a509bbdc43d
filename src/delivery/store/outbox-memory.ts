import { OutboxContents } from './outbox-contents.js'
import { abortError } from '../../base/deadline.js'
import { closedError, LostError } from './outbox-errors.js'
import type { StoredMessage, OutboxStore, OutboxWatcher, OwnedOutbox } from './outbox-store.js'

/** An outbox in memory that several handles can open, as tabs open one database. */
export interface MemoryOutboxStore {
  open(): MemoryOutboxHandle
}

/** A handle that can also end as tabs and processes do. */
export interface MemoryOutboxHandle extends OutboxStore {
  /** Acts as kill -9: what has resolved stays, what is pending is lost and never settles. */
  crash(): void
  /** Acts as a tab that is frozen for too long: the next standby becomes the owner. */
  loseOwnership(): void
}

/**
 * Makes an outbox that lasts as long as the process: for tests, and for messages that need not
 * outlive it. Its handles compete for ownership and hear of each other, as tabs do.
 *
 * @example
 * const place = createMemoryOutboxStore()
 * const first = place.open()
 * first.crash()
 * const owned = await place.open().acquire(signal) // has every message that `first` had added
 */
export function createMemoryOutboxStore(): MemoryOutboxStore {
  const place = new MemoryOutbox()
  return { open: () => openHandle(place) }
}

/** A caller of `acquire` that waits. */
interface Standby {
  readonly handle: MemoryOutboxHandle
  readonly grant: () => void
  readonly giveUp: () => void
}

interface MemoryOwnership {
  readonly handle: MemoryOutboxHandle
  readonly lost: AbortController
}

/** Runs a change of a handle in a microtask, unless the handle crashes before. */
type RunChange = <T>(run: () => T) => Promise<T>

/** What all handles of an outbox share. */
class MemoryOutbox {
  readonly #contents = new OutboxContents()
  readonly #watchers = new Map<OutboxWatcher, MemoryOutboxHandle>()
  readonly #standbys = new Set<Standby>()
  #owner: MemoryOwnership | undefined
  #fence = 0

  add(handle: MemoryOutboxHandle, messages: readonly StoredMessage[]): void {
    this.#contents.apply({ put: messages })
    const owning = this.#owner?.handle
    if (owning === undefined || owning === handle) return
    this.#tell(
      (other) => other === owning,
      (watcher) => watcher.added(messages),
    )
  }

  watch(handle: MemoryOutboxHandle, watcher: OutboxWatcher): () => void {
    // An object of its own, so that a watcher that was added twice is called twice.
    const added: OutboxWatcher = {
      added: (messages) => watcher.added(messages),
      removed: (id, outcome) => watcher.removed(id, outcome),
    }
    this.#watchers.set(added, handle)
    return () => {
      this.#watchers.delete(added)
    }
  }

  /** Waits for ownership. Rejects when the signal aborts, or when the handle closes. */
  acquire(
    handle: MemoryOutboxHandle,
    signal: AbortSignal,
    runChange: RunChange,
  ): Promise<OwnedOutbox> {
    return new Promise((resolve, reject) => {
      const giveUp = (): void => {
        this.#standbys.delete(standby)
        signal.removeEventListener('abort', giveUp)
        reject(abortError())
      }
      const standby: Standby = {
        handle,
        giveUp,
        grant: () => {
          signal.removeEventListener('abort', giveUp)
          resolve(this.#own(handle, runChange))
        },
      }
      if (signal.aborted) {
        giveUp()
        return
      }
      signal.addEventListener('abort', giveUp)
      this.#standbys.add(standby)
      this.#handOver()
    })
  }

  close(handle: MemoryOutboxHandle): void {
    for (const standby of [...this.#standbys]) if (standby.handle === handle) standby.giveUp()
    this.crash(handle)
  }

  crash(handle: MemoryOutboxHandle): void {
    for (const [watcher, other] of this.#watchers) {
      if (other === handle) this.#watchers.delete(watcher)
    }
    for (const standby of this.#standbys) {
      if (standby.handle === handle) this.#standbys.delete(standby)
    }
    if (this.#owner?.handle === handle) this.#owner = undefined
    this.#handOver()
  }

  loseOwnership(handle: MemoryOutboxHandle): void {
    if (this.#owner?.handle !== handle) return
    const { lost } = this.#owner
    this.#owner = undefined
    this.#handOver()
    lost.abort()
  }

  #own(handle: MemoryOutboxHandle, runChange: RunChange): OwnedOutbox {
    const ownership: MemoryOwnership = { handle, lost: new AbortController() }
    this.#owner = ownership
    this.#fence += 1
    return {
      fence: this.#fence,
      identity: this.#contents.identity,
      messages: this.#contents.messages,
      lost: ownership.lost.signal,
      write: (change) =>
        runChange(() => {
          if (this.#owner !== ownership) throw new LostError()
          const removed = (change.remove ?? []).filter(({ id }) => this.#contents.has(id))
          this.#contents.apply(change)
          for (const { id, outcome } of removed) {
            this.#tell(
              (other) => other !== handle,
              (watcher) => watcher.removed(id, outcome),
            )
          }
        }),
      release: () =>
        runChange(() => {
          if (this.#owner !== ownership) return
          this.#owner = undefined
          this.#handOver()
        }),
    }
  }

  #handOver(): void {
    const [next] = this.#standbys
    if (this.#owner !== undefined || next === undefined) return
    this.#standbys.delete(next)
    next.grant()
  }

  // In a microtask for each watcher: what one does or throws affects neither the change nor the rest.
  #tell(
    isMeant: (handle: MemoryOutboxHandle) => boolean,
    call: (watcher: OutboxWatcher) => void,
  ): void {
    for (const [watcher, handle] of [...this.#watchers]) {
      if (!isMeant(handle)) continue
      void Promise.resolve().then(() => {
        if (this.#watchers.has(watcher)) call(watcher)
      })
    }
  }
}

function openHandle(place: MemoryOutbox): MemoryOutboxHandle {
  let state: 'open' | 'closed' | 'crashed' = 'open'

  // A crash between the call and the change loses the change.
  async function runChange<T>(run: () => T): Promise<T> {
    if (state === 'closed') throw closedError()
    await Promise.resolve()
    if (state === 'crashed') return new Promise<never>(() => undefined)
    return run()
  }

  const handle: MemoryOutboxHandle = {
    ready: () => runChange(() => undefined),
    add: (messages) => runChange(() => place.add(handle, messages)),
    async acquire(signal) {
      await runChange(() => undefined)
      if (state === 'closed') throw abortError()
      return await place.acquire(handle, signal, runChange)
    },
    watch: (watcher) => place.watch(handle, watcher),
    async close() {
      if (state !== 'open') return
      // Calls from before are done first.
      await runChange(() => undefined)
      state = 'closed'
      place.close(handle)
    },
    crash() {
      state = 'crashed'
      place.crash(handle)
    },
    loseOwnership: () => place.loseOwnership(handle),
  }
  return handle
}
