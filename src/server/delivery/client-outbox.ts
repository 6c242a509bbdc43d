import type { ClientMark } from '../log/delivery-log.js'
import { markKey } from '../log/user-log.js'
import { decideMessage, type MessageDecision } from './acceptance.js'
import type { ServerDeliveryContext } from './context.js'
import type { LogDraft, LogWriter } from './log-draft.js'
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
  /** The log cannot be written: the connection is closed, and the client comes back. */
  giveUp(): void
}

/**
 * How far a claim to an outbox without a start may raise the fence. Without a limit one claim with
 * the largest number would shut out every later owner, since anybody may know a cid. A start is a
 * secret of the outbox: whoever knows it may raise the fence by any number.
 */
const LONGEST_FENCE_STEP = 1_024

/**
 * The server's side of one client's outbox. The log is loaded.
 *
 * A message is received, decided about, written, and then acknowledged or refused. Claims and
 * messages are handled in the order in which they come. The next one is decided about while the one
 * before it is being written.
 */
export class ClientOutbox {
  readonly cid: string
  readonly #log: LogWriter
  readonly #context: ServerDeliveryContext
  readonly #ended: () => void
  readonly #key: string
  /** The mark of an outbox that the log does not know. */
  readonly #newMark: ClientMark
  /** The connection whose messages are accepted. */
  #owner: OutboxSender | undefined
  /** The last claim that counted; `undefined` if the log does not know the outbox. */
  #latest: Pick<ClientMark, 'fence' | 'start'> | undefined
  /** The number that is accepted next. A message that is being written counts as accepted. */
  #next: number
  /** How many claims and messages were received and are not settled. */
  #unsettled = 0
  /** Resolves once everything received before is decided about. */
  #turn: Promise<void> = Promise.resolve()
  #hasEnded = false

  /** `ended` is called once no connection sends from it any more, and nothing of it is unsettled. */
  constructor(
    { deviceId, cid }: Pick<ClientMark, 'deviceId' | 'cid'>,
    log: LogWriter,
    context: ServerDeliveryContext,
    ended: () => void,
  ) {
    this.cid = cid
    this.#log = log
    this.#context = context
    this.#ended = ended
    this.#key = markKey({ deviceId, cid })
    this.#newMark = { deviceId, cid, hwm: 0, fence: 0, start: '', refused: [] }
    this.#latest = log.mark(this.#key)
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
    const endTurn = await this.#takeTurn()
    const written = this.#log.write((draft) => {
      if (counts) this.#stageClaim(draft, claim, answer)
      else draft.answers.push(answer)
    })
    endTurn()
    if (!(await written)) sender.giveUp()
    this.#settled()
  }

  async receive(sender: OutboxSender, input: NumberedInput): Promise<void> {
    const { counters, options } = this.#context
    if (sender !== this.#owner) counters.fenced += 1
    else if (this.#unsettled >= options.window) counters.gaps += 1
    else {
      const endTurn = await this.#takeTurn()
      let written: Promise<void> | undefined
      if (this.#isDue(sender, input.n, this.#next)) {
        const decision = await decideMessage(this.#context, this.#newMark.deviceId, input)
        written = this.#write(sender, input.n, decision)
      }
      endTurn()
      await written
      this.#settled()
    }
  }

  /** A connection closed, or turned to another outbox. */
  leave(sender: OutboxSender): void {
    if (this.#owner === sender) this.#owner = undefined
    this.#endIfUnused()
  }

  /** The number of the last message that is settled, as far as that is written. */
  get #hwm(): number {
    return this.#log.mark(this.#key)?.hwm ?? 0
  }

  /** Waits until everything received before is decided about. Gives the function that ends the turn. */
  async #takeTurn(): Promise<() => void> {
    const before = this.#turn
    let end!: () => void
    this.#turn = new Promise((resolve) => {
      end = resolve
    })
    this.#unsettled += 1
    await before
    return end
  }

  /** Whether a message is the next one. One that is written already is acknowledged again. */
  #isDue(sender: OutboxSender, n: number, next: number): boolean {
    if (n === next) return true
    this.#context.counters[n < next ? 'duplicates' : 'gaps'] += 1
    if (n <= this.#hwm) sender.acknowledge(this.cid, this.#hwm)
    return false
  }

  /** Writes what was decided. A message that cannot be written is refused for now. */
  async #write(sender: OutboxSender, n: number, decision: MessageDecision): Promise<void> {
    const usesUp = decision.kind === 'accept' || !decision.retry
    if (n === this.#next && usesUp) this.#next = n + 1
    const isWritten = await this.#log.write((draft) => {
      // A message before it may have failed meanwhile. The client sends that one again first.
      const mark = draft.mark(this.#key) ?? this.#newMark
      if (this.#isDue(sender, n, mark.hwm + 1)) this.#stage(draft, mark, sender, decision)
    })
    if (isWritten) return
    this.#next = Math.min(this.#next, n)
    // The client also sends again everything that follows the first refused message.
    if (n === this.#next) sender.refuse(this.cid, n, 'unavailable', true)
  }

  /** Puts a decision about the next message into the draft. */
  #stage(draft: LogDraft, mark: ClientMark, sender: OutboxSender, decision: MessageDecision): void {
    const { cid } = this
    const { counters, options } = this.#context
    const n = mark.hwm + 1
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
    draft.putMark({ ...mark, hwm: n, refused })
    draft.answers.push(() => {
      if (decision.kind === 'accept') counters.taken += 1
      sender.acknowledge(cid, n)
    })
  }

  /**
   * Puts a claim into the draft. The mark is written before the answer, so `known: false` after an
   * earlier answer means that the log was lost.
   */
  #stageClaim(
    draft: LogDraft,
    { fence, start }: OutboxClaim,
    answer: (mark: OutboxMark) => void,
  ): void {
    const known = draft.mark(this.#key)
    const { hwm, refused } = known ?? this.#newMark
    if (known?.fence !== fence || known.start !== start) {
      draft.putMark({ ...this.#newMark, ...known, fence, start })
    }
    this.#next = hwm + 1
    draft.answers.push(() => answer({ hwm, known: known !== undefined, refused }))
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
  latest: Pick<ClientMark, 'fence' | 'start'> = { fence: 0, start },
): boolean {
  const isLatest = start === latest.start || past.includes(latest.start)
  const step = latest.start === '' ? LONGEST_FENCE_STEP : Number.POSITIVE_INFINITY
  return isLatest && fence >= latest.fence && fence <= latest.fence + step
}
