import type { ServerDeliveryContext } from './context.js'
import { Mailbox } from './mailbox.js'
import { type CreateSharedState, createSharedStates } from './shared-state.js'

/** How many unused mailboxes stay in memory, so that a broadcast need not read the log again. */
const MOST_UNUSED = 1_000

/** The users whose logs are in memory. */
export class Mailboxes {
  readonly #context: ServerDeliveryContext
  readonly #createState: CreateSharedState | undefined
  readonly #mailboxes = new Map<string, Mailbox>()
  /** The least recently used first. */
  readonly #unused = new Set<Mailbox>()

  constructor(context: ServerDeliveryContext) {
    this.#context = context
    this.#createState = createSharedStates(context)
  }

  /** The mailbox of a user, created if it is not in memory. */
  of(userId: string): Mailbox {
    const known = this.#mailboxes.get(userId)
    // Whoever asks for it uses it, and releases it afterwards.
    if (known !== undefined) {
      this.#unused.delete(known)
      return known
    }
    const mailbox = new Mailbox(userId, this.#context, this.#createState, this.release)
    this.#mailboxes.set(userId, mailbox)
    return mailbox
  }

  /** A mailbox may be unused now. */
  readonly release = (mailbox: Mailbox): void => {
    if (mailbox.isUsed) return
    this.#unused.delete(mailbox)
    // A log that could not be read is read again when it is needed.
    if (mailbox.isLoaded) this.#unused.add(mailbox)
    else this.#forget(mailbox)
    for (const oldest of this.#unused) {
      if (this.#unused.size <= MOST_UNUSED) break
      this.#unused.delete(oldest)
      this.#forget(oldest)
    }
  }

  isWriting(userId: string): boolean {
    return this.#mailboxes.get(userId)?.working !== undefined
  }

  /** Resolves once nothing is being written. */
  async settled(): Promise<void> {
    for (const { working } of this.#mailboxes.values()) await working
  }

  #forget({ userId }: Mailbox): void {
    const { options, reporting } = this.#context
    this.#mailboxes.delete(userId)
    reporting.runUserCode('delivery.log.close', () => options.log.close?.(userId))
  }
}
