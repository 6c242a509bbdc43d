/**
 * Runs emissions one after the other, in the order in which they were asked for, however deeply the
 * requests are nested: what a handler causes is emitted after what it is handling, so that all
 * subscribers see one order.
 */
export class EmissionQueue {
  readonly #waiting: (() => void)[] = []
  #isDraining = false

  /** Runs an emission now, or after those that are under way. The emission must not throw. */
  emit(emission: () => void): void {
    this.#waiting.push(emission)
    if (this.#isDraining) return
    this.#isDraining = true
    try {
      for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift())
        next()
    } finally {
      this.#isDraining = false
    }
  }
}
