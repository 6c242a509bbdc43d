import type { Clock } from './clock.js'

/** What became of a call that had a bound. */
export type Settled<T> =
  | { readonly kind: 'value'; readonly value: T }
  | { readonly kind: 'threw'; readonly error: unknown }
  /** Nothing came within the bound. */
  | { readonly kind: 'late' }
  /** Given up by whoever asked. */
  | { readonly kind: 'aborted' }

/** The bound of a call. */
export interface Deadline {
  readonly clock: Clock
  readonly limitMs: number
  /** Gives the call up before its bound. */
  readonly signal?: AbortSignal | undefined
}

/**
 * Runs what may throw, reject or hang, and says which of them it did; never throws, and leaves no
 * timer. The signal handed to `run` aborts when nobody waits for the outcome any more.
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
      // Before the abort, which may run listeners that settle the call in another way.
      resolve(settled)
      if (settled.kind === 'late' || settled.kind === 'aborted') controller.abort()
    }
    function abort(): void {
      settle({ kind: 'aborted' })
    }
    const timer = clock.setTimeout(() => {
      settle({ kind: 'late' })
    }, limitMs)
    signal?.addEventListener('abort', abort, { once: true })
    attempt(() => run(controller.signal)).then(
      (value) => {
        settle({ kind: 'value', value })
      },
      (error: unknown) => {
        settle({ kind: 'threw', error })
      },
    )
  })
}

// Turns a synchronous throw into a rejection.
async function attempt<T>(run: () => PromiseLike<T> | T): Promise<T> {
  return await run()
}

/**
 * Names what was thrown without repeating any of its text, which may hold a secret: the class of
 * an error, and a code such as `ENOSPC`.
 */
export function nameThrown(error: unknown): string {
  if (!(error instanceof Error)) return typeof error
  const { code } = error as { readonly code?: unknown }
  const name = /^\w{1,60}$/.test(error.name) ? error.name : 'Error'
  return typeof code === 'string' && /^[A-Z][A-Z0-9_]{1,40}$/.test(code) ? `${name} ${code}` : name
}
