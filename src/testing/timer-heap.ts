/** A pending timer; `position` is where the heap keeps it. */
export interface Timer {
  readonly deadline: number
  /** Tells timers of one deadline apart: the earlier set fires first. */
  readonly order: number
  readonly callback: () => void
  position: number
}

/** Timers by deadline: adding, removing and taking the next one each cost the logarithm of the size. */
export interface TimerHeap {
  readonly size: number
  peek(): Timer | undefined
  add(timer: Timer): void
  /** Takes a timer out; does nothing where it is no longer inside. */
  remove(timer: Timer): void
  /** All of them, in no particular order. */
  [Symbol.iterator](): Iterator<Timer>
}

const OUTSIDE = -1

/** Makes an empty {@link TimerHeap}. */
export function createTimerHeap(): TimerHeap {
  const timers: Timer[] = []

  function place(timer: Timer, position: number): void {
    timers[position] = timer
    timer.position = position
  }

  function rise(timer: Timer, from: number): void {
    let position = from
    while (position > 0) {
      const above = (position - 1) >> 1
      const parent = timers[above]
      if (parent === undefined || !firesBefore(timer, parent)) break
      place(parent, position)
      position = above
    }
    place(timer, position)
  }

  function sink(timer: Timer, from: number): void {
    let position = from
    for (;;) {
      const left = timers[2 * position + 1]
      const right = timers[2 * position + 2]
      const child =
        right !== undefined && left !== undefined && firesBefore(right, left) ? right : left
      if (child === undefined || !firesBefore(child, timer)) break
      const below = child.position
      place(child, position)
      position = below
    }
    place(timer, position)
  }

  return {
    get size() {
      return timers.length
    },
    peek: () => timers[0],
    add(timer) {
      rise(timer, timers.length)
    },
    remove(timer) {
      const { position } = timer
      if (position === OUTSIDE) return
      timer.position = OUTSIDE
      const last = timers.pop()
      if (last === undefined || last === timer) return
      // The last timer comes from another branch, so it may belong above the hole or below it.
      rise(last, position)
      sink(last, last.position)
    },
    [Symbol.iterator]: () => timers[Symbol.iterator](),
  }
}

function firesBefore(left: Timer, right: Timer): boolean {
  return (
    left.deadline < right.deadline || (left.deadline === right.deadline && left.order < right.order)
  )
}
