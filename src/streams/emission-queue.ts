/**
 * Runs emissions one after the other, in the order in which they were asked for, however deeply
 * they are nested: what a handler causes is emitted after what it is handling, so that all
 * subscribers see one order.
 */
export interface EmissionQueue {
  /** Runs it now, or after the emissions under way. It must not throw. */
  emit(emission: () => void): void
}

/** Makes an empty queue. */
export function createEmissionQueue(): EmissionQueue {
  const waiting: (() => void)[] = []
  let isDraining = false
  return {
    emit(emission) {
      waiting.push(emission)
      if (isDraining) return
      isDraining = true
      try {
        for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) next()
      } finally {
        isDraining = false
      }
    },
  }
}
