import type { RefusedNumber } from '../../schemas/control.js'
import type { ClientMark } from '../log/delivery-log.js'
import { markKey } from '../log/user-log.js'
import { decideMessage, type MessageDecision } from './acceptance.js'
import { sendToPlain } from './logged-message.js'
import type { Mailbox } from './mailbox.js'
import type { ServerDeliveryContext } from './context.js'
import type { NumberedInput } from './port.js'
import type { LogDraft } from './write-queue.js'

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
 * The server's side of one client's outbox. It handles what it receives one after another: claims,
 * and messages in the order of their numbers. Its mailbox is loaded.
 *
 * A message is received, decided about, written, and then acknowledged or refused. The next message
 * is decided about while the one before it is being written.
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
  /** The claims and messages that wait for their turn. */
  readonly #waiting: (() => void)[] = []
  readonly #unacknowledged = new Set<OutboxSender>()
  /** The connection whose messages are accepted. */
  #owner: OutboxSender | undefined
  /** The highest fencing token so far. */
  #fence: number
  /** The number that is accepted next. A message that is being written counts as accepted. */
  #next: number
  #writesUnderWay = 0
  #isDeciding = false
  #isWorking = false
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
    this.#newMark = { deviceId, cid, hwm: 0, fence: 0, refused: [] }
    const { fence, hwm } = this.#mark
    this.#fence = fence
    this.#next = hwm + 1
    mailbox.activeOutboxes.add(this.#key)
  }

  /**
   * A connection claims to be the one that sends the messages of the outbox. With a lower fencing
   * token than a former one the claim has no effect. `answer` is called once everything received
   * before is settled; with `undefined` where the claim failed.
   */
  resume(sender: OutboxSender, fence: number, answer: (mark?: OutboxMark) => void): void {
    if (fence >= this.#fence) {
      this.#fence = fence
      this.#owner = sender
    }
    this.#waiting.push(() => this.#claim(sender, fence, answer))
    this.#work()
  }

  receive(sender: OutboxSender, input: NumberedInput): void {
    const { counters, options } = this.#context
    if (sender !== this.#owner) counters.fenced += 1
    else if (this.#waiting.length + this.#writesUnderWay >= options.window) counters.gaps += 1
    else {
      this.#waiting.push(() => this.#consider(sender, input))
      this.#work()
    }
  }

  /** A connection closed, or turned to another outbox. */
  leave(sender: OutboxSender): void {
    if (this.#owner === sender) this.#owner = undefined
    if (!this.#isWorking) this.#endIfUnused()
  }

  /** How far the outbox has come, as far as that is written. */
  get #mark(): ClientMark {
    return this.#mailbox.mark(this.#key) ?? this.#newMark
  }

  #work(): void {
    if (this.#isWorking) return
    this.#isWorking = true
    while (!this.#isDeciding && this.#waiting.length > 0) this.#waiting.shift()?.()
    this.#isWorking = false
    this.#endIfUnused()
  }

  #consider(sender: OutboxSender, input: NumberedInput): void {
    const { counters } = this.#context
    const { cid, n } = input
    if (n < this.#next) {
      counters.duplicates += 1
      // A message that is being written is acknowledged once it is written.
      const { hwm } = this.#mark
      if (n <= hwm) sender.acknowledge(cid, hwm)
      return
    }
    if (n > this.#next) {
      counters.gaps += 1
      return
    }
    this.#isDeciding = true
    decideMessage(this.#context, this.#deviceId, input, (decision) => {
      this.#isDeciding = false
      // Meanwhile a message before it may have failed. The client sends that one again first.
      if (n !== this.#next) counters.gaps += 1
      else if (decision.kind === 'refuse' && decision.retry) {
        this.#refuseForNow(n, sender, decision.code)
      } else this.#write(n, sender, decision)
      this.#work()
    })
  }

  /** Refuses a message that the client is to send again, after the answers to those before it. */
  #refuseForNow(n: number, sender: OutboxSender, code: string): void {
    this.#writesUnderWay += 1
    this.#mailbox.push({
      settle: () => {
        this.#context.counters.refused += 1
        this.#acknowledge()
        sender.refuse(this.cid, n, code, true)
        this.#writeEnded()
      },
      fail: () => this.#writeEnded(),
    })
  }

  /** Writes a message that was accepted, or refused for good: both use up its number. */
  #write(n: number, sender: OutboxSender, decision: MessageDecision): void {
    const { cid } = this
    const { counters } = this.#context
    let isStaged = false
    let isInTurn = false
    this.#next = n + 1
    this.#writesUnderWay += 1
    this.#mailbox.push({
      stage: (draft) => {
        const mark = draft.mark(this.#key) ?? this.#newMark
        isStaged = true
        isInTurn = n === mark.hwm + 1
        if (!isInTurn) return
        this.#stage(draft, mark, n, decision)
        this.#unacknowledged.add(sender)
        // `atEnd` is a set: one call per change.
        draft.atEnd.add(this.#acknowledge)
      },
      settle: () => {
        if (!isInTurn) counters.gaps += 1
        else if (decision.kind === 'refuse') {
          counters.refused += 1
          sender.refuse(cid, n, decision.code, false)
        } else {
          counters.taken += 1
          const { relayed } = decision
          if (relayed !== undefined) sendToPlain(this.#context, this.#mailbox.userId, [relayed])
        }
        this.#writeEnded()
      },
      fail: () => {
        if (isInTurn) this.#unacknowledged.clear()
        // Not staged: the queue was full. Earlier numbers may still be written, so only this one is
        // free again. Staged: the next number is the one after what the log holds.
        this.#next = isStaged ? this.#mark.hwm + 1 : n
        // The client also sends again everything that follows the first refused message.
        if (n === this.#next) sender.refuse(cid, n, 'unavailable', true)
        this.#writeEnded()
      },
      afterwards() {
        if (isInTurn && decision.kind === 'accept') decision.handle()
      },
    })
  }

  #stage(draft: LogDraft, mark: ClientMark, n: number, decision: MessageDecision): void {
    const recent = mark.refused.filter(([number]) => number > n - this.#context.options.window)
    const refused: readonly RefusedNumber[] =
      decision.kind === 'refuse' ? [...recent, [n, decision.code]] : recent
    draft.putMark({ ...mark, hwm: n, refused })
    if (decision.kind === 'accept' && decision.relayed !== undefined) draft.append(decision.relayed)
  }

  // One acknowledgement for everything that was written in one change: a draft calls it once,
  // since it is the same function each time.
  readonly #acknowledge = (): void => {
    const { hwm } = this.#mark
    for (const sender of this.#unacknowledged) sender.acknowledge(this.cid, hwm)
    this.#unacknowledged.clear()
  }

  #claim(sender: OutboxSender, fence: number, answer: (mark?: OutboxMark) => void): void {
    let answered: OutboxMark | undefined
    this.#writesUnderWay += 1
    this.#mailbox.push({
      stage: (draft) => {
        const known = draft.mark(this.#key)
        const mark = known ?? this.#newMark
        if (fence < mark.fence) return
        // The mark is written before the answer, so `known: false` after an earlier answer means
        // that the log was lost.
        if (known === undefined || fence > mark.fence) draft.putMark({ ...mark, fence })
        answered = { hwm: mark.hwm, known: known !== undefined, refused: mark.refused }
      },
      settle: () => {
        answer(answered)
        this.#writeEnded()
      },
      fail: () => {
        sender.giveUp()
        this.#writeEnded()
      },
    })
  }

  #writeEnded(): void {
    this.#writesUnderWay -= 1
    this.#endIfUnused()
  }

  #endIfUnused(): void {
    if (this.#hasEnded || this.#owner !== undefined || this.#isDeciding) return
    if (this.#waiting.length > 0 || this.#writesUnderWay > 0) return
    this.#hasEnded = true
    this.#mailbox.activeOutboxes.delete(this.#key)
    this.#ended()
  }
}
