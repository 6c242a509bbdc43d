import type { RefusedNumber } from '../../schemas/control.js'
import type { ClientMark } from '../log/delivery-log.js'
import type { UnnumberedMessage } from './logged-message.js'
import type { Draft, Mailbox } from './mailbox.js'
import type { DeliveryCounting } from './stats.js'
import { markKey } from '../log/user-log.js'

/** Where a server stands with an outbox. */
export interface Standing {
  readonly hwm: number
  readonly known: boolean
  readonly refused: readonly RefusedNumber[]
}

/** The connection that something came on. No function throws. */
export interface Speaker {
  acknowledge(cid: string, n: number): void
  refuse(cid: string, n: number, code: string, retry: boolean): void
  /** The log cannot be had. */
  giveUp(): void
}

/** What becomes of a message whose turn it is. */
export type Verdict =
  | {
      readonly kind: 'take'
      /** What goes to all of the user's devices, where something does. */
      readonly relayed: UnnumberedMessage | undefined
      /** It is written, and goes to those without delivery, too. Does not throw. */
      readonly written: () => void
      /** Runs after that: the user's code. */
      readonly taken: () => void
    }
  | { readonly kind: 'refuse'; readonly code: string; readonly retry: boolean }

/** A numbered message of a client. */
export interface NumberedMessage {
  readonly n: number
  readonly speaker: Speaker
  /** Decides about it, at once or later. Asked when its turn has come, and at most once. */
  readonly judge: (decided: (verdict: Verdict) => void) => void
}

/** A client's claim to an outbox. */
export interface Claim {
  readonly speaker: Speaker
  readonly fence: number
  /** Hears where things stand once all that came before is settled; nothing: it has no right. */
  readonly answer: (standing: Standing | undefined) => void
}

/** What is heard of one outbox, in order. */
export interface Channel {
  resume(claim: Claim): void
  receive(message: NumberedMessage): void
  /** A connection is gone, or has turned to another outbox. */
  leave(speaker: Speaker): void
}

/** What {@link createChannel} needs. */
export interface ChannelOptions {
  readonly mailbox: Mailbox
  readonly deviceId: string
  readonly cid: string
  readonly window: number
  readonly counters: DeliveryCounting
  /** Nobody speaks on it, and nothing of it is on its way. */
  readonly ended: () => void
}

/** Makes the {@link Channel} of an outbox of a mailbox that is loaded. */
export function createChannel(options: ChannelOptions): Channel {
  const { mailbox, deviceId, cid, window, counters } = options
  const key = markKey({ deviceId, cid })
  const fresh: ClientMark = { deviceId, cid, hwm: 0, fence: 0, refused: [] }
  const markNow = () => mailbox.mark(key) ?? fresh

  let owner: Speaker | undefined
  let fence = markNow().fence
  /** The number that is taken next: what is being written counts as taken. */
  let next = markNow().hwm + 1
  const inbox: (NumberedMessage | Claim)[] = []
  let isJudging = false
  let isWorking = false
  let onTheirWay = 0
  let isOver = false
  const unacknowledged = new Set<Speaker>()
  mailbox.heard.add(key)

  function work(): void {
    if (isWorking) return
    isWorking = true
    for (let item = inbox[0]; item !== undefined && !isJudging; item = inbox[0]) {
      inbox.shift()
      if ('fence' in item) claim(item)
      else consider(item)
    }
    isWorking = false
    endIfOver()
  }

  function endIfOver(): void {
    if (isOver || owner !== undefined || isJudging || inbox.length > 0 || onTheirWay > 0) return
    isOver = true
    mailbox.heard.delete(key)
    options.ended()
  }

  function settled(): void {
    onTheirWay -= 1
    endIfOver()
  }

  function consider({ n, speaker, judge }: NumberedMessage): void {
    const { hwm } = markNow()
    if (n < next) {
      counters.duplicates += 1
      // What is being written is answered when it is written.
      if (n <= hwm) speaker.acknowledge(cid, hwm)
      return
    }
    if (n > next) {
      counters.gaps += 1
      return
    }
    isJudging = true
    judge((verdict) => {
      isJudging = false
      // A message before it may have failed meanwhile, and comes again first.
      if (n !== next) counters.gaps += 1
      else if (verdict.kind === 'refuse' && verdict.retry) postpone(n, speaker, verdict.code)
      else write(n, speaker, verdict)
      work()
    })
  }

  /** Refuses a message for now, in its turn among the answers. */
  function postpone(n: number, speaker: Speaker, code: string): void {
    onTheirWay += 1
    mailbox.push({
      stage() {},
      settle() {
        counters.refused += 1
        acknowledge()
        speaker.refuse(cid, n, code, true)
        settled()
      },
      fail: settled,
    })
  }

  function write(n: number, speaker: Speaker, verdict: Verdict): void {
    let isStaged = false
    let isInTurn = false
    next = n + 1
    onTheirWay += 1
    mailbox.push({
      stage(draft) {
        const mark = draft.mark(key) ?? fresh
        isStaged = true
        isInTurn = n === mark.hwm + 1
        if (!isInTurn) return
        stage(draft, mark, n, verdict)
        unacknowledged.add(speaker)
        draft.atEnd(acknowledge)
      },
      settle() {
        if (!isInTurn) counters.gaps += 1
        else if (verdict.kind === 'refuse') {
          counters.refused += 1
          speaker.refuse(cid, n, verdict.code, false)
        } else {
          counters.taken += 1
          verdict.written()
        }
        settled()
      },
      fail() {
        if (isInTurn) unacknowledged.clear()
        // What waited behind too much else has others of its own before it.
        next = isStaged ? markNow().hwm + 1 : n
        // The client sends everything after it again as well.
        if (n === next) speaker.refuse(cid, n, 'unavailable', true)
        settled()
      },
      afterwards() {
        if (isInTurn && verdict.kind === 'take') verdict.taken()
      },
    })
  }

  function stage(draft: Draft, mark: ClientMark, n: number, verdict: Verdict): void {
    const kept = mark.refused.filter(([number]) => number > n - window)
    const refused: readonly RefusedNumber[] =
      verdict.kind === 'refuse' ? [...kept, [n, verdict.code]] : kept
    draft.putMark({ ...mark, hwm: n, refused })
    if (verdict.kind === 'take' && verdict.relayed !== undefined) draft.append(verdict.relayed)
  }

  /** One answer for all that was written in one go. */
  function acknowledge(): void {
    for (const speaker of unacknowledged) speaker.acknowledge(cid, markNow().hwm)
    unacknowledged.clear()
  }

  function claim({ speaker, fence: claimed, answer }: Claim): void {
    let standing: Standing | undefined
    onTheirWay += 1
    mailbox.push({
      stage(draft) {
        const known = draft.mark(key)
        const mark = known ?? fresh
        if (claimed < mark.fence) return
        // A new one is written down before it is answered, so that a server that does not know
        // one that it had answered has lost its memory.
        if (known === undefined || claimed > mark.fence) draft.putMark({ ...mark, fence: claimed })
        standing = { hwm: mark.hwm, known: known !== undefined, refused: mark.refused }
      },
      settle() {
        answer(standing)
        settled()
      },
      fail() {
        speaker.giveUp()
        settled()
      },
    })
  }

  return {
    resume(claimed) {
      if (claimed.fence >= fence) {
        fence = claimed.fence
        owner = claimed.speaker
      }
      inbox.push(claimed)
      work()
    },
    receive(message) {
      if (message.speaker !== owner) counters.fenced += 1
      else if (inbox.length + onTheirWay >= window) counters.gaps += 1
      else {
        inbox.push(message)
        work()
      }
    },
    leave(speaker) {
      if (owner === speaker) owner = undefined
      if (!isWorking) endIfOver()
    },
  }
}
