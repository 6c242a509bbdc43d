import type { Clock } from '../../base/clock.js'
import { withDeadline } from '../../base/deadline.js'
import type { OutboxStore, OwnedOutbox } from './outbox-store.js'

/** What somebody waits for ownership with. */
export interface OutboxWait {
  readonly store: OutboxStore
  readonly clock: Clock
  /** How long nothing may come before `ask`, in milliseconds, each time. */
  readonly everyMs: number
  /** Any of them ends the wait. */
  readonly signals: readonly AbortSignal[]
  /** Finds out whether the storage still answers; where it does not, one of the signals is aborted. */
  readonly ask: () => Promise<unknown>
  readonly onThrown: (error: unknown) => void
}

/** Waits for the storage's ownership for as long as it answers; never rejects. */
export async function waitForOutbox(wait: OutboxWait): Promise<OwnedOutbox | undefined> {
  const { store, clock, everyMs, signals, ask, onThrown } = wait
  const ended = new AbortController()
  const end = (): void => ended.abort()
  for (const signal of signals) signal.addEventListener('abort', end)
  try {
    if (signals.some(({ aborted }) => aborted)) return undefined
    const acquiring = Promise.resolve(store.acquire(ended.signal))
    const acquired = acquiring.then(
      (value) => ({ value }),
      (error: unknown) => ({ error }),
    )
    for (;;) {
      const limit = { clock, limitMs: everyMs, signal: ended.signal }
      const settled = await withDeadline(limit, () => acquired)
      if (settled.kind === 'value') {
        if ('value' in settled.value) return assertOwned(settled.value.value)
        if (!ended.signal.aborted) onThrown(settled.value.error)
        return undefined
      }
      if (ended.signal.aborted) {
        // Should it come after all, it is not wanted any more.
        acquiring.then((late) => late.release()).catch(() => undefined)
        return undefined
      }
      await ask()
    }
  } catch (error) {
    onThrown(error)
    return undefined
  } finally {
    for (const signal of signals) signal.removeEventListener('abort', end)
  }
}

// Storage of the user's may give what it likes.
function assertOwned(value: OwnedOutbox): OwnedOutbox {
  const { lost, messages } = value as { readonly lost?: Partial<AbortSignal>; messages: unknown }
  if (typeof lost?.aborted === 'boolean' && Array.isArray(messages)) return value
  throw new TypeError('acquire gave no outbox')
}
