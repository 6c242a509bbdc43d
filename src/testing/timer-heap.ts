/** A pending timer. */
export interface Timer {
  readonly deadline: number
  /** Of two timers with one deadline the one with the lower order fires first. */
  readonly order: number
  readonly callback: () => void
  /** The index in the heap; -1 when the timer is not in a heap. */
  position: number
}

/** A binary heap of timers by deadline: `add` and `remove` take logarithmic time. */
export class TimerHeap {
  readonly #timers: Timer[] = []

  /** The timer that fires next. */
  peek(): Timer | undefined {
    return this.#timers[0]
  }

  add(timer: Timer): void {
    this.#rise(timer, this.#timers.length)
  }

  /** Removes a timer; does nothing if it is not in the heap. */
  remove(timer: Timer): void {
    const { position } = timer
    if (position === -1) return
    timer.position = -1
    const last = this.#timers.pop()
    if (last === undefined || last === timer) return
    // The last timer comes from another branch: it may belong above the gap or below it.
    this.#rise(last, position)
    this.#sink(last, last.position)
  }

  /** All timers, in no particular order. */
  [Symbol.iterator](): Iterator<Timer> {
    return this.#timers[Symbol.iterator]()
  }

  #place(timer: Timer, position: number): void {
    this.#timers[position] = timer
    timer.position = position
  }

  #rise(timer: Timer, from: number): void {
    let position = from
    while (position > 0) {
      const above = (position - 1) >> 1
      const parent = this.#timers[above]
      if (parent === undefined || inFiringOrder(timer, parent) > 0) break
      this.#place(parent, position)
      position = above
    }
    this.#place(timer, position)
  }

  #sink(timer: Timer, from: number): void {
    let position = from
    for (;;) {
      const left = this.#timers[2 * position + 1]
      const right = this.#timers[2 * position + 2]
      const child = left && right && inFiringOrder(right, left) < 0 ? right : left
      if (child === undefined || inFiringOrder(child, timer) > 0) break
      const below = child.position
      this.#place(child, position)
      position = below
    }
    this.#place(timer, position)
  }
}

/** Compares two timers, for sorting: by deadline, then by the order in which they were set. */
export function inFiringOrder(left: Timer, right: Timer): number {
  return left.deadline - right.deadline || left.order - right.order
}
