import type { RefusedNumber } from '../schemas/control.js'
import { isLarger, sizeOf } from '../transport/frame-size.js'
import type { Encoded } from '../transport/json-codec.js'
import type { Handover } from '../transport/link.js'
import type { KeptMessage, OutboxChange } from './store/outbox-store.js'
import type { Entry, OutboxQueue } from './queue.js'
import type { SendOutcome } from './receipt.js'

/** The way to the server, as long as one connection lasts. */
export type Line =
  /** To a server that confirms nothing. */
  { readonly kind: 'plain' } | ({ readonly kind: 'acknowledged' } & Standing)

/** What a server said of itself, and of where it stands with this outbox. */
export interface Standing {
  readonly epoch: string
  /** The last number that it took. */
  readonly hwm: number
  /** Whether it remembers this outbox. */
  readonly isKnown: boolean
  readonly refused: readonly RefusedNumber[]
  /** The largest frame that it takes, in bytes. */
  readonly maxBytes: number
  /** The most messages that may be on their way, unacknowledged. */
  readonly window: number
}

/** Who we are on the wire, and where changes are kept. */
export interface Ownership {
  readonly cid: string
  readonly fence: number
  /** Absent where the outbox lives in memory alone. */
  readonly write?: (change: OutboxChange) => Promise<'done' | 'lost'>
}

/** What a {@link Transmission} needs. None of the functions throws. */
export interface TransmissionOptions {
  readonly queue: OutboxQueue
  readonly owner: () => Ownership | undefined
  readonly encode: (message: KeptMessage, number: Numbering | undefined) => Encoded
  /** Makes one frame of several messages; `undefined` where the envelope has no batches. */
  readonly encodeBatch: (messages: readonly NumberedMessage[]) => Encoded | undefined
  readonly hand: (frame: string) => Handover
  /** No frame larger than this is ever taken by `hand`, in bytes. */
  readonly maxFrameBytes: number
  /** Lets go of what should have been sent before now. */
  readonly removeExpired: () => void
  /** Takes an entry, which has left the queue, to its end. */
  readonly finish: (entry: Entry, outcome: SendOutcome) => void
  /** The socket takes no more for now. */
  readonly blocked: () => void
  /** The server takes no more for now. */
  readonly refusedForNow: (n: number) => void
  /** Something is on its way that the server will have to answer; told once after each `rest`. */
  readonly begun: () => void
}

/** A number on the wire. */
export interface Numbering {
  readonly cid: string
  readonly n: number
}

/** A message with its number on the wire. */
export interface NumberedMessage {
  readonly message: KeptMessage
  readonly number: Numbering
}

/** What was counted of messages on their way. */
export interface TransmissionCounts {
  /** Messages handed to a connection; the same one counts again where it is sent again. */
  readonly transmitted: number
  /** Of those, the ones that had been handed over before. */
  readonly retransmitted: number
}

/**
 * Numbers messages, sends them, and hears what became of them. A number is written down where the
 * outbox is kept before the message is sent, so that no other message ever gets it.
 */
export interface Transmission {
  readonly counts: TransmissionCounts
  readonly line: Line | undefined
  /** A way to the server is there; nothing is sent before `flow`. */
  open(line: Line): void
  close(): void
  /** From now on messages are sent as they come. */
  flow(): void
  hold(): void
  /** Sends what can be sent now. */
  pump(): void
  /**
   * The same after a message was accepted: the first of a turn of the event loop is sent at once,
   * those that follow in it together.
   */
  pumpAccepted(): void
  /** Takes the number of an entry away again, where it was not handed over with it. */
  withdraw(entry: Entry): void
  /** The server has taken everything up to this number. */
  acknowledge(n: number): void
  /** The server has refused this number, for good or for now. */
  refuse(n: number, code: string, isForNow: boolean): void
  /** When the oldest message that is on its way was handed over, in the clock's `now`. */
  readonly oldestSentAt: number | undefined
  /** From now on whoever watches for answers wants to know when there is one to wait for. */
  rest(): void
  /** The server has closed since a message was too large: the largest on its way is given up. */
  refuseLargest(): void
}

// Each frame is a call into the system, which costs more than all else that is done about a
// message. Of several that wait a frame holds as many as a server reads at once.
const MOST_IN_FRAME = 64
const LARGEST_BATCH_BYTES = 65_536
// What a number adds to a message's frame, beside the outbox's name.
const NUMBER_BYTES = 40

/** Makes the way out of an outbox. */
export function createTransmission(
  options: TransmissionOptions,
  clock: { readonly now: () => number },
): Transmission {
  const { queue, owner, encode, hand, finish, maxFrameBytes } = options
  const counts = { transmitted: 0, retransmitted: 0 }
  let line: Line | undefined
  let isFlowing = false
  let isWriting = false
  let isPumping = false
  let nextNumber = 1
  // Numbered on this line and not handed over yet.
  let outgoing: Entry[] = []
  let isTurnOpen = false
  const sentAt = new Map<Entry, number>()
  let isAnnounced = true

  function pump(): void {
    const ownership = owner()
    // Whoever hears of an outcome may send at once: the loop that told of it comes to that, too.
    if (isPumping || !isFlowing || isWriting || ownership === undefined) return
    isPumping = true
    // Late timers: what was read from the socket may run before them.
    options.removeExpired()
    if (line?.kind === 'plain') pumpPlain()
    else if (line !== undefined && handOutgoing(ownership, line)) numberMore(ownership, line)
    isPumping = false
  }

  function pumpAccepted(): void {
    if (isTurnOpen) return
    isTurnOpen = true
    queueMicrotask(() => {
      isTurnOpen = false
      pump()
    })
    pump()
  }

  // Those with a number keep it until they are sent: the server may turn out to have delivery
  // after all, and to have taken them.
  function nextPlain(): Entry | undefined {
    return isFlowing ? (queue.numbered[0] ?? nextKept()) : undefined
  }

  function pumpPlain(): void {
    for (let entry = nextPlain(); entry !== undefined; entry = nextPlain()) {
      const encoded = encode(entry.message, undefined)
      if (entry.isAbandoned) settle(entry, { outcome: 'unknown', reason: 'aborted' })
      else if (!encoded.ok) giveUp(entry, 'invalid')
      else if (entry.bytes > maxFrameBytes) giveUp(entry, 'too-large')
      else if (!handOver([entry], encoded.frame)) return
      else {
        queue.remove(entry)
        finish(entry, { outcome: 'sent' })
      }
    }
  }

  // Nothing overtakes a message that is still being kept.
  function nextKept(): Entry | undefined {
    const entry = isFlowing ? queue.next() : undefined
    return entry?.keeping === 'pending' ? undefined : entry
  }

  function handOver(entries: readonly Entry[], frame: string): boolean {
    const handover = hand(frame)
    if (handover !== 'sent') {
      isFlowing = false
      if (handover === 'full') options.blocked()
      return false
    }
    counts.transmitted += entries.length
    for (const entry of entries) {
      if (entry.wasTransmitted) counts.retransmitted += 1
      entry.wasTransmitted = true
    }
    return true
  }

  function handOutgoing({ cid }: Ownership, to: Standing): boolean {
    while (outgoing.length > 0) {
      const { entries, frame } = nextFrame(
        cid,
        Math.min(to.maxBytes, maxFrameBytes, LARGEST_BATCH_BYTES),
      )
      if (!handOver(entries, frame)) return false
      outgoing = outgoing.slice(entries.length)
      for (const entry of entries) sentAt.set(entry, clock.now())
      announce()
    }
    return true
  }

  function nextFrame(cid: string, maxBytes: number) {
    let bytes = 0
    const fitting = outgoing.slice(0, MOST_IN_FRAME).findIndex((entry) => {
      bytes += entry.bytes + cid.length + NUMBER_BYTES
      return bytes > maxBytes
    })
    const entries = outgoing.slice(0, fitting < 0 ? MOST_IN_FRAME : Math.max(1, fitting))
    const numbered = entries.map(({ message, n = 0 }) => ({ message, number: { cid, n } }))
    const batch = entries.length > 1 ? options.encodeBatch(numbered) : undefined
    // What an envelope puts around a batch is not counted above.
    if (batch?.ok === true && !isLarger(batch.frame, maxBytes)) {
      return { entries, frame: batch.frame }
    }
    // It could be encoded when it was accepted.
    const [first] = numbered
    const single = first && encode(first.message, first.number)
    return { entries: entries.slice(0, 1), frame: single?.ok === true ? single.frame : '' }
  }

  function announce(): void {
    if (isAnnounced || sentAt.size === 0) return
    isAnnounced = true
    options.begun()
  }

  function numberMore(ownership: Ownership, to: Standing): void {
    while (queue.numbered.length < to.window) {
      const entry = nextKept()
      if (entry === undefined) break
      const n = nextNumber
      if (isTooLarge(entry, { cid: ownership.cid, n }, Math.min(to.maxBytes, maxFrameBytes))) {
        giveUp(entry, 'too-large')
      } else {
        queue.number(entry, n)
        entry.sentEpoch = to.epoch
        nextNumber += 1
        outgoing.push(entry)
      }
    }
    if (outgoing.length > 0) writeNumbers(ownership, to)
  }

  // Only what is near the limit has to be looked at.
  function isTooLarge(entry: Entry, number: Numbering, maxBytes: number): boolean {
    if (entry.bytes + number.cid.length + NUMBER_BYTES <= maxBytes) return false
    const encoded = encode(entry.message, number)
    return !encoded.ok || sizeOf(encoded.frame) > maxBytes
  }

  function writeNumbers(ownership: Ownership, to: Standing): void {
    const { write } = ownership
    if (write === undefined) {
      handOutgoing(ownership, to)
      return
    }
    const put = outgoing.map(({ message, n }) => ({
      ...message,
      ...(n !== undefined && { sent: { n, epoch: to.epoch } }),
    }))
    isWriting = true
    void write({ put }).then((result) => {
      isWriting = false
      // Where the outbox was lost, its owner hears of it; where the line is another one by now,
      // these have been numbered anew.
      if (result === 'done') pump()
    })
  }

  function giveUp(entry: Entry, code: string): void {
    queue.remove(entry)
    finish(entry, { outcome: 'refused', code })
  }

  function settle(entry: Entry, outcome: SendOutcome): void {
    queue.remove(entry)
    sentAt.delete(entry)
    finish(entry, outcome)
  }

  function delivered(entry: Entry): SendOutcome {
    return { outcome: 'delivered', ...(entry.mayBeTwice && { possibleDuplicate: true as const }) }
  }

  function stand({ epoch, hwm, isKnown, refused }: Standing): void {
    const codes = new Map(refused)
    const stays: Entry[] = []
    const [{ n: first = 0 } = {}] = queue.numbered
    // It may have forgotten us twice, and have told of it when we did not hear.
    const isTheSame = isKnown && hwm >= first - 1
    for (const entry of [...queue.numbered]) {
      const { n = 0 } = entry
      const isRemembered = isTheSame && entry.sentEpoch === epoch
      const code = codes.get(n)
      if (isRemembered && n <= hwm) {
        settle(entry, code === undefined ? delivered(entry) : { outcome: 'refused', code })
      } else {
        if (!isRemembered && entry.wasTransmitted) entry.mayBeTwice = true
        stays.push(entry)
      }
    }
    renumber(stays, hwm + 1)
  }

  /** Takes the numbers of these away, to be given anew from `n` on. */
  function renumber(entries: readonly Entry[], n: number): void {
    outgoing = []
    nextNumber = n
    for (const entry of entries) sentAt.delete(entry)
    const abandoned = entries.filter(({ isAbandoned }) => isAbandoned)
    // Before anybody is told: who hears of one message may take others back.
    queue.renumberLater(entries.filter(({ isAbandoned }) => !isAbandoned))
    for (const entry of abandoned) settle(entry, { outcome: 'unknown', reason: 'aborted' })
  }

  /** Takes back the numbers that were given on this line and not used. */
  function withdrawFrom(at: number): void {
    const withdrawn = outgoing.slice(at)
    const [first] = withdrawn
    if (first === undefined) return
    outgoing = outgoing.slice(0, at)
    nextNumber = first.n ?? nextNumber
    queue.renumberLater(withdrawn)
  }

  return {
    counts,
    get line() {
      return line
    },
    open(opened) {
      isFlowing = false
      line = opened
      sentAt.clear()
      if (opened.kind === 'acknowledged') stand(opened)
      else withdrawFrom(0)
    },
    close() {
      isFlowing = false
      line = undefined
      withdrawFrom(0)
      sentAt.clear()
    },
    flow() {
      if (line === undefined) return
      isFlowing = true
      pump()
    },
    hold() {
      isFlowing = false
    },
    pump,
    pumpAccepted,
    withdraw(entry) {
      const at = outgoing.indexOf(entry)
      if (at >= 0) withdrawFrom(at)
    },
    acknowledge(n) {
      for (let entry = queue.numbered[0]; entry !== undefined; entry = queue.numbered[0]) {
        if (entry.n === undefined || entry.n > n) break
        settle(entry, delivered(entry))
      }
      pump()
    },
    refuse(n, code, isForNow) {
      if (isForNow) {
        isFlowing = false
        renumber(
          queue.numbered.filter((entry) => entry.n !== undefined && entry.n >= n),
          n,
        )
        options.refusedForNow(n)
        return
      }
      const entry = queue.numbered.find((numbered) => numbered.n === n)
      if (entry !== undefined) settle(entry, { outcome: 'refused', code })
      pump()
    },
    get oldestSentAt() {
      for (const at of sentAt.values()) return at
      return undefined
    },
    rest() {
      isAnnounced = false
      announce()
    },
    refuseLargest() {
      let largest: Entry | undefined
      for (const entry of sentAt.keys()) {
        if (largest === undefined || entry.bytes > largest.bytes) largest = entry
      }
      if (largest !== undefined) settle(largest, { outcome: 'refused', code: 'too-large' })
    },
  }
}
