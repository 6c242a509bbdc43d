import type { Clock } from '../base/clock.js'
import type { WhenFull } from '../schemas/outbox-rule.js'
import type { GuardedOutbox, GuardedOutboxStore } from './store/outbox-guarded.js'
import type { KeptMessage } from './store/outbox-store.js'
import { sizeOf } from '../transport/frame-size.js'
import type { Encoded } from '../transport/json-codec.js'
import type { Handover } from '../transport/link.js'
import { createQueue, createEntry, type Entry, type OutboxLimits } from './queue.js'
import { createElsewhere } from './elsewhere.js'
import { endEntry, notSent } from './ending.js'
import {
  createReceipt,
  createSettledReceipt,
  type NotSentReason,
  type OpenReceipt,
  type Receipt,
  type SendOutcome,
} from './receipt.js'
import {
  createTransmission,
  type Numbering,
  type Ownership,
  type Transmission,
  type TransmissionCounts,
  type TransmissionOptions,
} from './transmission.js'

/** What an outbox holds, as its owner's app sees it. Immutable. */
export interface OutboxStatus {
  /** Messages whose outcome is not known yet. */
  readonly depth: number
  /** Of those, the ones that are on their way to a server that will acknowledge them. */
  readonly inFlight: number
  /** What they take of the outbox's bound. */
  readonly bytes: number
  /** When the oldest of them was accepted, in milliseconds since the epoch. */
  readonly oldestAt: number | undefined
  /** Whether this client sends them: of several tabs or processes with one outbox, one does. */
  readonly isOwner: boolean
}

/** What was counted of an outbox since it was made. */
export interface OutboxCounts extends TransmissionCounts {
  /** Messages that were accepted. */
  readonly accepted: number
  /** Messages whose outcome is `delivered`, of earlier runs too. */
  readonly delivered: number
}

/** One message that waits, as `outbox.messages()` shows it. */
export interface WaitingMessage {
  readonly id: string
  readonly type: string
  readonly payload: unknown
  /** In milliseconds since the epoch. */
  readonly acceptedAt: number
  /** It is on its way, or may have been. */
  readonly isTransmitted: boolean
}

/** What is known of a message when it is accepted. */
export interface NewMessage {
  readonly type: string
  readonly payload: unknown
  readonly key: string | undefined
  readonly ttlMs: number | undefined
  readonly priority: number
  readonly whenFull: WhenFull
}

/** What happens in an outbox that its machine, or the one of the delivery, has to know. */
export type OutboxFact =
  | { readonly type: 'outbox.acquired' }
  | { readonly type: 'outbox.lost' }
  /** Another message expires next, or the same one at another time. */
  | { readonly type: 'outbox.expiryScheduled' }
  | { readonly type: 'outbox.blocked' }
  /** The server takes this number later. */
  | { readonly type: 'outbox.refusedForNow'; readonly n: number }
  /** Something is on its way that the server will have to answer, and nobody waits for it yet. */
  | { readonly type: 'outbox.transmitted' }

/** What {@link createOutbox} needs. None of the functions throws. */
export interface OutboxOptions {
  readonly limits: OutboxLimits
  readonly clock: Clock
  readonly makeId: () => string
  /** Absent: in memory alone. */
  readonly keeper: GuardedOutboxStore | undefined
  /** What makes room for messages of a type that other tabs add. */
  readonly whenFull: (type: string) => WhenFull
  readonly encode: (message: KeptMessage, number: Numbering | undefined) => Encoded
  readonly encodeBatch: TransmissionOptions['encodeBatch']
  readonly hand: (frame: string) => Handover
  readonly maxFrameBytes: number
  /** The status is another one. */
  readonly changed: () => void
  readonly tell: (fact: OutboxFact) => void
}

/** Messages from when they are accepted until their outcome is known. */
export interface Outbox {
  readonly transmission: Transmission
  /** Accepts a message, in any state; the receipt says what becomes of it. */
  accept(message: NewMessage): Receipt
  /** Waits for ownership; where nothing is kept, it is ours at once. */
  acquire(): void
  /** Our name on the wire, while the outbox is ours. */
  readonly owner: Pick<Ownership, 'cid' | 'fence'> | undefined
  /** Lets go of what is not worth sending any more. */
  removeExpired(): void
  /** When the next one may have expired, in milliseconds since the epoch. */
  nextExpiryAt(): number | undefined
  status(): OutboxStatus
  counts(): OutboxCounts
  messages(): readonly WaitingMessage[]
  /** Takes a message back; gives whether it was there. */
  remove(id: string): boolean
  /** Takes all messages back. */
  clear(): void
  /** Ends it; what is kept stays kept, all else is settled. */
  dispose(): void
}

/** Makes an outbox. Nothing is read or locked before `acquire`. */
export function createOutbox(options: OutboxOptions): Outbox {
  const { changed, clock, encode, keeper, limits, makeId, tell } = options
  const queue = createQueue(limits)
  const elsewhere = createElsewhere(limits)
  // Taken back while nobody here could know whether they had been sent.
  const takenBack = new Set<string>()
  const giveUp = new AbortController()
  // One random id for all: making one for each message would cost more than the rest of accepting it.
  const prefix = makeId()
  let owner: Ownership | undefined
  let isDisposed = false
  let announcedExpiry: number | undefined
  let ids = 0
  const counts = { accepted: 0, delivered: 0 }

  const transmission = createTransmission(
    {
      queue,
      owner: () => owner,
      encode,
      encodeBatch: options.encodeBatch,
      hand: options.hand,
      maxFrameBytes: options.maxFrameBytes,
      removeExpired() {
        // At its end itself a message may still be sent.
        const before = clock.epoch() - 1
        if ((queue.nextExpiryAt() ?? Number.POSITIVE_INFINITY) <= before) removeExpired(before)
      },
      finish,
      blocked: () => tell({ type: 'outbox.blocked' }),
      refusedForNow: (n) => tell({ type: 'outbox.refusedForNow', n }),
      begun: () => tell({ type: 'outbox.transmitted' }),
    },
    clock,
  )
  keeper?.watch({
    added(messages) {
      if (owner === undefined) return
      for (const message of messages) takeIn(message)
      transmission.pump()
      changed()
    },
    removed(id, outcome) {
      takenBack.delete(id)
      // Whoever has put us off may tell of a message before we learn that the outbox is lost.
      const entry = elsewhere.take(id) ?? queue.find(id)
      if (entry === undefined) return
      queue.remove(entry)
      // Written by a client of this library, so that it is one of its outcomes.
      entry.receipt?.settle(outcome as unknown as SendOutcome)
      changed()
    },
  })

  function finish(entry: Entry, outcome: SendOutcome): void {
    if (outcome.outcome === 'delivered' && !entry.isAbandoned) counts.delivered += 1
    endEntry(entry, outcome, owner?.write)
    changed()
  }

  function accept(given: NewMessage): Receipt {
    const { type, payload, key, ttlMs, priority, whenFull } = given
    if (isDisposed) return refuse(type, 'disposed', 'The client has been disposed.')
    const acceptedAt = clock.epoch()
    const message: KeptMessage = {
      id: nextId(),
      type,
      acceptedAt,
      priority,
      ...(payload !== undefined && { payload }),
      ...(ttlMs !== undefined && { expiresAt: acceptedAt + ttlMs }),
      ...(key !== undefined && { key }),
    }
    const encoded = encode(message, undefined)
    if (!encoded.ok) return refuse(type, 'invalid', encoded.detail)
    const open = createReceipt(type, () => {
      takeBack(message.id, 'aborted')
    })
    const entry = createEntry(message, sizeOf(encoded.frame), 'none', open)
    // Whoever owns the outbox sends it; until that is known, nobody does.
    const isElsewhere = keeper !== undefined && owner === undefined
    if (!(isElsewhere ? elsewhere.put(entry) : queueUp(entry, whenFull))) {
      const bounds = `${limits.maxMessages} messages, ${limits.maxBytes} bytes`
      return refuse(type, 'full', `The outbox is full (${bounds}).`)
    }
    counts.accepted += 1
    keep(entry)
    announceExpiry()
    transmission.pumpAccepted()
    changed()
    return open.receipt
  }

  function nextId(): string {
    ids += 1
    return `${prefix}/${ids}`
  }

  function refuse(type: string, reason: NotSentReason, detail: string): Receipt {
    return createSettledReceipt(type, { outcome: 'notSent', reason, detail })
  }

  function queueUp(entry: Entry, whenFull: WhenFull): boolean {
    const displaced = queue.offer(entry, whenFull)
    if (displaced === undefined) return false
    if (displaced.replaced !== undefined) finish(displaced.replaced, notSent('replaced'))
    for (const dropped of displaced.dropped) finish(dropped, notSent('dropped'))
    return true
  }

  function keep(entry: Entry): void {
    if (keeper === undefined) {
      entry.receipt?.tellDurable(false)
      return
    }
    const wasDurable = keeper.isDurable
    entry.keeping = 'pending'
    void keeper.add([entry.message]).then(({ durable }) => {
      entry.keeping = 'kept'
      entry.receipt?.tellDurable(durable)
      if (durable !== wasDurable) changed()
      entry.whenKept?.()
      if (owner !== undefined && takenBack.has(entry.message.id)) forget(entry)
      transmission.pumpAccepted()
    })
  }

  // Accepted by another tab, which cannot know how full we are.
  function takeIn(message: KeptMessage): void {
    const entry = createKept(message, undefined)
    if (!queueUp(entry, options.whenFull(message.type))) finish(entry, notSent('full'))
    announceExpiry()
  }

  function announceExpiry(): void {
    const next = queue.nextExpiryAt()
    if (next === announcedExpiry) return
    announcedExpiry = next
    if (next !== undefined) tell({ type: 'outbox.expiryScheduled' })
  }

  function removeExpired(epochMs: number): void {
    announcedExpiry = undefined
    for (const entry of queue.expired(epochMs)) {
      transmission.withdraw(entry)
      // Who heard of another one may have taken it back.
      if (queue.remove(entry)) finish(entry, notSent('expired'))
    }
    announceExpiry()
  }

  function createKept(message: KeptMessage, receipt: OpenReceipt | undefined): Entry {
    const encoded = encode(message, undefined)
    return createEntry(message, encoded.ok ? sizeOf(encoded.frame) : 0, 'kept', receipt)
  }

  function takeBack(id: string, reason: 'aborted' | 'cleared'): boolean {
    const entry = queue.find(id)
    const unknown = { outcome: 'unknown', reason } as const
    if (entry === undefined) {
      const left = elsewhere.take(id)
      if (left !== undefined) {
        takenBack.add(id)
        left.receipt?.settle(unknown)
      }
      changed()
      return left !== undefined
    }
    if (entry.isAbandoned) return false
    transmission.withdraw(entry)
    if (entry.n === undefined) {
      queue.remove(entry)
      finish(entry, entry.wasTransmitted ? unknown : notSent(reason))
    } else {
      // Its number is used up: it stays until the server has told what it took.
      entry.isAbandoned = true
      entry.receipt?.settle(unknown)
      changed()
    }
    return true
  }

  function own(kept: GuardedOutbox | undefined): void {
    if (kept === undefined || isDisposed) return
    const { identity = { cid: makeId() }, fence } = kept
    owner = { cid: identity.cid, fence, write: (change) => kept.write(change) }
    if (kept.identity === undefined) void kept.write({ identity })
    const found = kept.messages.map((message) => {
      const mine = elsewhere.take(message.id)
      // What is still being kept is not to be numbered yet: it would be kept again, without its
      // number, or when it is over.
      const isPending = mine?.keeping === 'pending' && message.sent === undefined
      return isPending ? mine : createKept(message, mine?.receipt)
    })
    // What was still being kept when the outbox was read is in the storage by now, or soon.
    const late = elsewhere.entries().filter(({ keeping }) => keeping === 'pending')
    for (const { message } of late) elsewhere.take(message.id)
    for (const entry of found) entry.isAbandoned = takenBack.has(entry.message.id)
    const isOver = (entry: Entry): boolean => entry.isAbandoned && !entry.wasTransmitted
    queue.restore([...found.filter((entry) => !isOver(entry)), ...late])
    found.filter(isOver).forEach(forget)
    kept.lost.addEventListener('abort', lose, { once: true })
    announceExpiry()
    tell({ type: 'outbox.acquired' })
    if (kept.lost.aborted) lose()
    changed()
  }

  /** Out of the storage with what was taken back before it was known whose it is to send. */
  function forget(entry: Entry): void {
    takenBack.delete(entry.message.id)
    endEntry(entry, { outcome: 'unknown', reason: 'aborted' }, owner?.write)
  }

  function lose(): void {
    if (owner === undefined) return
    owner = undefined
    transmission.close()
    for (const entry of queue.entries()) {
      if (entry.receipt !== undefined && !entry.isAbandoned) elsewhere.restore(entry)
    }
    queue.clear()
    tell({ type: 'outbox.lost' })
    changed()
  }

  return {
    transmission,
    accept,
    acquire() {
      // Another outbox may have been in use since it was told.
      announcedExpiry = undefined
      announceExpiry()
      if (owner !== undefined) {
        tell({ type: 'outbox.acquired' })
      } else if (keeper !== undefined) {
        void keeper.acquire(giveUp.signal).then(own)
      } else {
        owner = { cid: makeId(), fence: 1 }
        tell({ type: 'outbox.acquired' })
        changed()
      }
    },
    get owner() {
      return owner
    },
    removeExpired() {
      removeExpired(clock.epoch())
    },
    nextExpiryAt: () => queue.nextExpiryAt(),
    status() {
      const oldest = queue.oldest ?? elsewhere.entries()[0]
      return {
        depth: queue.size + elsewhere.size,
        inFlight: queue.numbered.length,
        bytes: queue.bytes + elsewhere.bytes,
        oldestAt: oldest?.message.acceptedAt,
        isOwner: owner !== undefined,
      }
    },
    counts: () => ({ ...counts, ...transmission.counts }),
    messages: () =>
      [...queue.entries(), ...elsewhere.entries()]
        .filter(({ isAbandoned }) => !isAbandoned)
        .map(({ message, n, wasTransmitted }) => ({
          id: message.id,
          type: message.type,
          payload: message.payload,
          acceptedAt: message.acceptedAt,
          isTransmitted: n !== undefined || wasTransmitted,
        })),
    remove: (id) => takeBack(id, 'aborted'),
    clear() {
      for (const { message } of [...queue.entries(), ...elsewhere.entries()]) {
        takeBack(message.id, 'cleared')
      }
    },
    dispose() {
      if (isDisposed) return
      isDisposed = true
      giveUp.abort()
      transmission.close()
      for (const entry of [...queue.entries(), ...elsewhere.entries()]) {
        // What is kept is sent by the next run.
        const isOver = entry.keeping === 'none' && !entry.wasTransmitted
        entry.receipt?.settle(
          isOver ? notSent('disposed') : { outcome: 'unknown', reason: 'disposed' },
        )
      }
      void keeper?.close()
    },
  }
}
