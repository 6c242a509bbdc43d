import type { Clock } from './clock.js'

/** How a call with a deadline ended. */
export type Settled<T> =
  | { readonly kind: 'value'; readonly value: T }
  | { readonly kind: 'threw'; readonly error: unknown }
  /** Nothing came within the time limit. */
  | { readonly kind: 'late' }
  /** The caller aborted it. */
  | { readonly kind: 'aborted' }

/** How long a call may take. */
export interface Deadline {
  readonly clock: Clock
  readonly limitMs: number
  /** Aborts the call before its time limit. */
  readonly signal?: AbortSignal | undefined
}

/**
 * Runs a function that may throw, reject or hang, and reports which of these happened. Never throws
 * or rejects, and leaves no timer behind. The signal that `run` gets aborts when the outcome is no
 * longer wanted.
 */
export function withDeadline<T>(
  { clock, limitMs, signal }: Deadline,
  run: (signal: AbortSignal) => PromiseLike<T> | T,
): Promise<Settled<T>> {
  if (signal?.aborted === true) return Promise.resolve({ kind: 'aborted' })
  const controller = new AbortController()
  return new Promise((resolve) => {
    function settle(settled: Settled<T>): void {
      clock.clearTimeout(timer)
      signal?.removeEventListener('abort', abort)
      // Before the abort, whose listeners may settle the call in another way.
      resolve(settled)
      if (settled.kind === 'late' || settled.kind === 'aborted') controller.abort()
    }
    const abort = (): void => settle({ kind: 'aborted' })
    const timer = clock.setTimeout(() => settle({ kind: 'late' }), limitMs)
    signal?.addEventListener('abort', abort, { once: true })
    attempt(() => run(controller.signal)).then(
      (value) => settle({ kind: 'value', value }),
      (error: unknown) => settle({ kind: 'threw', error }),
    )
  })
}

// Turns a synchronous throw into a rejection.
async function attempt<T>(run: () => PromiseLike<T> | T): Promise<T> {
  return await run()
}

/**
 * Names what was thrown: the class of an error, and a code such as `ENOSPC`. The text of the error
 * is left out, since it may hold a secret.
 */
export function nameThrown(error: unknown): string {
  if (!(error instanceof Error)) return typeof error
  const { code } = error as { readonly code?: unknown }
  const name = /^\w{1,60}$/.test(error.name) ? error.name : 'Error'
  return typeof code === 'string' && /^[A-Z][A-Z0-9_]{1,40}$/.test(code) ? `${name} ${code}` : name
}

/** What a wait rejects with when its signal aborts. */
export function abortError(): Error {
  return Object.assign(new Error('the wait was aborted'), { name: 'AbortError' })
}
