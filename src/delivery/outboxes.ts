import type { GuardedOutboxStore } from './store/outbox-guarded.js'
import { createOutbox, type Outbox, type OutboxFact, type OutboxOptions } from './outbox.js'

/** One outbox for each key, of which one is in use. */
export interface Outboxes {
  readonly current: Outbox
  /** Whether what the current one accepts survives a crash. */
  readonly isDurable: boolean
  /** Makes the outbox of a key the current one; what waits in the others stays there. */
  use(key: string): void
  dispose(): void
}

/** What {@link createOutboxes} needs. None of the functions throws. */
export interface OutboxesOptions extends Omit<OutboxOptions, 'keeper' | 'tell' | 'changed'> {
  /** Where the outbox of a key is kept; `undefined`: in memory alone. */
  readonly openKeeper: (key: string) => GuardedOutboxStore | undefined
  readonly changed: () => void
  /** Hears what happens in the current outbox. */
  readonly tell: (fact: OutboxFact) => void
}

interface Opened {
  readonly outbox: Outbox
  readonly keeper: GuardedOutboxStore | undefined
}

/** Makes the outboxes of a client, the one of `key` in use. */
export function createOutboxes(options: OutboxesOptions, key: string): Outboxes {
  const opened = new Map<string, Opened>()
  let currentKey = key
  let current = open(key)

  function open(key: string): Opened {
    const known = opened.get(key)
    if (known !== undefined) return known
    const keeper = options.openKeeper(key)
    const isCurrent = (): boolean => currentKey === key
    const outbox = createOutbox({
      ...options,
      keeper,
      changed() {
        if (isCurrent()) options.changed()
      },
      tell(fact) {
        if (isCurrent()) options.tell(fact)
      },
    })
    opened.set(key, { outbox, keeper })
    return { outbox, keeper }
  }

  return {
    get current() {
      return current.outbox
    },
    get isDurable() {
      return current.keeper?.isDurable === true
    },
    use(key) {
      if (key === currentKey) return
      current.outbox.transmission.close()
      currentKey = key
      current = open(key)
      // Its machine then acquires it, and looks when something in it expires.
      options.tell({ type: 'outbox.lost' })
      options.changed()
    },
    dispose() {
      for (const { outbox } of opened.values()) outbox.dispose()
    },
  }
}
