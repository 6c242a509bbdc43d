import { withDeadline } from '../../base/deadline.js'
import { SyncError } from '../../base/errors.js'
import { CAPABILITIES } from '../../schemas/control.js'
import type { Identity, UpgradeRequest } from '../../schemas/protocol.js'
import type { LogPosition } from '../log/delivery-log.js'
import { SERVER_DEVICE_ID, type UnsealedMessage } from '../outgoing.js'
import { createDeliveryCounters } from '../stats.js'
import { Ticker } from '../ticker.js'
import { encodeData, sendToPlain, type UnnumberedMessage } from './logged-message.js'
import { Mailboxes } from './mailboxes.js'
import { plainSubscription } from './no-delivery.js'
import type { ServerDeliveryContext } from './context.js'
import type { ServerDeliveryPort, Subscribe, SubscriberConnection, Subscription } from './port.js'
import { Subscriber } from './subscriber.js'

/** What became of messages to all of a user's devices. */
interface Published {
  /** How many sockets took them. */
  readonly sockets: number
  /** The position of the last one. */
  readonly position: LogPosition
}

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
  }

  get isDraining(): boolean {
    return this.#isDraining
  }

  prepare(
    request: UpgradeRequest,
    identity: Identity,
    ready: (subscribe: Subscribe) => void,
    failed: () => void,
  ): void {
    if (!isDeliveryAskedFor(request)) {
      ready(() => plainSubscription)
      return
    }
    const subscribed = () => {
      ready((connection, sendRoster) => this.#subscribe(identity, connection, sendRoster))
    }
    const { mailbox } = this.#mailboxes.of(identity.userId)
    // The greeting need not wait for what is being written.
    if (mailbox.isLoaded) subscribed()
    else mailbox.push({ settle: subscribed, fail: failed })
    this.#mailboxes.release(mailbox)
  }

  broadcast(userId: string, message: UnsealedMessage): number {
    return this.broadcastBatch(userId, [message])
  }

  broadcastBatch(userId: string, messages: readonly UnsealedMessage[]): number {
    if (this.#isDraining) return 0
    const outcome: { sockets?: number } = {}
    this.#publish(userId, this.#encode(messages, SERVER_DEVICE_ID), (published) => {
      outcome.sockets = published?.sockets ?? 0
    })
    return outcome.sockets ?? this.#context.members.socketCount(userId)
  }

  publish(userId: string, message: UnsealedMessage): Promise<LogPosition> {
    return new Promise((resolve, reject) => {
      if (this.#isDraining) {
        reject(new SyncError('disposed', 'publishToUser: the server is closing'))
        return
      }
      this.#publish(userId, this.#encode([message], SERVER_DEVICE_ID), (published) => {
        if (published !== undefined) resolve(published.position)
        else reject(new SyncError('log-failed', 'publishToUser: the log could not be written'))
      })
    })
  }

  relay({ userId, deviceId }: Identity, message: UnsealedMessage, done: () => void): void {
    this.#publish(userId, this.#encode([message], deviceId), undefined, done)
  }

  afterPending(userId: string, done: () => void): void {
    const { mailbox } = this.#mailboxes.of(userId)
    mailbox.push({ settle() {}, fail: done, afterwards: done })
  }

  async drain(graceMs: number): Promise<void> {
    const { clock, options } = this.#context
    this.#isDraining = true
    for (const subscriber of this.#pinger.members) {
      subscriber.drain(Math.floor(options.random() * options.drainSpreadMs))
    }
    await withDeadline({ clock, limitMs: graceMs }, () => this.#mailboxes.whenIdle())
  }

  #subscribe(
    { userId, deviceId }: Identity,
    connection: SubscriberConnection,
    sendRoster: () => void,
  ): Subscription {
    const subscriber = new Subscriber(this.#context, {
      user: this.#mailboxes.of(userId),
      deviceId,
      connection,
      sendRoster,
      left: (gone) => {
        this.#pinger.delete(gone)
        this.#mailboxes.release(this.#mailboxes.of(userId).mailbox)
      },
    })
    this.#pinger.add(subscriber)
    subscriber.greet()
    return subscriber
  }

  /** `settled` gets `undefined` where the log failed. After it `afterwards` may run user code. */
  #publish(
    userId: string,
    messages: readonly UnnumberedMessage[],
    settled?: (published: Published | undefined) => void,
    afterwards?: () => void,
  ): void {
    const { mailbox } = this.#mailboxes.of(userId)
    let seq = 0
    mailbox.push({
      stage(draft) {
        for (const message of messages) seq = draft.append(message)
      },
      settle: () => {
        let sockets = sendToPlain(this.#context, userId, messages)
        for (const reader of mailbox.readers) if (reader.isOpen) sockets += 1
        settled?.({ sockets, position: { epoch: mailbox.epoch, seq } })
      },
      fail() {
        settled?.(undefined)
        afterwards?.()
      },
      afterwards,
    })
  }

  #encode(messages: readonly UnsealedMessage[], deviceId: string): readonly UnnumberedMessage[] {
    const timestamp = this.#context.clock.epoch()
    return messages.map((message) => encodeData(message, { timestamp, deviceId }))
  }
}

function isDeliveryAskedFor({ url }: UpgradeRequest): boolean {
  return url.searchParams.get(CAPABILITIES.parameter) === CAPABILITIES.value
}
