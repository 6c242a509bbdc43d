import type { Clock } from '../../base/clock.js'
import { SyncError } from '../../base/errors.js'
import { CAPABILITIES, DELIVERY_VERSION } from '../../schemas/control.js'
import type { UncheckedDefinition } from '../../schemas/coordinator.js'
import type { EnvelopeDirection } from '../../schemas/envelope.js'
import type { MessageSchemas } from '../../schemas/schema.js'
import type { Identity, UpgradeRequest } from '../../schemas/protocol.js'
import { SERVER_DEVICE_ID, type UnsealedMessage } from '../outgoing.js'
import type { LogPosition } from '../log/delivery-log.js'
import type { Reporting } from '../reporting.js'
import { Ticker } from '../ticker.js'
import { Acceptance } from './acceptance.js'
import { decodeData, encodeData, type UnnumberedMessage } from './logged-message.js'
import { Mailboxes } from './mailboxes.js'
import { plainSubscription } from './no-delivery.js'
import type { ResolvedDeliveryOptions } from './options.js'
import type { DeliveryPort, Subscribe, SubscriberConnection, Subscription } from './port.js'
import { createSharedStates } from './shared-state.js'
import { createDeliveryCounters } from './stats.js'
import { Subscriber } from './subscriber.js'

/** What {@link ServerDelivery} needs. */
export interface ServerDeliverySetup {
  readonly options: ResolvedDeliveryOptions
  readonly protocol: {
    readonly receive: MessageSchemas
    readonly coordinator?: UncheckedDefinition | undefined
  }
  readonly envelope: EnvelopeDirection
  readonly clock: Clock
  readonly maxMessageBytes: number
  readonly maxBufferedBytes: number
  readonly reporting: Reporting
  /** Sends messages in one step to a user's sockets without delivery; returns how many took them. */
  readonly sendToPlain: (
    userId: string,
    messages: readonly UnsealedMessage[],
    meta: { readonly timestamp: number; readonly deviceId: string; readonly userId: string },
  ) => number
  /** How many sockets a user has. */
  readonly socketCount: (userId: string) => number
}

/** Messages to all devices of a user that are about to be written. */
interface Publication {
  readonly userId: string
  readonly messages: readonly UnnumberedMessage[]
  /** They are written. Gets how many sockets took them, and the position of the last one. */
  readonly settled?: (sockets: number, position: LogPosition) => void
  /** They could not be written. */
  readonly failed?: () => void
  /** Called after either of them. User code may run now. */
  readonly afterwards?: () => void
}

/**
 * The delivery of a server: numbers what goes to all of a user's devices, writes it to the log, and
 * then sends it. It reads nothing from the log before the first client or message.
 */
export class ServerDelivery implements DeliveryPort {
  readonly counters = createDeliveryCounters()
  readonly #setup: ServerDeliverySetup
  readonly #mailboxes: Mailboxes
  /** Sends `$ping` to the subscribers. */
  readonly #pinger: Ticker<Subscriber>
  #isDraining = false

  constructor(setup: ServerDeliverySetup) {
    const { clock, envelope, options, reporting } = setup
    this.#setup = setup
    this.#pinger = new Ticker(clock, options.idleMs, (subscriber) => subscriber.ping())
    this.#mailboxes = new Mailboxes({
      log: options.log,
      bounds: options,
      window: options.window,
      envelope,
      counters: this.counters,
      reporting,
      createState: createSharedStates({ ...setup, report: (error) => reporting.report(error) }),
      acceptance: new Acceptance({ accept: options.accept, clock, reporting }),
      sendToPlain: (userId, message) => this.#sendToPlain(userId, [message]),
      failed: (cause) => {
        this.counters.logFailures += 1
        reporting.report(new SyncError('log-failed', 'The delivery log failed.', { cause }))
      },
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
    else mailbox.push({ stage() {}, settle: subscribed, fail: failed })
    this.#mailboxes.release(mailbox)
  }

  broadcast(userId: string, message: UnsealedMessage): number {
    return this.broadcastBatch(userId, [message])
  }

  broadcastBatch(userId: string, messages: readonly UnsealedMessage[]): number {
    if (this.#isDraining) return 0
    const outcome: { sockets?: number } = {}
    this.#publish({
      userId,
      messages: this.#encode(messages, SERVER_DEVICE_ID),
      settled(sockets) {
        outcome.sockets = sockets
      },
      failed() {
        outcome.sockets = 0
      },
    })
    return outcome.sockets ?? this.#setup.socketCount(userId)
  }

  publish(userId: string, message: UnsealedMessage): Promise<LogPosition> {
    return new Promise((resolve, reject) => {
      if (this.#isDraining) {
        reject(new SyncError('disposed', 'publishToUser: the server is closing'))
        return
      }
      this.#publish({
        userId,
        messages: this.#encode([message], SERVER_DEVICE_ID),
        settled: (_sockets, position) => resolve(position),
        failed() {
          reject(new SyncError('log-failed', 'publishToUser: the log could not be written'))
        },
      })
    })
  }

  relay({ userId, deviceId }: Identity, message: UnsealedMessage, done: () => void): void {
    this.#publish({ userId, messages: this.#encode([message], deviceId), afterwards: done })
  }

  afterPending(userId: string, done: () => void): void {
    const { mailbox } = this.#mailboxes.of(userId)
    mailbox.push({ stage() {}, settle() {}, fail: done, afterwards: done })
  }

  async drain(graceMs: number): Promise<void> {
    const { clock, options } = this.#setup
    this.#isDraining = true
    for (const subscriber of this.#pinger.members) {
      subscriber.drain(Math.floor(options.random() * options.drainSpreadMs))
    }
    let timer: unknown
    const late = new Promise<void>((resolve) => {
      timer = clock.setTimeout(resolve, graceMs)
    })
    await Promise.race([this.#mailboxes.whenIdle(), late])
    clock.clearTimeout(timer)
  }

  #subscribe(
    { userId, deviceId }: Identity,
    connection: SubscriberConnection,
    sendRoster: () => void,
  ): Subscription {
    const { envelope, maxBufferedBytes, maxMessageBytes, options, reporting } = this.#setup
    const { idleMs, window } = options
    const { mailbox, outboxes } = this.#mailboxes.of(userId)
    const subscriber = new Subscriber({
      mailbox,
      outboxes,
      connection,
      envelope,
      deviceId,
      counters: this.counters,
      greeting: { v: DELIVERY_VERSION, maxBytes: maxMessageBytes, idleMs, window },
      highWaterBytes: Math.min(options.highWaterBytes, maxBufferedBytes),
      sendRoster,
      envelopeThrew(cause) {
        reporting.report(new SyncError('handler-threw', 'The envelope threw.', { cause }))
      },
      left: (gone) => {
        this.#pinger.delete(gone)
        this.#mailboxes.release(this.#mailboxes.of(userId).mailbox)
      },
    })
    this.#pinger.add(subscriber)
    subscriber.greet()
    return subscriber
  }

  #publish({ userId, messages, settled, failed, afterwards }: Publication): void {
    const { mailbox } = this.#mailboxes.of(userId)
    let lastSeq = 0
    mailbox.push({
      stage(draft) {
        for (const message of messages) lastSeq = draft.append(message)
      },
      settle: () => {
        let sockets = this.#sendToPlain(userId, messages)
        for (const reader of mailbox.readers) if (reader.isOpen) sockets += 1
        settled?.(sockets, { epoch: mailbox.epoch, seq: lastSeq })
      },
      fail() {
        failed?.()
        afterwards?.()
      },
      afterwards() {
        afterwards?.()
      },
    })
  }

  #encode(messages: readonly UnsealedMessage[], deviceId: string): readonly UnnumberedMessage[] {
    const timestamp = this.#setup.clock.epoch()
    return messages.map((message) => encodeData(message, { timestamp, deviceId }))
  }

  #sendToPlain(userId: string, messages: readonly UnnumberedMessage[]): number {
    const [first] = messages
    let sockets = 0
    if (first === undefined) return sockets
    this.#setup.reporting.runUserCode('envelope', () => {
      const { timestamp, deviceId } = first
      const plain = messages.map((message) => ({ type: message.type, data: decodeData(message) }))
      sockets = this.#setup.sendToPlain(userId, plain, { timestamp, deviceId, userId })
    })
    return sockets
  }
}

function isDeliveryAskedFor({ url }: UpgradeRequest): boolean {
  return url.searchParams.get(CAPABILITIES.parameter) === CAPABILITIES.value
}
