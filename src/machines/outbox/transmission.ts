import type { RefusedNumber } from '../../schemas/control.js'
import { sizeOf } from '../../transport/frame-size.js'
import type { Encoded } from '../../transport/json-codec.js'
import type { Handover } from '../../transport/link.js'
import type { KeptMessage, OutboxChange } from '../../storage/outbox-store.js'
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
  readonly hand: (frame: string) => Handover
  /** Lets go of what should have been sent before now. */
  readonly removeExpired: () => void
  /** Takes an entry, which has left the queue, to its end. */
  readonly finish: (entry: Entry, outcome: SendOutcome) => void
  /** The socket takes no more for now. */
  readonly blocked: () => void
  /** The server takes no more for now. */
  readonly refusedForNow: (n: number) => void
  /** Something is on its way that the server will have to answer, and nothing was before. */
  readonly begun: () => void
}

/** A number on the wire. */
export interface Numbering {
  readonly cid: string
  readonly n: number
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
  /** Takes the number of an entry away again, where it was not handed over with it. */
  withdraw(entry: Entry): void
  /** The server has taken everything up to this number. */
  acknowledge(n: number): void
  /** The server has refused this number, for good or for now. */
  refuse(n: number, code: string, isForNow: boolean): void
  /** When the oldest message that is on its way was handed over, in the clock's `now`. */
  readonly oldestSentAt: number | undefined
  /** The server has closed since a message was too large: the largest on its way is given up. */
  refuseLargest(): void
}

/** Makes the way out of an outbox. */
export function createTransmission(
  options: TransmissionOptions,
  clock: { readonly now: () => number },
): Transmission {
  const { queue, owner, encode, hand, finish } = options
  const counts = { transmitted: 0, retransmitted: 0 }
  let line: Line | undefined
  let isFlowing = false
  let isWriting = false
  let isPumping = false
  let nextNumber = 1
  // Numbered on this line and not handed over yet, with the frame of each.
  let outgoing: { readonly entry: Entry; readonly frame: string }[] = []
  const sentAt = new Map<Entry, number>()

  function pump(): void {
    // Whoever hears of an outcome may send at once: the loop that told of it comes to that, too.
    if (isPumping || !isFlowing || isWriting || owner() === undefined) return
    isPumping = true
    // Late timers: what was read from the socket may run before them.
    options.removeExpired()
    if (line?.kind === 'plain') pumpPlain()
    else if (line !== undefined && handOutgoing()) numberMore(line)
    isPumping = false
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
      else if (!handOver(entry, encoded.frame)) return
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

  function handOver(entry: Entry, frame: string): boolean {
    const handover = hand(frame)
    if (handover !== 'sent') {
      isFlowing = false
      if (handover === 'full') options.blocked()
      return false
    }
    counts.transmitted += 1
    if (entry.wasTransmitted) counts.retransmitted += 1
    entry.wasTransmitted = true
    return true
  }

  function handOutgoing(): boolean {
    for (let first = outgoing[0]; first !== undefined; first = outgoing[0]) {
      if (!handOver(first.entry, first.frame)) return false
      outgoing.shift()
      sentAt.set(first.entry, clock.now())
      if (sentAt.size === 1) options.begun()
    }
    return true
  }

  function numberMore(to: Extract<Line, { kind: 'acknowledged' }>): void {
    const ownership = owner()
    if (ownership === undefined) return
    const { cid } = ownership
    while (queue.numbered.length < to.window) {
      const entry = nextKept()
      if (entry === undefined) break
      const n = nextNumber
      const encoded = encode(entry.message, { cid, n })
      if (!encoded.ok) giveUp(entry, 'invalid')
      else if (sizeOf(encoded.frame) > to.maxBytes) giveUp(entry, 'too-large')
      else {
        queue.number(entry, n)
        entry.sentEpoch = to.epoch
        nextNumber += 1
        outgoing.push({ entry, frame: encoded.frame })
      }
    }
    if (outgoing.length > 0) writeNumbers(ownership, to)
  }

  function writeNumbers({ write }: Ownership, to: Standing): void {
    if (write === undefined) {
      handOutgoing()
      return
    }
    const put = outgoing.map(({ entry: { message, n } }) => ({
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
    const [first, ...others] = outgoing.slice(at).map(({ entry }) => entry)
    if (first === undefined) return
    outgoing = outgoing.slice(0, at)
    nextNumber = first.n ?? nextNumber
    queue.renumberLater([first, ...others])
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
    withdraw(entry) {
      const at = outgoing.findIndex((one) => one.entry === entry)
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
    refuseLargest() {
      let largest: Entry | undefined
      for (const entry of sentAt.keys()) {
        if (largest === undefined || entry.bytes > largest.bytes) largest = entry
      }
      if (largest !== undefined) settle(largest, { outcome: 'refused', code: 'too-large' })
    },
  }
}
