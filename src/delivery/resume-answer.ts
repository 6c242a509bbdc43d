import type { RefusedNumber } from '../schemas/control.js'
import type { OutboxEntry } from './outbox-entry.js'
import type { SendOutcome } from './receipt.js'

/** What a server's answer to `$resume` says about the outbox. */
export interface ResumeAnswer {
  readonly epoch: string
  /** The last number of this outbox that the server has accepted. */
  readonly hwm: number
  /** Whether the server remembers this outbox. */
  readonly isKnown: boolean
  readonly refused: readonly RefusedNumber[]
}

/** A message whose outcome the answer tells. */
export interface AnsweredEntry {
  readonly entry: OutboxEntry
  readonly outcome: SendOutcome
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
  { epoch, hwm, isKnown, refused }: ResumeAnswer,
): { readonly answered: readonly AnsweredEntry[]; readonly unsent: readonly OutboxEntry[] } {
  const codes = new Map(refused)
  const answered: AnsweredEntry[] = []
  const unsent: OutboxEntry[] = []
  const [{ n: first = 0 } = {}] = numbered
  // A mark below our first number: the server lost its memory twice, and told us the first time
  // on a connection that ended before we read it.
  const isSameMemory = isKnown && hwm >= first - 1
  for (const entry of numbered) {
    const { n = 0 } = entry
    const isRemembered = isSameMemory && entry.sentEpoch === epoch
    if (isRemembered && n <= hwm) {
      const code = codes.get(n)
      const outcome =
        code === undefined ? delivered(entry) : ({ outcome: 'refused', code } as const)
      answered.push({ entry, outcome })
    } else {
      if (!isRemembered && entry.wasTransmitted) entry.mayBeDuplicate = true
      unsent.push(entry)
    }
  }
  return { answered, unsent }
}
