import { markKey } from '../log/user-log.js'
import { ClientOutbox } from './client-outbox.js'
import { Mailbox } from './mailbox.js'
import type { ServerDeliveryContext } from './context.js'
import { createSharedStates } from './shared-state.js'

/** A user in memory: the log, and the outboxes that connections send from. */
export class LoadedUser {
  readonly mailbox: Mailbox
  readonly #context: ServerDeliveryContext
  readonly #outboxes = new Map<string, ClientOutbox>()

  constructor(mailbox: Mailbox, context: ServerDeliveryContext) {
    this.mailbox = mailbox
    this.#context = context
  }

  /** The outbox of a client, made if no connection sends from it. The mailbox is loaded. */
  outbox(deviceId: string, cid: string): ClientOutbox {
    const key = markKey({ deviceId, cid })
    const known = this.#outboxes.get(key)
    if (known !== undefined) return known
    const ended = () => this.#outboxes.delete(key)
    const outbox = new ClientOutbox({ deviceId, cid }, this.mailbox, this.#context, ended)
    this.#outboxes.set(key, outbox)
    return outbox
  }
}

/** How many unused mailboxes stay in memory, so that a broadcast need not read the log again. */
const MOST_UNUSED = 1_000

/** The users whose logs are in memory. */
export class Mailboxes {
  readonly #context: ServerDeliveryContext
  readonly #createState: ReturnType<typeof createSharedStates>
  readonly #users = new Map<string, LoadedUser>()
  /** The least recently used first. */
  readonly #unused = new Map<string, Mailbox>()
  #whenIdle: (() => void) | undefined

  constructor(context: ServerDeliveryContext) {
    this.#context = context
    this.#createState = createSharedStates(context)
  }

  /** A user, created if it is not in memory. */
  of(userId: string): LoadedUser {
    this.#unused.delete(userId)
    return this.#users.get(userId) ?? this.#create(userId)
  }

  /** A mailbox may be unused now: it is idle, or a connection no longer reads it. */
  release(mailbox: Mailbox): void {
    if (!isUsed(mailbox)) this.#setAside(mailbox)
    if (this.#whenIdle !== undefined && this.#areAllIdle()) this.#whenIdle()
  }

  /** Resolves once nothing is being written. To be called once. */
  async whenIdle(): Promise<void> {
    if (this.#areAllIdle()) return
    await new Promise<void>((resolve) => {
      this.#whenIdle = resolve
    })
  }

  #create(userId: string): LoadedUser {
    const mailbox = new Mailbox(userId, this.#context, this.#createState, (idle) => {
      this.release(idle)
    })
    const user = new LoadedUser(mailbox, this.#context)
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
    const { options, reporting } = this.#context
    this.#users.delete(userId)
    reporting.runUserCode('delivery.log.close', () => options.log.close?.(userId))
  }

  #areAllIdle(): boolean {
    for (const { mailbox } of this.#users.values()) if (!mailbox.isIdle) return false
    return true
  }
}

function isUsed({ isIdle, readers, activeOutboxes }: Mailbox): boolean {
  return !isIdle || readers.size > 0 || activeOutboxes.size > 0
}
