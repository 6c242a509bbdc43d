/** Counts that start again with each process, summed up. */
export interface Tally {
  /** Another process counts from 0. */
  begin(): void
  /** What the process has counted so far. */
  put(counts: Readonly<Record<string, number>>): void
  of(name: string): number
}

/** Makes an empty {@link Tally}. */
export function createTally(): Tally {
  const before = new Map<string, number>()
  let now: Readonly<Record<string, number>> = {}
  return {
    begin() {
      for (const [name, count] of Object.entries(now)) {
        before.set(name, (before.get(name) ?? 0) + count)
      }
      now = {}
    },
    put(counts) {
      now = counts
    },
    of: (name) => (before.get(name) ?? 0) + (now[name] ?? 0),
  }
}
