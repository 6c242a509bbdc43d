import type { RefusedNumber } from '../schemas/control.js'
import type { OutboxEntry } from './outbox-entry.js'
import type { SendOutcome } from './receipt.js'

/** The way to the server, as long as one connection lasts. `maxBytes` is the largest frame. */
export type Channel =
  /** To a server that acknowledges nothing. */
  { readonly kind: 'plain'; readonly maxBytes: number } | AcknowledgedChannel

/** The way to a server with delivery, and what its answer to `$resume` says about the outbox. */
export interface AcknowledgedChannel {
  readonly kind: 'acknowledged'
  readonly maxBytes: number
  /** The most messages that may be unacknowledged. */
  readonly window: number
  readonly epoch: string
  /** The last number of this outbox that the server has accepted. */
  readonly hwm: number
  /** Whether the server remembers this outbox. */
  readonly isKnown: boolean
  readonly refused: readonly RefusedNumber[]
}

/** The outcome of a message that a server has acknowledged. */
export function delivered({ mayBeDuplicate }: OutboxEntry): SendOutcome {
  return { outcome: 'delivered', ...(mayBeDuplicate && { possibleDuplicate: true as const }) }
}

/**
 * Sorts the messages that have a number by what the server's answer says about each: its outcome,
 * or that it has to be sent again. The latter are marked as possible duplicates if the server may
 * have accepted them before it lost its memory.
 */
export function sortByAnswer(
  numbered: readonly OutboxEntry[],
  { epoch, hwm, isKnown, refused }: AcknowledgedChannel,
): { readonly answered: ReadonlyMap<OutboxEntry, SendOutcome>; readonly unsent: OutboxEntry[] } {
  const codes = new Map(refused)
  const answered = new Map<OutboxEntry, SendOutcome>()
  const unsent: OutboxEntry[] = []
  const [{ n: first = 0 } = {}] = numbered
  // If `hwm` is below our first number, the server lost its log twice, and the connection ended before
  // we read the first notice.
  const isSameMemory = isKnown && hwm >= first - 1
  for (const entry of numbered) {
    const { n = 0 } = entry
    const isRemembered = isSameMemory && entry.sentEpoch === epoch
    if (isRemembered && n <= hwm) {
      const code = codes.get(n)
      answered.set(entry, code === undefined ? delivered(entry) : { outcome: 'refused', code })
    } else {
      if (!isRemembered && entry.wasTransmitted) entry.mayBeDuplicate = true
      unsent.push(entry)
    }
  }
  return { answered, unsent }
}
