import { SyncError } from '../../base/errors.js'
import { DELIVERY_VERSION, type ResetReason, type Resume, toServer } from '../../schemas/control.js'
import { createValidate } from '../../schemas/schema.js'
import { encodeMessage } from '../outgoing.js'
import type { ClientOutbox, OutboxMark, OutboxSender } from './client-outbox.js'
import type { ServerDeliveryContext } from './context.js'
import type { LogReader, Mailbox } from './mailbox.js'
import type { ControlResult, NumberedInput, SubscriberConnection, Subscription } from './port.js'

/** What {@link Subscriber} needs beside what all of delivery shares. */
export interface SubscriberOptions {
  readonly mailbox: Mailbox
  readonly deviceId: string
  readonly connection: SubscriberConnection
  /** Announces to the connection which devices are present. */
  readonly sendRoster: () => void
  readonly left: (subscriber: Subscriber) => void
}

// Limits on text that the client chooses and the server stores or compares. A cid is part of a row's
// key in a database, which cannot be any text.
const CID = /^[\x20-\x7e]{1,128}$/
const LONGEST_START = 64
const MOST_PAST_STARTS = 32

const validateResume = createValidate(toServer.$resume)

/**
 * A connection with delivery. It is sent the numbered messages of its user at the pace at which it
 * takes them, and it sends the messages of one outbox. Its mailbox is loaded before `greet`, and stays
 * in memory until `leave`.
 */
export class Subscriber implements Subscription, LogReader, OutboxSender {
  readonly isPlain = false
  readonly #context: ServerDeliveryContext
  readonly #options: SubscriberOptions
  /** While the connection's backlog has this many bytes, numbered messages wait. */
  readonly #highWaterBytes: number
  /** The number of the last message that was sent; `undefined` before the first resume. */
  #sent: number | undefined
  /** The head of the log in the greeting. A new client without a state continues from there. */
  #greetedHead = 0
  /** Messages up to this number are counted as replayed. */
  #replayedTo = 0
  /** The outbox that the connection sends from. */
  #outbox: ClientOutbox | undefined
  #isResuming = false
  /** The newest `$resume` that came before an earlier one was answered. */
  #nextResume: Resume | undefined
  /** The acknowledgement that is about to be sent. */
  #unsentAck: { readonly cid: string; readonly n: number } | undefined

  constructor(context: ServerDeliveryContext, options: SubscriberOptions) {
    this.#context = context
    this.#options = options
    this.#highWaterBytes = Math.min(context.options.highWaterBytes, context.maxBufferedBytes)
    this.#options.mailbox.readers.add(this)
    options.connection.onFlushed(() => this.pump())
  }

  get hasRoster(): boolean {
    return this.#sent !== undefined
  }

  /** Sends the first frame. */
  greet(): void {
    const { maxMessageBytes: maxBytes, options } = this.#context
    const { idleMs, window } = options
    const { epoch, head, first } = this.#options.mailbox
    this.#greetedHead = head
    this.#send('$hello', { v: DELIVERY_VERSION, maxBytes, idleMs, window, epoch, head, first })
  }

  /** Handles a control frame. One of an unknown type is ignored. */
  control(type: string, payload: unknown): ControlResult {
    if (type !== '$resume') return 'handled'
    const validated = validateResume(payload)
    if (!validated.ok || !isComplete(validated.value)) return 'invalid'
    this.#nextResume = validated.value
    if (!this.#isResuming) void this.#resumeInTurn()
    return 'handled'
  }

  receive(input: NumberedInput): void {
    if (this.#outbox?.cid === input.cid) void this.#outbox.receive(this, input)
    else this.#context.counters.fenced += 1
  }

  /** Sends the messages that were not sent yet, until the backlog of the connection is too large. */
  pump(): void {
    const { connection, mailbox } = this.#options
    // It is called again when the backlog has gone out.
    while (
      this.#sent !== undefined &&
      this.#sent < mailbox.head &&
      connection.isOpen &&
      connection.bufferedBytes < this.#highWaterBytes
    ) {
      const next = this.#sent + 1
      if (next < mailbox.first) this.#reset('trimmed')
      else {
        this.#sendFrame(() => mailbox.frame(next))
        this.#sent = next
        if (next <= this.#replayedTo) this.#context.counters.replayed += 1
      }
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
    this.#nextResume = undefined
    this.#options.mailbox.readers.delete(this)
    this.#turnTo(undefined)
    this.#options.left(this)
  }

  /** Acknowledges messages: with one frame for all of one change, or of one read of the socket. */
  acknowledge(cid: string, n: number): void {
    if (this.#unsentAck === undefined) queueMicrotask(() => this.#sendAck())
    else if (this.#unsentAck.cid !== cid) this.#sendAck()
    this.#unsentAck = { cid, n }
  }

  refuse(cid: string, n: number, code: string, retry: boolean): void {
    // A later acknowledgement covers a message that is refused for good, but not one that is to be
    // sent again.
    if (retry) this.#sendAck()
    this.#send('$nack', { cid, n, code, retry })
  }

  giveUp(): void {
    this.#options.connection.close(1011, 'Unavailable')
  }

  /** Answers one `$resume` after the other, so that a flood of them does not pile up. */
  async #resumeInTurn(): Promise<void> {
    this.#isResuming = true
    while (this.#nextResume !== undefined) {
      const resume = this.#nextResume
      this.#nextResume = undefined
      await this.#resume(resume)
    }
    this.#isResuming = false
  }

  async #resume(resume: Resume): Promise<void> {
    const { deviceId, mailbox } = this.#options
    const { cid, fence, start = '', past = [] } = resume
    const claimed = cid === undefined ? undefined : mailbox.outbox(deviceId, cid)
    this.#turnTo(claimed)
    if (claimed !== undefined && fence !== undefined) {
      await claimed.resume(this, { fence, start, past }, (mark) => this.#answer(resume, mark))
      return
    }
    const isAnswered = await mailbox.write((draft) => {
      draft.answers.push(() => this.#answer(resume))
    })
    if (!isAnswered) this.giveUp()
  }

  // A connection sends from one outbox at a time, so that it cannot keep many in memory.
  #turnTo(outbox: ClientOutbox | undefined): void {
    if (this.#outbox !== outbox) this.#outbox?.leave(this)
    this.#outbox = outbox
  }

  #answer(resume: Resume, mark?: OutboxMark): void {
    if (!this.#options.connection.isOpen) return
    this.#sendAck()
    this.#context.counters.resumes += 1
    const why = resetReasonOf(resume, this.#options.mailbox)
    if (why === undefined) {
      const { epoch, head } = this.#options.mailbox
      this.#send('$resumed', { epoch, head, ...mark })
      this.#continueFrom(resume.seq)
    } else {
      this.#reset(why, mark)
    }
    this.pump()
  }

  #reset(why: ResetReason, mark?: OutboxMark): void {
    const { epoch, head } = this.#options.mailbox
    const snapshot = this.#options.mailbox.snapshot(why, this.#sent ?? this.#greetedHead)
    this.#context.counters.resets += 1
    this.#send('$reset', { why, epoch, head, ...mark })
    this.#send('$snapshot', { epoch, ...snapshot })
    this.#continueFrom(snapshot.seq)
  }

  #continueFrom(seq: number | undefined): void {
    this.#sent = seq
    this.#replayedTo = this.#options.mailbox.head
    // Sent without a pause, so that no device comes or goes in between.
    this.#options.sendRoster()
    this.#send('$roster')
  }

  #sendAck(): void {
    const ack = this.#unsentAck
    this.#unsentAck = undefined
    if (ack !== undefined) this.#send('$ack', ack)
  }

  #send(type: string, data?: unknown): void {
    this.#sendFrame(() => encodeMessage(this.#context.envelope, { type, data }, {}))
  }

  #sendFrame(encode: () => Uint8Array): void {
    try {
      this.#options.connection.send(encode())
    } catch (cause) {
      const error = new SyncError('handler-threw', 'The envelope threw.', { cause })
      this.#context.reporting.report(error)
      // Otherwise the client would wait without end for the missing frame.
      this.giveUp()
    }
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
function isComplete({ epoch, seq, cid, fence, start = '', past = [] }: Resume): boolean {
  if ((epoch === undefined) !== (seq === undefined)) return false
  if ((cid === undefined) !== (fence === undefined)) return false
  if (past.length > MOST_PAST_STARTS) return false
  if ([start, ...past].some(({ length }) => length > LONGEST_START)) return false
  return cid === undefined || CID.test(cid)
}
