import type { Reporting } from '../reporting.js'
import { ClientOutboxes } from './client-outboxes.js'
import type { ClientOutboxOptions } from './client-outbox.js'
import type { UnnumberedMessage } from './logged-message.js'
import { Mailbox, type MailboxOptions } from './mailbox.js'

/** A user in memory: the log, and the outboxes that connections send from. */
export interface LoadedUser {
  readonly mailbox: Mailbox
  readonly outboxes: ClientOutboxes
}

/** What {@link Mailboxes} needs. */
export interface MailboxesOptions
  extends Omit<MailboxOptions, 'userId' | 'becameIdle'>,
    Pick<ClientOutboxOptions, 'acceptance' | 'counters' | 'window'> {
  readonly reporting: Reporting
  /** Sends an accepted message to a user's sockets without delivery. */
  readonly sendToPlain: (userId: string, message: UnnumberedMessage) => void
}

/** How many unused mailboxes stay in memory, so that a broadcast need not read the log again. */
const MOST_UNUSED = 1_000

/** The users whose logs are in memory. */
export class Mailboxes {
  readonly #options: MailboxesOptions
  readonly #users = new Map<string, LoadedUser>()
  /** The least recently used first. */
  readonly #unused = new Map<string, Mailbox>()
  readonly #waitingForIdle = new Set<() => void>()

  constructor(options: MailboxesOptions) {
    this.#options = options
  }

  /** A user, created if it is not in memory. */
  of(userId: string): LoadedUser {
    this.#unused.delete(userId)
    return this.#users.get(userId) ?? this.#create(userId)
  }

  /** A mailbox may be unused now: it is idle, or a connection no longer reads it. */
  release(mailbox: Mailbox): void {
    if (!isUsed(mailbox)) this.#setAside(mailbox)
    if (this.#waitingForIdle.size > 0 && this.#areAllIdle()) {
      for (const resolve of this.#waitingForIdle) resolve()
    }
  }

  /** Resolves once nothing is being written. */
  async whenIdle(): Promise<void> {
    if (this.#areAllIdle()) return
    await new Promise<void>((resolve) => this.#waitingForIdle.add(resolve))
  }

  #create(userId: string): LoadedUser {
    const options = this.#options
    const becameIdle = () => this.release(mailbox)
    const sendToPlain = (message: UnnumberedMessage) => options.sendToPlain(userId, message)
    const mailbox: Mailbox = new Mailbox({ ...options, userId, becameIdle })
    const outboxes = new ClientOutboxes({ ...options, mailbox, sendToPlain })
    const user = { mailbox, outboxes }
    this.#users.set(userId, user)
    return user
  }

  #setAside(mailbox: Mailbox): void {
    this.#unused.delete(mailbox.userId)
    // A mailbox that could not be loaded is loaded again when it is needed.
    if (mailbox.isLoaded) this.#unused.set(mailbox.userId, mailbox)
    else this.#forget(mailbox)
    for (const oldest of this.#unused.values()) {
      if (this.#unused.size <= MOST_UNUSED) break
      this.#unused.delete(oldest.userId)
      this.#forget(oldest)
    }
  }

  #forget({ userId }: Mailbox): void {
    const { log, reporting } = this.#options
    this.#users.delete(userId)
    reporting.runUserCode('delivery.log.close', () => log.close?.(userId))
  }

  #areAllIdle(): boolean {
    for (const { mailbox } of this.#users.values()) if (!mailbox.isIdle) return false
    return true
  }
}

function isUsed({ isIdle, readers, activeOutboxes }: Mailbox): boolean {
  return !isIdle || readers.size > 0 || activeOutboxes.size > 0
}
