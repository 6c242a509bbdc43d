import { withDeadline } from '../../base/deadline.js'
import type { OutboxCalls } from './outbox-calls.js'
import type { OutboxStore, OwnedOutbox } from './outbox-store.js'

/** How {@link waitForOutbox} waits. */
export interface OutboxWait {
  readonly calls: OutboxCalls
  /** How long to wait before asking the storage whether it still answers, in milliseconds. */
  readonly everyMs: number
  /** Ends the wait, as the failure of the storage and the end of its use do. */
  readonly signal: AbortSignal
  /** Called when the storage answers during the wait. */
  readonly onAnswer: () => void
}

/** Waits until the storage gives ownership, as long as the storage answers. Never rejects. */
export async function waitForOutbox(
  store: OutboxStore,
  { calls, everyMs, signal, onAnswer }: OutboxWait,
): Promise<OwnedOutbox | undefined> {
  const signals = [signal, calls.failed, calls.closed]
  const fail = (error: unknown): void => calls.fail('acquire', { kind: 'threw', error })
  const ended = new AbortController()
  const end = (): void => ended.abort()
  for (const each of signals) each.addEventListener('abort', end)
  try {
    if (signals.some(({ aborted }) => aborted)) return undefined
    const acquiring = Promise.resolve(store.acquire(ended.signal))
    const acquired = acquiring.then(
      (value) => ({ value }),
      (error: unknown) => ({ error }),
    )
    for (;;) {
      const limit = { clock: calls.clock, limitMs: everyMs, signal: ended.signal }
      const settled = await withDeadline(limit, () => acquired)
      if (settled.kind === 'value') {
        if ('value' in settled.value) return assertOwned(settled.value.value)
        if (!ended.signal.aborted) fail(settled.value.error)
        return undefined
      }
      if (ended.signal.aborted) {
        // The storage may still give ownership later. Then it is released.
        acquiring.then((late) => late.release()).catch(() => undefined)
        return undefined
      }
      if (await calls.attempt('ready', everyMs, () => store.ready())) onAnswer()
    }
  } catch (error) {
    fail(error)
    return undefined
  } finally {
    for (const each of signals) each.removeEventListener('abort', end)
  }
}

// A storage of the user's may give anything.
function assertOwned(value: OwnedOutbox): OwnedOutbox {
  const { lost, messages } = value as { readonly lost?: Partial<AbortSignal>; messages: unknown }
  if (typeof lost?.aborted === 'boolean' && Array.isArray(messages)) return value
  throw new TypeError('acquire gave no outbox')
}

/** Lets callers take turns, in the order in which they ask. */
export class Turns {
  /** Settles when the last turn that was asked for has ended. */
  #last: Promise<void> = Promise.resolve()

  /**
   * Waits for a turn, and gives the function that ends it. Gives `undefined` if one of the signals
   * aborts first.
   */
  take(...signals: readonly AbortSignal[]): Promise<(() => void) | undefined> {
    const before = this.#last
    let endTurn: () => void = () => undefined
    this.#last = new Promise((resolve) => {
      endTurn = resolve
    })
    return new Promise((resolve) => {
      function giveUp(): void {
        // The turn still comes, and ends at once, so that the next caller gets its own.
        void before.then(endTurn)
        settle(undefined)
      }
      function settle(turn: (() => void) | undefined): void {
        for (const signal of signals) signal.removeEventListener('abort', giveUp)
        resolve(turn)
      }
      if (signals.some(({ aborted }) => aborted)) {
        giveUp()
        return
      }
      for (const signal of signals) signal.addEventListener('abort', giveUp)
      void before.then(() => {
        settle(endTurn)
      })
    })
  }
}
