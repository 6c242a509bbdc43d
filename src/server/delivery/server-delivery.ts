import type { Clock } from '../../base/clock.js'
import { type ReportError, SyncError } from '../../base/errors.js'
import { CAPABILITIES, DELIVERY_VERSION } from '../../schemas/control.js'
import type { EnvelopeDirection } from '../../schemas/envelope.js'
import type { MessageSchemas } from '../../schemas/schema.js'
import type { Identity, UpgradeRequest } from '../../schemas/server-behaviour.js'
import type { UncheckedDefinition } from '../../schemas/coordinator.js'
import { SERVER_DEVICE_ID, type UnsealedMessage } from '../broadcast.js'
import type { Connection } from '../client-connection.js'
import type { Reporting } from '../reporting.js'
import type { LogPosition } from '../log/delivery-log.js'
import { readData, type UnnumberedMessage, writeMessage } from './logged-message.js'
import { createMailboxes } from './mailboxes.js'
import type { resolveDeliveryOptions } from './options.js'
import { createPinger } from './pinger.js'
import { createSharedStates } from './shared-state.js'
import { createDeliveryCounters, type DeliveryCounters } from './stats.js'
import { createSubscriber, type Subscriber } from './subscriber.js'

/** Messages to all devices of a user, on their way into the log. */
export interface Publication {
  readonly userId: string
  readonly messages: readonly UnsealedMessage[]
  /** Default: the server itself, now. */
  readonly deviceId?: string
  /** They are written; hears how many sockets took them, and where the last of them stands. */
  readonly settled?: (sockets: number, position: LogPosition) => void
  /** They could not be written. */
  readonly failed?: () => void
  /** Either is over, and the user's code may run. */
  readonly afterwards?: () => void
}

/** The delivery of a server. */
export interface Delivery {
  readonly counters: DeliveryCounters
  /** Whether a client asks for delivery. */
  isAskedFor(request: UpgradeRequest): boolean
  /** Hears that a user's messages are in memory, or cannot be; at once where the log answers at once. */
  load(userId: string, loaded: () => void, failed: () => void): void
  /** Greets a connection. The user's messages are in memory. */
  welcome(identity: Identity, connection: Connection, announcePeers: () => void): Subscriber
  release(userId: string, subscriber: Subscriber): void
  /**
   * Numbers messages, has them written, and then sends them.
   *
   * @throws SyncError `message-invalid` where JSON cannot hold their data.
   */
  publish(publication: Publication): void
  /** Runs code after what is on its way into the log of a user. */
  afterwards(userId: string, run: () => void): void
  /** A message as it is kept, from a client. */
  write(message: UnsealedMessage, deviceId: string, id: string): UnnumberedMessage
  /** Sends what was written to those of the user's sockets that have no delivery. */
  sendToPlain(userId: string, message: UnnumberedMessage): void
  /** Tells the clients; resolves once what is being written is there, or after `graceMs`. */
  drain(graceMs: number): Promise<void>
}

/** What {@link createDelivery} needs. */
export interface DeliveryPorts {
  readonly options: Omit<ReturnType<typeof resolveDeliveryOptions>, 'accept'>
  readonly protocol: {
    readonly receive: MessageSchemas
    readonly coordinator?: UncheckedDefinition | undefined
  }
  readonly envelope: EnvelopeDirection
  readonly clock: Clock
  readonly maxMessageBytes: number
  readonly maxBufferedBytes: number
  readonly report: ReportError
  readonly runUserCode: Reporting['runUserCode']
  /** Sends messages in one go to the user's sockets without delivery; gives how many took them. */
  readonly sendToPlain: (
    userId: string,
    messages: readonly UnsealedMessage[],
    meta: { readonly timestamp: number; readonly deviceId: string; readonly userId: string },
  ) => number
}

/** Makes the {@link Delivery} of a server. It reads nothing yet. */
export function createDelivery(ports: DeliveryPorts): Delivery {
  const { options, clock, envelope, report } = ports
  const { idleMs, window } = options
  const counters = createDeliveryCounters()
  const greeting = { v: DELIVERY_VERSION, maxBytes: ports.maxMessageBytes, idleMs, window }
  const highWaterBytes = Math.min(options.highWaterBytes, ports.maxBufferedBytes)
  const pinger = createPinger<Subscriber>(clock, idleMs, (subscriber) => subscriber.ping())
  const mailboxes = createMailboxes({
    ...ports,
    log: options.log,
    window,
    bounds: options,
    counters,
    createState: createSharedStates(ports),
    failed(_userId, cause) {
      counters.logFailures += 1
      report(new SyncError('log-failed', 'The delivery log failed.', { cause }))
    },
  })

  function sendToPlain(userId: string, messages: readonly UnnumberedMessage[]): number {
    const [first] = messages
    let sockets = 0
    if (first === undefined) return sockets
    ports.runUserCode('envelope', () => {
      const { timestamp, deviceId } = first
      const plain = messages.map((message) => ({ type: message.type, data: readData(message) }))
      sockets = ports.sendToPlain(userId, plain, { timestamp, deviceId, userId })
    })
    return sockets
  }

  function publish(publication: Publication): void {
    const { userId, deviceId = SERVER_DEVICE_ID } = publication
    const timestamp = clock.epoch()
    const messages = publication.messages.map((message) =>
      writeMessage(message, { timestamp, deviceId }),
    )
    const { mailbox } = mailboxes.of(userId)
    let lastSeq = 0
    mailbox.push({
      stage(draft) {
        for (const message of messages) lastSeq = draft.append(message)
      },
      settle() {
        let sockets = sendToPlain(userId, messages)
        for (const reader of mailbox.readers) if (reader.isOpen) sockets += 1
        publication.settled?.(sockets, { epoch: mailbox.epoch, seq: lastSeq })
      },
      fail() {
        publication.failed?.()
        publication.afterwards?.()
      },
      afterwards: () => publication.afterwards?.(),
    })
  }

  return {
    counters,
    isAskedFor: ({ url }) => url.searchParams.get(CAPABILITIES.parameter) === CAPABILITIES.value,
    load(userId, loaded, failed) {
      const { mailbox } = mailboxes.of(userId)
      // A greeting need not wait for what is being written.
      if (mailbox.isLoaded) loaded()
      else mailbox.push({ stage() {}, settle: loaded, fail: failed })
      mailboxes.released(mailbox)
    },
    welcome({ userId, deviceId }, connection, announcePeers) {
      const subscriber = createSubscriber({
        ...mailboxes.of(userId),
        connection,
        envelope,
        deviceId,
        counters,
        greeting,
        highWaterBytes,
        announcePeers,
        envelopeThrew(cause) {
          report(new SyncError('handler-threw', 'The envelope threw.', { cause }))
        },
      })
      pinger.add(subscriber)
      subscriber.greet()
      return subscriber
    },
    release(userId, subscriber) {
      pinger.delete(subscriber)
      subscriber.leave()
      mailboxes.released(mailboxes.of(userId).mailbox)
    },
    publish,
    afterwards(userId, run) {
      const { mailbox } = mailboxes.of(userId)
      mailbox.push({ stage() {}, settle() {}, fail: run, afterwards: run })
    },
    write: (message, deviceId, id) =>
      writeMessage(message, { timestamp: clock.epoch(), deviceId, id }),
    sendToPlain(userId, message) {
      sendToPlain(userId, [message])
    },
    async drain(graceMs) {
      for (const subscriber of pinger.members) {
        subscriber.drain(Math.floor(options.random() * options.drainSpreadMs))
      }
      let timer: unknown
      const late = new Promise<void>((resolve) => {
        timer = clock.setTimeout(resolve, graceMs)
      })
      await Promise.race([mailboxes.whenIdle(), late])
      clock.clearTimeout(timer)
    },
  }
}
