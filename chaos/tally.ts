/** Sums up counts of several processes, each of which counts from 0. */
export class Tally {
  /** The counts of the processes that have ended. */
  readonly #before = new Map<string, number>()
  #current: Readonly<Record<string, number>> = {}

  /** Begins with another process. */
  begin(): void {
    for (const [name, count] of Object.entries(this.#current)) {
      this.#before.set(name, (this.#before.get(name) ?? 0) + count)
    }
    this.#current = {}
  }

  /** Sets what the current process has counted so far. */
  put(counts: Readonly<Record<string, number>>): void {
    this.#current = counts
  }

  of(name: string): number {
    return (this.#before.get(name) ?? 0) + (this.#current[name] ?? 0)
  }
}
