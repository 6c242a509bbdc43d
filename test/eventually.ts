import { vi } from 'vitest'

/**
 * Waits until an assertion holds. The bound of 30 s is only for what hangs: tests with real sockets
 * and processes run on machines that may be busy.
 */
export function eventually<T>(assertion: () => T): Promise<T> {
  return vi.waitFor(assertion, { timeout: 30_000 })
}
