import type { Clock, TimerHandle } from '../base/clock.js'
import { SyncError } from '../base/errors.js'

/**
 * When events reach the client: `immediate` as soon as their latency has passed on the clock,
 * `manual` when `flush` is called, in the order in which they set out.
 */
export type DeliveryMode = 'immediate' | 'manual'

/** One direction of one connection: what is put in comes out in the same order. */
export interface Lane {
  push(event: () => void): void
  /** Keeps what is in the lane, and what is put in from now on, from coming out. */
  hold(): void
  release(): void
  /** Loses what is in the lane. */
  clear(): void
  readonly isHeld: boolean
}

/** All lanes of a fake network. At most one event is delivered at a time. */
export interface Delivery {
  /** `toClient`: its events run the client's code. `toPeer`: they do not. */
  lane(direction: 'toClient' | 'toPeer'): Lane
  /** Runs a call that the client makes; no event reaches the client from inside of it. */
  duringCall<T>(call: () => T): T
  /** Delivers up to `most` events to the client now; gives how many it did. */
  readonly flush: (most?: number) => number
  /** How many events are on their way to the client, held ones left out. */
  readonly inFlight: number
}

/** What {@link createDelivery} needs. */
export interface DeliveryOptions {
  readonly clock: Clock
  readonly latencyMs: () => number
  readonly mode: DeliveryMode
}

interface Sent {
  readonly due: number
  readonly order: number
  readonly event: () => void
}

interface LaneState {
  readonly direction: 'toClient' | 'toPeer'
  readonly queue: Sent[]
  lastDue: number
  isHeld: boolean
}

/** Makes the delivery of a fake network. */
export function createDelivery({ clock, latencyMs, mode }: DeliveryOptions): Delivery {
  // Only those that hold something, so that a network of thousands of attempts stays quick.
  const waiting = new Set<LaneState>()
  let order = 0
  let callsUnderWay = 0
  let isDelivering = false
  let timer: TimerHandle

  function next(isEligible: (lane: LaneState) => boolean): LaneState | undefined {
    let first: LaneState | undefined
    for (const lane of waiting) {
      if (!lane.isHeld && isEligible(lane) && setsOutBefore(lane, first)) first = lane
    }
    return first
  }

  function take(lane: LaneState): void {
    const sent = lane.queue.shift()
    if (lane.queue.length === 0) waiting.delete(lane)
    isDelivering = true
    try {
      sent?.event()
    } finally {
      isDelivering = false
    }
  }

  function isByItself({ direction }: LaneState): boolean {
    return direction === 'toPeer' || mode === 'immediate'
  }

  function mayRunNow(lane: LaneState): boolean {
    if (!isByItself(lane) || dueOf(lane) > clock.now()) return false
    return lane.direction === 'toPeer' || callsUnderWay === 0
  }

  // What an event causes waits here for that event to end: platforms never nest their events.
  function deliver(): void {
    if (isDelivering) return
    try {
      for (let lane = next(mayRunNow); lane !== undefined; lane = next(mayRunNow)) take(lane)
    } finally {
      arm()
    }
  }

  function arm(): void {
    clock.clearTimeout(timer)
    timer = undefined
    const lane = next(isByItself)
    if (lane !== undefined) timer = clock.setTimeout(deliver, dueOf(lane) - clock.now())
  }

  return {
    lane(direction) {
      const state: LaneState = { direction, queue: [], lastDue: 0, isHeld: false }
      return {
        push(event) {
          // Latency may vary, but nothing overtakes what set out before it.
          state.lastDue = Math.max(state.lastDue, clock.now() + latencyMs())
          order += 1
          state.queue.push({ due: state.lastDue, order, event })
          waiting.add(state)
          deliver()
        },
        hold() {
          state.isHeld = true
        },
        release() {
          state.isHeld = false
          deliver()
        },
        clear() {
          state.queue.length = 0
          waiting.delete(state)
          if (!isDelivering) arm()
        },
        get isHeld() {
          return state.isHeld
        },
      }
    },

    duringCall(call) {
      callsUnderWay += 1
      try {
        return call()
      } finally {
        callsUnderWay -= 1
      }
    },

    flush(most = Infinity) {
      if (isDelivering) throw new SyncError('testing-misuse', 'flush() was called by a handler')
      const isToClient = ({ direction }: LaneState): boolean => direction === 'toClient'
      let count = 0
      while (count < most) {
        const lane = next(isToClient)
        if (lane === undefined) break
        take(lane)
        count += 1
        deliver()
      }
      return count
    },

    get inFlight() {
      let count = 0
      for (const { direction, isHeld, queue } of waiting) {
        if (direction === 'toClient' && !isHeld) count += queue.length
      }
      return count
    },
  }
}

function dueOf(lane: LaneState): number {
  return lane.queue[0]?.due ?? Infinity
}

function setsOutBefore(lane: LaneState, other: LaneState | undefined): boolean {
  const mine = lane.queue[0]
  const theirs = other?.queue[0]
  if (mine === undefined || theirs === undefined) return mine !== undefined
  return mine.due < theirs.due || (mine.due === theirs.due && mine.order < theirs.order)
}
