/** The functions that a handle calls when another handle may have written something. */
export class Watchers {
  readonly #watchers = new Set<{ readonly changed: () => void }>()

  get size(): number {
    return this.#watchers.size
  }

  /** Adds a function. Gives the function that takes it away. */
  add(changed: () => void): () => void {
    // An object of its own, so that a function that was added twice is called twice.
    const watcher = { changed }
    this.#watchers.add(watcher)
    return () => {
      this.#watchers.delete(watcher)
    }
  }

  /** Calls each function in a microtask: what one does or throws affects nothing else. */
  tell(): void {
    for (const watcher of this.#watchers) {
      void Promise.resolve().then(() => {
        if (this.#watchers.has(watcher)) watcher.changed()
      })
    }
  }

  clear(): void {
    this.#watchers.clear()
  }
}
