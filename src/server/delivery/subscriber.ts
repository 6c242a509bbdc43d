import { type ResetReason, type Resume, toServer } from '../../schemas/control.js'
import type { EnvelopeDirection } from '../../schemas/envelope.js'
import { createValidate } from '../../schemas/schema.js'
import { encodeMessage } from '../outgoing.js'
import type { OutboxMark, OutboxSender } from './client-outbox.js'
import type { ClientOutboxes } from './client-outboxes.js'
import type { LogReader, Mailbox } from './mailbox.js'
import type { ControlResult, NumberedInput, SubscriberConnection, Subscription } from './port.js'
import type { DeliveryCounting } from './stats.js'

/** What {@link Subscriber} needs. */
export interface SubscriberOptions {
  readonly mailbox: Mailbox
  readonly outboxes: ClientOutboxes
  readonly connection: SubscriberConnection
  readonly envelope: EnvelopeDirection
  readonly deviceId: string
  readonly counters: DeliveryCounting
  /** What the greeting says beside the position of the log. */
  readonly greeting: {
    readonly v: number
    readonly maxBytes: number
    readonly idleMs: number
    readonly window: number
  }
  /** While the connection's backlog has this many bytes, numbered messages wait. */
  readonly highWaterBytes: number
  /** Announces to the connection which devices are present. */
  readonly sendRoster: () => void
  /** The user's envelope threw. */
  readonly envelopeThrew: (cause: unknown) => void
  readonly left: (subscriber: Subscriber) => void
}

/** The longest accepted id of an outbox: it is text that the client chose, and is stored. */
const LONGEST_CID = 128

const validateResume = createValidate(toServer.$resume)

/**
 * A connection with delivery. It is sent the numbered messages of its user at the pace at which it
 * takes them, and it sends the messages of one outbox. Its mailbox is loaded.
 */
export class Subscriber implements Subscription, LogReader, OutboxSender {
  readonly isPlain = false
  readonly #options: SubscriberOptions
  /** The number of the last message that was sent; `undefined` before the first resume. */
  #sent: number | undefined
  /** Messages up to this number are counted as replayed. */
  #replayedTo = 0
  /** The outbox that the connection sends from. */
  #cid: string | undefined
  /** The acknowledgement that is about to be sent. */
  #unsentAck: { readonly cid: string; readonly n: number } | undefined

  constructor(options: SubscriberOptions) {
    this.#options = options
    options.mailbox.readers.add(this)
    options.connection.onFlushed(() => this.pump())
  }

  get isOpen(): boolean {
    return this.#options.connection.isOpen
  }

  get hasRoster(): boolean {
    return this.#sent !== undefined
  }

  /** Sends the first frame. */
  greet(): void {
    const { greeting, mailbox } = this.#options
    const { epoch, head, first } = mailbox
    this.#send('$hello', { ...greeting, epoch, head, first })
  }

  /** Handles a control frame. One of an unknown type is ignored. */
  control(type: string, payload: unknown): ControlResult {
    if (type !== '$resume') return 'handled'
    const validated = validateResume(payload)
    if (!validated.ok || !isComplete(validated.value)) return 'invalid'
    this.#resume(validated.value)
    return 'handled'
  }

  receive(input: NumberedInput): void {
    const { counters, deviceId, outboxes } = this.#options
    const outbox = input.cid === this.#cid ? outboxes.find(deviceId, input.cid) : undefined
    if (outbox === undefined) counters.fenced += 1
    else outbox.receive(this, input)
  }

  /** Sends the messages that were not sent yet, until the backlog of the connection is too large. */
  pump(): void {
    const { connection, counters, highWaterBytes, mailbox } = this.#options
    // It is called again when the backlog has gone out.
    while (
      this.#sent !== undefined &&
      this.#sent < mailbox.head &&
      connection.isOpen &&
      connection.bufferedBytes < highWaterBytes
    ) {
      if (this.#sent + 1 < mailbox.first) {
        this.#reset('trimmed')
        continue
      }
      try {
        connection.send(mailbox.frame(this.#sent + 1))
      } catch (cause) {
        this.#fail(cause)
        return
      }
      this.#sent += 1
      if (this.#sent <= this.#replayedTo) counters.replayed += 1
    }
  }

  /** Sends a `$ping` if every message has been sent. */
  ping(): void {
    const { epoch, head } = this.#options.mailbox
    if (this.#sent === head) this.#send('$ping', { epoch, head })
  }

  /** Tells the client that the server is about to close, and when to come back. */
  drain(afterMs: number): void {
    this.#send('$drain', { afterMs })
  }

  leave(): void {
    this.#options.mailbox.readers.delete(this)
    this.#turnTo(undefined)
    this.#options.left(this)
  }

  /** Acknowledges messages: with one frame for all of one read of the socket, or of one batch. */
  acknowledge(cid: string, n: number): void {
    if (this.#unsentAck === undefined) queueMicrotask(() => this.#sendAck())
    else if (this.#unsentAck.cid !== cid) this.#sendAck()
    this.#unsentAck = { cid, n }
  }

  refuse(cid: string, n: number, code: string, retry: boolean): void {
    this.#sendAck()
    this.#send('$nack', { cid, n, code, retry })
  }

  giveUp(): void {
    this.#options.connection.close(1011, 'Unavailable')
  }

  #resume(resume: Resume): void {
    const { deviceId, mailbox, outboxes } = this.#options
    const { cid, fence } = resume
    this.#turnTo(cid)
    if (cid === undefined || fence === undefined) {
      mailbox.push({
        stage() {},
        settle: () => this.#answer(resume, undefined),
        fail: () => this.giveUp(),
      })
      return
    }
    outboxes.findOrCreate(deviceId, cid).resume({
      sender: this,
      fence,
      answer: (mark) => this.#answer(resume, mark),
    })
  }

  // A connection sends from one outbox at a time, so that it cannot keep many in memory.
  #turnTo(cid: string | undefined): void {
    const { deviceId, outboxes } = this.#options
    if (this.#cid !== undefined && this.#cid !== cid) {
      outboxes.find(deviceId, this.#cid)?.leave(this)
    }
    this.#cid = cid
  }

  #answer(resume: Resume, mark: OutboxMark | undefined): void {
    const { connection, counters, mailbox } = this.#options
    if (!connection.isOpen) return
    this.#sendAck()
    counters.resumes += 1
    const why = resetReasonOf(resume, mailbox)
    if (why === undefined) {
      const { epoch, head } = mailbox
      this.#send('$resumed', { epoch, head, ...mark })
      this.#sent = resume.seq
      this.#replayedTo = head
      this.#sendRoster()
    } else {
      this.#reset(why, mark)
    }
    this.pump()
  }

  #reset(why: ResetReason, mark?: OutboxMark): void {
    const { counters, mailbox } = this.#options
    counters.resets += 1
    const { epoch, head } = mailbox
    const snapshot = mailbox.snapshot(why)
    this.#send('$reset', { why, epoch, head, ...mark })
    this.#send('$snapshot', { epoch, ...snapshot })
    this.#sent = snapshot.seq
    this.#replayedTo = head
    this.#sendRoster()
  }

  // Sent without a pause, so that no device comes or goes in between.
  #sendRoster(): void {
    this.#options.sendRoster()
    this.#send('$roster')
  }

  #sendAck(): void {
    const ack = this.#unsentAck
    this.#unsentAck = undefined
    if (ack !== undefined) this.#send('$ack', ack)
  }

  #send(type: string, data?: unknown): void {
    const { connection, envelope } = this.#options
    try {
      connection.send(encodeMessage(envelope, { type, data }, {}))
    } catch (cause) {
      this.#fail(cause)
    }
  }

  // Closes the connection: otherwise the client would wait without end for the missing frame.
  #fail(cause: unknown): void {
    this.#options.envelopeThrew(cause)
    this.giveUp()
  }
}

/** Why a client's cursor cannot be continued; `undefined` where it can. */
function resetReasonOf({ epoch, seq }: Resume, mailbox: Mailbox): ResetReason | undefined {
  if (epoch === undefined || seq === undefined) return 'new'
  if (epoch !== mailbox.epoch) return 'epoch'
  if (seq > mailbox.head) return 'ahead'
  return seq + 1 < mailbox.first ? 'trimmed' : undefined
}

// A cursor needs both an epoch and a number; a claim needs both an outbox and a fencing token.
function isComplete({ epoch, seq, cid, fence }: Resume): boolean {
  if ((epoch === undefined) !== (seq === undefined)) return false
  if ((cid === undefined) !== (fence === undefined)) return false
  return cid === undefined || (cid !== '' && cid.length <= LONGEST_CID)
}
