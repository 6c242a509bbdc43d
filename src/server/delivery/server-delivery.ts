import { withDeadline } from '../../base/deadline.js'
import { SyncError } from '../../base/errors.js'
import { CAPABILITIES } from '../../schemas/control.js'
import type { Identity, UpgradeRequest } from '../../schemas/protocol.js'
import type { DeliveryLog, LogPosition } from '../log/delivery-log.js'
import { SERVER_DEVICE_ID, type UnsealedMessage } from '../outgoing.js'
import { createDeliveryCounters } from '../stats.js'
import { Ticker } from '../ticker.js'
import type { ServerDeliveryContext } from './context.js'
import { encodeData, type UnnumberedMessage } from './logged-message.js'
import { Mailboxes } from './mailboxes.js'
import { plainSubscription } from './no-delivery.js'
import type { ServerDeliveryPort, SubscriberConnection, Subscription } from './port.js'
import { Subscriber } from './subscriber.js'

/**
 * The delivery of a server: numbers what goes to all of a user's devices, writes it to the log, and
 * then sends it. It reads nothing from the log before the first client or message.
 */
export class ServerDelivery implements ServerDeliveryPort {
  readonly counters = createDeliveryCounters()
  readonly #context: ServerDeliveryContext
  readonly #mailboxes: Mailboxes
  /** Sends `$ping` to the subscribers. */
  readonly #pinger: Ticker<Subscriber>
  #isDraining = false

  constructor(context: Omit<ServerDeliveryContext, 'counters'>) {
    this.#context = { ...context, counters: this.counters }
    this.#mailboxes = new Mailboxes(this.#context)
    this.#pinger = new Ticker(context.clock, context.options.idleMs, (subscriber) => {
      subscriber.ping()
    })
    const { lost } = context.options.log
    if (lost?.aborted === true) this.#lose()
    else lost?.addEventListener('abort', this.#lose, { once: true })
  }

  get isDraining(): boolean {
    return this.#isDraining
  }

  async subscribe(
    request: UpgradeRequest,
    { userId, deviceId }: Identity,
    connection: SubscriberConnection,
    sendRoster: () => void,
  ): Promise<Subscription | undefined> {
    if (!isDeliveryAskedFor(request)) return plainSubscription
    const mailbox = this.#mailboxes.of(userId)
    const left = (gone: Subscriber) => {
      this.#pinger.delete(gone)
      this.#mailboxes.release(mailbox)
    }
    const options = { mailbox, deviceId, connection, sendRoster, left }
    // It is made first, since a mailbox that nobody uses may be forgotten during the load.
    const subscriber = new Subscriber(this.#context, options)
    // 1011 is the server's fault: the client tries again.
    const isLoaded = await mailbox.load()
    if (!isLoaded || this.#log.lost?.aborted === true) connection.close(1011, 'Unavailable')
    // Meanwhile the client may have left.
    if (!connection.isOpen) {
      subscriber.leave()
      return undefined
    }
    this.#pinger.add(subscriber)
    subscriber.greet()
    return subscriber
  }

  broadcast(userId: string, messages: readonly UnsealedMessage[]): number {
    if (this.#isDraining) return 0
    void this.#publish(userId, this.#encode(messages, SERVER_DEVICE_ID))
    return this.#context.members.presence.ofUser(userId).length
  }

  async publish(userId: string, message: UnsealedMessage): Promise<LogPosition> {
    if (this.#isDraining) throw new SyncError('disposed', 'publishToUser: the server is closing')
    const position = await this.#publish(userId, this.#encode([message], SERVER_DEVICE_ID))
    if (position !== undefined) return position
    throw new SyncError('log-failed', 'publishToUser: the log could not be written')
  }

  relay({ userId, deviceId }: Identity, message: UnsealedMessage, handle: () => void): void {
    void this.#publish(userId, this.#encode([message], deviceId), handle)
  }

  afterPending(userId: string, handle: () => void): void {
    if (this.#mailboxes.isWriting(userId)) void this.#publish(userId, [], handle)
    else handle()
  }

  async drain(graceMs: number): Promise<void> {
    const { clock, options } = this.#context
    this.#isDraining = true
    for (const subscriber of this.#pinger.members) {
      subscriber.drain(Math.floor(options.random() * options.drainSpreadMs))
    }
    await withDeadline({ clock, limitMs: graceMs }, () => this.#mailboxes.settled())
    this.#log.lost?.removeEventListener('abort', this.#lose)
  }

  /** This server can never use the log again. Clients come back, and may find another server. */
  readonly #lose = (): void => {
    const cause: unknown = this.#log.lost?.reason
    const error = new SyncError('log-failed', 'The delivery log is lost.', { cause })
    this.#context.reporting.report(error)
    for (const subscriber of this.#pinger.members) subscriber.giveUp()
  }

  get #log(): DeliveryLog {
    return this.#context.options.log
  }

  /** Resolves with the position of the last message; with `undefined` where the log failed. */
  async #publish(
    userId: string,
    messages: readonly UnnumberedMessage[],
    handle?: () => void,
  ): Promise<LogPosition | undefined> {
    const mailbox = this.#mailboxes.of(userId)
    let seq = 0
    const isWritten = await mailbox.write((draft) => {
      seq = draft.publish(messages)
      if (handle !== undefined) draft.handlers.push(handle)
    })
    if (isWritten) return { epoch: mailbox.epoch, seq }
    handle?.()
    return undefined
  }

  #encode(messages: readonly UnsealedMessage[], deviceId: string): readonly UnnumberedMessage[] {
    const timestamp = this.#context.clock.epoch()
    return messages.map((message) => encodeData(message, { timestamp, deviceId }))
  }
}

function isDeliveryAskedFor({ url }: UpgradeRequest): boolean {
  return url.searchParams.get(CAPABILITIES.parameter) === CAPABILITIES.value
}
