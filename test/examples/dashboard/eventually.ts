import { vi } from 'vitest'

/** Waits until an assertion holds: over real sockets and processes, on a machine that may be busy. */
export function eventually<T>(assertion: () => T): Promise<T> {
  return vi.waitFor(assertion, { timeout: 30_000 })
}
