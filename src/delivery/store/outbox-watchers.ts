import type { OutboxWatcher, StoredMessage, StoredOutcome } from './outbox-store.js'

/** The watchers of a handle, as one. */
export class OutboxWatchers implements OutboxWatcher {
  // Wrapped, so that a watcher that was added twice is called twice.
  readonly #watchers = new Set<{ readonly watcher: OutboxWatcher }>()

  get size(): number {
    return this.#watchers.size
  }

  /** Adds a watcher, and gives the function that removes it. */
  add(watcher: OutboxWatcher): () => void {
    const added = { watcher }
    this.#watchers.add(added)
    return () => {
      this.#watchers.delete(added)
    }
  }

  clear(): void {
    this.#watchers.clear()
  }

  added(messages: readonly StoredMessage[]): void {
    for (const { watcher } of [...this.#watchers]) watcher.added(messages)
  }

  removed(id: string, outcome: StoredOutcome): void {
    for (const { watcher } of [...this.#watchers]) watcher.removed(id, outcome)
  }
}
