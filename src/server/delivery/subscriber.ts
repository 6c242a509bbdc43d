import { type ResetReason, type Resume, toServer } from '../../schemas/control.js'
import type { EnvelopeDirection } from '../../schemas/envelope.js'
import { createValidate } from '../../schemas/schema.js'
import { encodeMessage } from '../broadcast.js'
import type { Connection } from '../client-connection.js'
import type { NumberedMessage, Speaker, Standing } from './client-outbox.js'
import type { Channels } from './client-outboxes.js'
import type { Mailbox, Reader } from './mailbox.js'
import type { DeliveryCounting } from './stats.js'

/** A connection with delivery: it reads numbered messages at its pace, and speaks for outboxes. */
export interface Subscriber extends Reader {
  /** Whether it was told who is there: before that, announcements would be counted twice. */
  readonly knowsPeers: boolean
  /** Sends the first frame. */
  greet(): void
  /** Takes a control frame; gives whether it could be read. One of an unknown type is ignored. */
  control(type: string, payload: unknown): boolean
  /** Takes a numbered message. */
  receive(cid: string, message: Omit<NumberedMessage, 'speaker'>): void
  /** Asks for a sign of life, where everything has been sent. */
  ping(): void
  /** Says that the server is about to close. */
  drain(afterMs: number): void
  leave(): void
}

/** What {@link createSubscriber} needs. */
export interface SubscriberOptions {
  readonly mailbox: Mailbox
  readonly channels: Channels
  readonly connection: Connection
  readonly envelope: EnvelopeDirection
  readonly deviceId: string
  readonly counters: DeliveryCounting
  /** What it is greeted with, beside where the log stands. */
  readonly greeting: {
    readonly v: number
    readonly maxBytes: number
    readonly idleMs: number
    readonly window: number
  }
  /** Beyond this backlog in bytes numbered messages wait. */
  readonly highWaterBytes: number
  /** Announces to it who is there. */
  readonly announcePeers: () => void
  /** A message could not be made into a frame. */
  readonly envelopeThrew: (cause: unknown) => void
}

/** The longest id of an outbox that is listened to: it is the client's text, and is kept. */
const LONGEST_CID = 128

const validateResume = createValidate(toServer.$resume)

/** Makes the {@link Subscriber} of a connection. Its mailbox is loaded. */
export function createSubscriber(options: SubscriberOptions): Subscriber {
  const { mailbox, channels, connection, envelope, deviceId, counters } = options
  /** The number of the last message that was sent; `undefined` before the first answer. */
  let sent: number | undefined
  let replayedTo = 0
  let cid: string | undefined
  let lastTaken: { readonly cid: string; readonly n: number } | undefined

  function say(type: string, data?: unknown): void {
    try {
      connection.send(encodeMessage(envelope, { type, data }, {}))
    } catch (cause) {
      fail(cause)
    }
  }

  // It would wait for ever for what cannot be sent.
  function fail(cause: unknown): void {
    options.envelopeThrew(cause)
    giveUp()
  }

  function giveUp(): void {
    connection.close(1011, 'Unavailable')
  }

  function resetReasonOf({ epoch, seq }: Resume): ResetReason | undefined {
    if (epoch === undefined || seq === undefined) return 'new'
    if (epoch !== mailbox.epoch) return 'epoch'
    if (seq > mailbox.head) return 'ahead'
    return seq + 1 < mailbox.first ? 'trimmed' : undefined
  }

  function answer(resume: Resume, standing: Standing | undefined): void {
    if (!connection.isOpen) return
    sayTaken()
    counters.resumes += 1
    const { epoch, head } = mailbox
    const why = resetReasonOf(resume)
    if (why === undefined) {
      say('$resumed', { epoch, head, ...standing })
      sent = resume.seq
      replayedTo = head
      announce()
    } else {
      reset(why, standing)
    }
    pump()
  }

  function reset(why: ResetReason, standing?: Standing): void {
    counters.resets += 1
    const { epoch, head } = mailbox
    const snapshot = mailbox.snapshot(why)
    say('$reset', { why, epoch, head, ...standing })
    say('$snapshot', { epoch, ...snapshot })
    sent = snapshot.seq
    replayedTo = head
    announce()
  }

  // All in one go, so that nobody comes or goes in between.
  function announce(): void {
    options.announcePeers()
    say('$roster')
  }

  function pump(): void {
    // Once its backlog has gone out it is called again.
    while (
      sent !== undefined &&
      sent < mailbox.head &&
      connection.isOpen &&
      connection.bufferedBytes < options.highWaterBytes
    ) {
      if (sent + 1 < mailbox.first) {
        reset('trimmed')
        continue
      }
      try {
        connection.send(mailbox.frame(sent + 1))
      } catch (cause) {
        fail(cause)
        return
      }
      sent += 1
      if (sent <= replayedTo) counters.replayed += 1
    }
  }

  function resume(asked: Resume): void {
    turnTo(asked.cid)
    if (asked.cid === undefined || asked.fence === undefined) {
      mailbox.push({
        stage() {},
        settle: () => answer(asked, undefined),
        fail: giveUp,
      })
      return
    }
    channels.of(deviceId, asked.cid).resume({
      speaker,
      fence: asked.fence,
      answer: (standing) => answer(asked, standing),
    })
  }

  // A connection speaks for one outbox at a time, so that it cannot hold on to many.
  function turnTo(other: string | undefined): void {
    if (cid !== undefined && cid !== other) channels.find(deviceId, cid)?.leave(speaker)
    cid = other
  }

  // One frame for all that one read of the socket, or one batch, brought.
  function sayTaken(): void {
    const taken = lastTaken
    lastTaken = undefined
    if (taken !== undefined) say('$ack', taken)
  }

  const speaker: Speaker = {
    acknowledge(of, n) {
      if (lastTaken === undefined) queueMicrotask(sayTaken)
      else if (lastTaken.cid !== of) sayTaken()
      lastTaken = { cid: of, n }
    },
    refuse(of, n, code, retry) {
      sayTaken()
      say('$nack', { cid: of, n, code, retry })
    },
    giveUp,
  }

  const subscriber: Subscriber = {
    get isOpen() {
      return connection.isOpen
    },
    get knowsPeers() {
      return sent !== undefined
    },
    greet() {
      const { epoch, head, first } = mailbox
      say('$hello', { ...options.greeting, epoch, head, first })
    },
    control(type, payload) {
      if (type !== '$resume') return true
      const validated = validateResume(payload)
      if (!validated.ok || !isWhole(validated.value)) return false
      resume(validated.value)
      return true
    },
    receive(of, message) {
      const channel = of === cid ? channels.find(deviceId, of) : undefined
      if (channel === undefined) counters.fenced += 1
      else channel.receive({ ...message, speaker })
    },
    ping() {
      const { epoch, head } = mailbox
      if (sent === head) say('$ping', { epoch, head })
    },
    drain(afterMs) {
      say('$drain', { afterMs })
    },
    pump,
    leave() {
      mailbox.readers.delete(subscriber)
      turnTo(undefined)
    },
  }
  mailbox.readers.add(subscriber)
  connection.onFlushed(pump)
  return subscriber
}

// A half of a cursor, or of a claim, is none.
function isWhole({ epoch, seq, cid, fence }: Resume): boolean {
  if ((epoch === undefined) !== (seq === undefined)) return false
  if ((cid === undefined) !== (fence === undefined)) return false
  return cid === undefined || (cid !== '' && cid.length <= LONGEST_CID)
}
