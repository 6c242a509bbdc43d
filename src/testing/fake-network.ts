import type { Clock, TimerHandle } from '../base/clock.js'
import { testingMisuse } from './misuse.js'

/**
 * When events reach the client. `immediate`: when their latency has passed on the clock. `manual`:
 * when the test calls `flush`. Both keep the order in which the events were sent.
 */
export type DeliveryMode = 'immediate' | 'manual'

interface InTransit {
  /** The reading of the clock at which it arrives. */
  readonly dueAt: number
  /** Orders events with one `dueAt`: the one sent first arrives first. */
  readonly order: number
  readonly event: () => void
}

/** One direction of one connection. Events leave it in the order in which they were sent. */
export interface NetworkPath {
  /** Events `toClient` run the client's code, those `toPeer` do not. */
  readonly direction: 'toClient' | 'toPeer'
  readonly queue: InTransit[]
  /** Whether events stay on the path, those sent later too. */
  isHeld: boolean
  /** When the newest event arrives. */
  lastDueAt: number
}

/** Carries the events of all connections of a fake transport, one at a time. */
export class FakeNetwork {
  readonly #clock: Clock
  readonly #latencyMs: () => number
  readonly #mode: DeliveryMode
  // Only the paths with something on them: a network of thousands of attempts stays fast.
  readonly #filled = new Set<NetworkPath>()
  #eventsSent = 0
  /** How many calls of the client are on the stack. */
  #callDepth = 0
  #activity: 'idle' | 'delivering' = 'idle'
  #timer: TimerHandle

  /** `latencyMs` gives how long an event takes one way; it is called for each event. */
  constructor(clock: Clock, latencyMs: () => number, mode: DeliveryMode) {
    this.#clock = clock
    this.#latencyMs = latencyMs
    this.#mode = mode
  }

  createPath(direction: NetworkPath['direction']): NetworkPath {
    return { direction, queue: [], isHeld: false, lastDueAt: 0 }
  }

  send(path: NetworkPath, event: () => void): void {
    // Latency may vary, but no event overtakes an earlier one.
    path.lastDueAt = Math.max(path.lastDueAt, this.#clock.now() + this.#latencyMs())
    this.#eventsSent += 1
    path.queue.push({ dueAt: path.lastDueAt, order: this.#eventsSent, event })
    this.#filled.add(path)
    this.#deliver()
  }

  setHeld(path: NetworkPath, isHeld: boolean): void {
    path.isHeld = isHeld
    if (!isHeld) this.#deliver()
  }

  /** Loses what is on the path. */
  clear(path: NetworkPath): void {
    path.queue.length = 0
    this.#filled.delete(path)
    if (this.#activity === 'idle') this.#setTimer()
  }

  /** Runs a call that the client makes. No event reaches the client before the call returns. */
  duringCall<T>(call: () => T): T {
    this.#callDepth += 1
    try {
      return call()
    } finally {
      this.#callDepth -= 1
    }
  }

  /** Delivers up to `most` events to the client now. Returns how many it delivered. */
  flush(most = Infinity): number {
    if (this.#activity === 'delivering') throw testingMisuse('flush() was called by a handler')
    let count = 0
    while (count < most) {
      const path = this.#findNext(({ direction }) => direction === 'toClient')
      if (path === undefined) break
      this.#deliverFrom(path)
      count += 1
      this.#deliver()
    }
    return count
  }

  /** How many events are on their way to the client, without those on held paths. */
  get inFlight(): number {
    let count = 0
    for (const { direction, isHeld, queue } of this.#filled) {
      if (direction === 'toClient' && !isHeld) count += queue.length
    }
    return count
  }

  /** Delivers every event that may arrive now, and sets a timer for the next one. */
  #deliver(): void {
    // Platforms never nest their events: what an event causes waits until that event has ended.
    if (this.#activity === 'delivering') return
    try {
      for (;;) {
        const path = this.#findNext((candidate) => this.#mayArriveNow(candidate))
        if (path === undefined) break
        this.#deliverFrom(path)
      }
    } finally {
      this.#setTimer()
    }
  }

  /** The path whose next event arrives first, of those that are not held and pass the test. */
  #findNext(isEligible: (path: NetworkPath) => boolean): NetworkPath | undefined {
    let first: NetworkPath | undefined
    for (const path of this.#filled) {
      if (!path.isHeld && isEligible(path) && arrivesBefore(path, first)) first = path
    }
    return first
  }

  #deliverFrom(path: NetworkPath): void {
    const sent = path.queue.shift()
    if (path.queue.length === 0) this.#filled.delete(path)
    this.#activity = 'delivering'
    try {
      sent?.event()
    } finally {
      this.#activity = 'idle'
    }
  }

  #mayArriveNow(path: NetworkPath): boolean {
    if (!this.#needsNoFlush(path) || dueAtOf(path) > this.#clock.now()) return false
    return path.direction === 'toPeer' || this.#callDepth === 0
  }

  #needsNoFlush({ direction }: NetworkPath): boolean {
    return direction === 'toPeer' || this.#mode === 'immediate'
  }

  #setTimer(): void {
    this.#clock.clearTimeout(this.#timer)
    this.#timer = undefined
    const path = this.#findNext((candidate) => this.#needsNoFlush(candidate))
    if (path === undefined) return
    const delayMs = dueAtOf(path) - this.#clock.now()
    this.#timer = this.#clock.setTimeout(() => this.#deliver(), delayMs)
  }
}

function dueAtOf({ queue }: NetworkPath): number {
  return queue[0]?.dueAt ?? Infinity
}

function arrivesBefore({ queue }: NetworkPath, other: NetworkPath | undefined): boolean {
  const [mine] = queue
  const theirs = other?.queue[0]
  if (mine === undefined || theirs === undefined) return mine !== undefined
  return mine.dueAt < theirs.dueAt || (mine.dueAt === theirs.dueAt && mine.order < theirs.order)
}
