import { type Channels, createChannels } from './client-outboxes.js'
import type { DeliveryLog } from '../log/delivery-log.js'
import { createMailbox, type Mailbox, type MailboxOptions } from './mailbox.js'
import type { DeliveryCounting } from './stats.js'

/** A user's mailbox and the outboxes that are heard. */
export interface User {
  readonly mailbox: Mailbox
  readonly channels: Channels
}

/** The users whose messages are in memory. */
export interface Mailboxes {
  of(userId: string): User
  /** To be told when somebody no longer reads a mailbox. */
  released(mailbox: Mailbox): void
  /** Resolves once nothing is being written, at once where nothing is. */
  whenIdle(): Promise<void>
}

/** What {@link createMailboxes} needs. */
export interface MailboxesOptions
  extends Pick<MailboxOptions, 'bounds' | 'envelope' | 'createState'> {
  readonly log: DeliveryLog
  readonly window: number
  readonly counters: DeliveryCounting
  readonly failed: (userId: string, cause: unknown) => void
  readonly runUserCode: (name: string, code: () => unknown) => void
}

/** How many mailboxes that nobody needs stay, so that a broadcast need not read the log anew. */
const MOST_IDLE = 1_000

/** Makes an empty {@link Mailboxes}. */
export function createMailboxes(options: MailboxesOptions): Mailboxes {
  const { log, window, counters } = options
  const users = new Map<string, User>()
  // The least recently needed first.
  const idle = new Map<string, Mailbox>()
  const waiting = new Set<() => void>()

  function make(userId: string): User {
    const mailbox = createMailbox({
      ...options,
      userId,
      failed: (cause) => options.failed(userId, cause),
      becameIdle,
    })
    const user = { mailbox, channels: createChannels({ mailbox, window, counters }) }
    users.set(userId, user)
    return user
  }

  function isNeeded({ isIdle, readers, heard }: Mailbox): boolean {
    return !isIdle || readers.size > 0 || heard.size > 0
  }

  function becameIdle(mailbox: Mailbox): void {
    if (!isNeeded(mailbox)) setAside(mailbox)
    if (waiting.size > 0 && areIdle()) for (const resolve of waiting) resolve()
  }

  function setAside(mailbox: Mailbox): void {
    idle.delete(mailbox.userId)
    // One that could not be read is read anew.
    if (mailbox.isLoaded) idle.set(mailbox.userId, mailbox)
    else forget(mailbox)
    for (const oldest of idle.values()) {
      if (idle.size <= MOST_IDLE) break
      idle.delete(oldest.userId)
      forget(oldest)
    }
  }

  function forget({ userId }: Mailbox): void {
    users.delete(userId)
    options.runUserCode('delivery.log.close', () => log.close?.(userId))
  }

  function areIdle(): boolean {
    for (const { mailbox } of users.values()) if (!mailbox.isIdle) return false
    return true
  }

  return {
    of(userId) {
      idle.delete(userId)
      return users.get(userId) ?? make(userId)
    },
    released: becameIdle,
    async whenIdle() {
      if (areIdle()) return
      await new Promise<void>((resolve) => waiting.add(resolve))
    },
  }
}
