import type { ClientMark } from '../log/delivery-log.js'
import { markKey } from '../log/user-log.js'
import { decideMessage, type MessageDecision } from './acceptance.js'
import type { ServerDeliveryContext } from './context.js'
import type { LogDraft } from './log-draft.js'
import type { Mailbox } from './mailbox.js'
import type { NumberedInput } from './port.js'

/** What a client says of itself when it claims an outbox. */
export interface OutboxClaim extends Pick<ClientMark, 'fence' | 'start'> {
  /** Earlier starts that the server may know as the latest. */
  readonly past: readonly string[]
}

/** How far the server has come with an outbox: part of the answer to a resume. */
export interface OutboxMark extends Pick<ClientMark, 'hwm' | 'refused'> {
  /** Whether the log knew the outbox before. */
  readonly known: boolean
}

/** A connection that sends messages of an outbox, and hears the answers. No method throws. */
export interface OutboxSender {
  acknowledge(cid: string, n: number): void
  refuse(cid: string, n: number, code: string, retry: boolean): void
  /** The log cannot be read or written: the connection is closed, and the client comes back. */
  giveUp(): void
}

/**
 * How far a claim may raise the fence. A client's fence grows by one each time it takes its outbox
 * over. Without a limit one claim with the largest number would shut out every later owner.
 */
const LONGEST_FENCE_STEP = 1_024

/**
 * The server's side of one client's outbox. Its mailbox is loaded.
 *
 * A message is received, decided about, written, and then acknowledged or refused. Claims and
 * messages are handled in the order in which they come. The next one is decided about while the one
 * before it is being written.
 */
export class ClientOutbox {
  readonly cid: string
  readonly #deviceId: string
  readonly #mailbox: Mailbox
  readonly #context: ServerDeliveryContext
  readonly #ended: () => void
  readonly #key: string
  /** The mark of an outbox that the log does not know. */
  readonly #newMark: ClientMark
  /** The connection whose messages are accepted. */
  #owner: OutboxSender | undefined
  /** The last claim that counted; `undefined` for an outbox that nobody knows. */
  #latest: Pick<ClientMark, 'fence' | 'start'> | undefined
  /** The number that is accepted next. A message that is being written counts as accepted. */
  #next: number
  /** How many claims and messages were received and are not settled. */
  #unsettled = 0
  readonly #turns = new Turns()
  #hasEnded = false

  /** `ended` is called once no connection sends from it any more, and nothing of it is unsettled. */
  constructor(
    { deviceId, cid }: Pick<ClientMark, 'deviceId' | 'cid'>,
    mailbox: Mailbox,
    context: ServerDeliveryContext,
    ended: () => void,
  ) {
    this.cid = cid
    this.#deviceId = deviceId
    this.#mailbox = mailbox
    this.#context = context
    this.#ended = ended
    this.#key = markKey({ deviceId, cid })
    this.#newMark = { deviceId, cid, hwm: 0, fence: 0, start: '', refused: [] }
    this.#latest = mailbox.mark(this.#key)
    this.#next = this.#hwm + 1
  }

  /**
   * A connection claims to be the one that sends the messages of the outbox. `answer` is called
   * once everything received before is settled; with `undefined` where the claim does not count.
   */
  async resume(
    sender: OutboxSender,
    claim: OutboxClaim,
    answer: (mark?: OutboxMark) => void,
  ): Promise<void> {
    const counts = doesCount(claim, this.#latest)
    if (counts) {
      this.#latest = claim
      this.#owner = sender
    }
    this.#unsettled += 1
    const endTurn = await this.#turns.take()
    const written = this.#mailbox.write((draft) => {
      if (counts) this.#mark(draft, claim, answer)
      else draft.answers.push(answer)
    })
    endTurn()
    if (!(await written)) sender.giveUp()
    this.#settled()
  }

  /** A numbered message came. */
  async receive(sender: OutboxSender, input: NumberedInput): Promise<void> {
    const { counters, options } = this.#context
    if (sender !== this.#owner) {
      counters.fenced += 1
      return
    }
    if (this.#unsettled >= options.window) {
      counters.gaps += 1
      return
    }
    this.#unsettled += 1
    const endTurn = await this.#turns.take()
    if (this.#isNext(sender, input.n)) {
      const decision = await decideMessage(this.#context, this.#deviceId, input)
      const settled = this.#settle(sender, input.n, decision)
      endTurn()
      await settled
    } else endTurn()
    this.#settled()
  }

  /** A connection closed, or turned to another outbox. */
  leave(sender: OutboxSender): void {
    if (this.#owner === sender) this.#owner = undefined
    this.#endIfUnused()
  }

  /** The number of the last message that was accepted or refused for good, as far as that is written. */
  get #hwm(): number {
    return this.#mailbox.mark(this.#key)?.hwm ?? 0
  }

  /** Whether a message is the next one. A message that is not is ignored, or acknowledged again. */
  #isNext(sender: OutboxSender, n: number): boolean {
    const { counters } = this.#context
    if (n === this.#next) return true
    if (n > this.#next) counters.gaps += 1
    else {
      counters.duplicates += 1
      // A message that is being written is acknowledged once it is written.
      if (n <= this.#hwm) sender.acknowledge(this.cid, this.#hwm)
    }
    return false
  }

  /** Writes what was decided, answers the client, and has the message handled. */
  async #settle(sender: OutboxSender, n: number, decision: MessageDecision): Promise<void> {
    // While it was decided about, a message before it may have failed. The client sends that one
    // again first.
    if (n !== this.#next) {
      this.#context.counters.gaps += 1
      return
    }
    if (decision.kind === 'accept' || !decision.retry) this.#next = n + 1
    const isWritten = await this.#mailbox.write((draft) => {
      this.#stage(draft, sender, n, decision)
    })
    if (isWritten) return
    this.#next = Math.min(this.#next, n)
    // The client also sends again everything that follows the first refused message.
    if (n === this.#next) sender.refuse(this.cid, n, 'unavailable', true)
  }

  /** Puts a decision into the draft, unless the log has another number next. */
  #stage(draft: LogDraft, sender: OutboxSender, n: number, decision: MessageDecision): void {
    const { cid } = this
    const { counters, options } = this.#context
    const mark = draft.mark(this.#key) ?? this.#newMark
    if (n > mark.hwm + 1) {
      counters.gaps += 1
      return
    }
    // A change that seemed to have failed was written all the same.
    if (n <= mark.hwm) {
      draft.answers.push(() => sender.acknowledge(cid, n))
      return
    }
    const refused = mark.refused.filter(([number]) => number > n - options.window)
    if (decision.kind === 'refuse') {
      const { code, retry } = decision
      draft.answers.push(() => {
        counters.refused += 1
        sender.refuse(cid, n, code, retry)
      })
      if (retry) return
      refused.push([n, code])
    } else {
      draft.handlers.push(decision.handle)
      if (decision.relayed !== undefined) draft.publish([decision.relayed])
    }
    draft.answers.push(() => {
      if (decision.kind === 'accept') counters.taken += 1
      sender.acknowledge(cid, n)
    })
    draft.putMark({ ...mark, hwm: n, refused })
  }

  /**
   * Puts a claim into the draft. The mark is written before the answer, so `known: false` after an
   * earlier answer means that the log was lost.
   */
  #mark(draft: LogDraft, { fence, start }: OutboxClaim, answer: (mark: OutboxMark) => void): void {
    const known = draft.mark(this.#key)
    const mark = known ?? this.#newMark
    if (known?.fence !== fence || known.start !== start) draft.putMark({ ...mark, fence, start })
    this.#next = mark.hwm + 1
    draft.answers.push(() => {
      answer({ hwm: mark.hwm, known: known !== undefined, refused: mark.refused })
    })
  }

  #settled(): void {
    this.#unsettled -= 1
    this.#endIfUnused()
  }

  #endIfUnused(): void {
    if (this.#hasEnded || this.#owner !== undefined || this.#unsettled > 0) return
    this.#hasEnded = true
    this.#ended()
  }
}

/**
 * Whether a claim is made by the latest user of an outbox. A copy of an outbox, and one that was
 * restored from a backup, do not know the start that the server heard last.
 */
function doesCount(
  { fence, start, past }: OutboxClaim,
  latest: Pick<ClientMark, 'fence' | 'start'> | undefined,
): boolean {
  const { fence: former, start: known } = latest ?? { fence: 0, start }
  const isLatest = start === known || past.includes(known)
  return isLatest && fence >= former && fence <= former + LONGEST_FENCE_STEP
}

/** Lets one caller after another go on, in the order in which they come. */
class Turns {
  #last: Promise<void> = Promise.resolve()

  /** Resolves once all turns before have ended, with the function that ends this one. */
  async take(): Promise<() => void> {
    const before = this.#last
    let end!: () => void
    this.#last = new Promise((resolve) => {
      end = resolve
    })
    await before
    return end
  }
}
