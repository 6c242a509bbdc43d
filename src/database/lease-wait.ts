import type { Clock, TimerHandle } from '../base/clock.js'
import type { Database } from './database.js'

/** How a standby waits: for a time, a change by another handle, or the end of the wait. */
export class LeaseWait {
  readonly #clock: Clock
  readonly #signal: AbortSignal
  readonly #stopWatching: () => void
  #needsChanges = true
  #isWoken = false
  #resume: () => void = () => undefined
  #timer: TimerHandle

  constructor(clock: Clock, database: Database, signal: AbortSignal) {
    this.#clock = clock
    this.#signal = signal
    this.#stopWatching = database.watch(() => {
      if (this.#needsChanges) this.wake()
    })
    signal.addEventListener('abort', this.wake)
  }

  readonly wake = (): void => {
    this.#isWoken = true
    this.#clock.clearTimeout(this.#timer)
    this.#resume()
  }

  /** Resolves at once if something happened since the last wait. */
  async until(dueAt: number, needsChanges: boolean): Promise<void> {
    this.#needsChanges = needsChanges
    if (!this.#isWoken) {
      await new Promise<void>((resume) => {
        this.#resume = resume
        this.#timer = this.#clock.setTimeout(this.wake, dueAt - this.#clock.now())
      })
    }
    this.#isWoken = false
    this.#needsChanges = true
  }

  end(): void {
    this.#clock.clearTimeout(this.#timer)
    this.#stopWatching()
    this.#signal.removeEventListener('abort', this.wake)
  }
}
