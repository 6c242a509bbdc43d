import { markKey } from '../log/user-log.js'
import { ClientOutbox } from './client-outbox.js'
import type { ServerDeliveryContext } from './context.js'
import { Mailbox } from './mailbox.js'
import { type CreateSharedState, createSharedStates } from './shared-state.js'

/** A user in memory: the log, and the outboxes that connections send from. */
export class ServedUser {
  readonly mailbox: Mailbox
  /** How many connections wait until the log is read. */
  arriving = 0
  readonly #outboxes = new Map<string, ClientOutbox>()
  readonly #context: ServerDeliveryContext
  readonly #release: () => void

  /** `release` is called each time that the user may have become unused. */
  constructor(
    userId: string,
    context: ServerDeliveryContext,
    createState: CreateSharedState | undefined,
    release: (user: ServedUser) => void,
  ) {
    this.#context = context
    this.#release = () => release(this)
    this.mailbox = new Mailbox(context, {
      userId,
      createState,
      activeOutboxes: this.#outboxes,
      becameIdle: this.#release,
    })
  }

  get isUsed(): boolean {
    const { readers, working } = this.mailbox
    return (
      working !== undefined || readers.size > 0 || this.#outboxes.size > 0 || this.arriving > 0
    )
  }

  /** The outbox of a client, made if no connection sends from it. The mailbox is loaded. */
  outbox(deviceId: string, cid: string): ClientOutbox {
    const key = markKey({ deviceId, cid })
    const known = this.#outboxes.get(key)
    if (known !== undefined) return known
    const outbox = new ClientOutbox({ deviceId, cid }, this.mailbox, this.#context, () => {
      this.#outboxes.delete(key)
      this.#release()
    })
    this.#outboxes.set(key, outbox)
    return outbox
  }
}

/** How many unused users stay in memory, so that a broadcast need not read the log again. */
const MOST_UNUSED = 1_000

/** The users whose logs are in memory. */
export class Users {
  readonly #context: ServerDeliveryContext
  readonly #createState: CreateSharedState | undefined
  readonly #users = new Map<string, ServedUser>()
  /** The least recently used first. */
  readonly #unused = new Map<string, ServedUser>()

  constructor(context: ServerDeliveryContext) {
    this.#context = context
    this.#createState = createSharedStates(context)
  }

  /** A user, created if it is not in memory. */
  of(userId: string): ServedUser {
    this.#unused.delete(userId)
    const known = this.#users.get(userId)
    if (known !== undefined) return known
    const user = new ServedUser(userId, this.#context, this.#createState, this.release)
    this.#users.set(userId, user)
    return user
  }

  /** A user may be unused now. */
  readonly release = (user: ServedUser): void => {
    if (user.isUsed) return
    const { isLoaded, userId } = user.mailbox
    this.#unused.delete(userId)
    // A log that could not be read is read again when it is needed.
    if (isLoaded) this.#unused.set(userId, user)
    else this.#forget(userId)
    for (const oldest of this.#unused.keys()) {
      if (this.#unused.size <= MOST_UNUSED) break
      this.#unused.delete(oldest)
      this.#forget(oldest)
    }
  }

  isWriting(userId: string): boolean {
    return this.#users.get(userId)?.mailbox.working !== undefined
  }

  /** Resolves once nothing is being written. */
  async settled(): Promise<void> {
    await Promise.all([...this.#users.values()].map(({ mailbox }) => mailbox.working))
  }

  #forget(userId: string): void {
    const { options, reporting } = this.#context
    this.#users.delete(userId)
    reporting.runUserCode('delivery.log.close', () => options.log.close?.(userId))
  }
}
