import type { Clock } from '../../base/clock.js'
import { withDeadline } from '../../base/deadline.js'
import type { OutboxStore, OwnedOutbox } from './outbox-store.js'

/** Options of {@link waitForOutbox}. */
export interface OutboxWait {
  readonly store: OutboxStore
  readonly clock: Clock
  /** How long to wait between two calls of `probe`, in milliseconds. */
  readonly everyMs: number
  /** Each of them ends the wait. */
  readonly signals: readonly AbortSignal[]
  /** Finds out whether the storage still answers. If it does not, one of the signals aborts. */
  readonly probe: () => Promise<unknown>
  readonly onThrown: (error: unknown) => void
}

/** Waits until the storage gives ownership, as long as the storage answers. Never rejects. */
export async function waitForOutbox(wait: OutboxWait): Promise<OwnedOutbox | undefined> {
  const { store, clock, everyMs, signals, probe, onThrown } = wait
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
        // The storage may still give ownership later. Then it is released.
        acquiring.then((late) => late.release()).catch(() => undefined)
        return undefined
      }
      await probe()
    }
  } catch (error) {
    onThrown(error)
    return undefined
  } finally {
    for (const signal of signals) signal.removeEventListener('abort', end)
  }
}

// A storage of the user's may give anything.
function assertOwned(value: OwnedOutbox): OwnedOutbox {
  const { lost, messages } = value as { readonly lost?: Partial<AbortSignal>; messages: unknown }
  if (typeof lost?.aborted === 'boolean' && Array.isArray(messages)) return value
  throw new TypeError('acquire gave no outbox')
}
