import { type Clock, type Random, sleep } from '../../base/clock.js'
import { SyncError } from '../../base/errors.js'
import { isBusy } from './connection.js'

const LONGEST_PAUSE_MS = 50
const LONGEST_HOLD_MS = 30_000

/** How to wait for another connection. */
export interface Patience {
  readonly clock: Clock
  readonly random: Random
}

/** Waits while other connections write, for one handle. */
export class BusyWait {
  readonly #clock: Clock
  readonly #random: Random
  #gaveUpAt = Number.NEGATIVE_INFINITY

  constructor({ clock, random }: Patience) {
    this.#clock = clock
    this.#random = random
  }

  /**
   * Runs a function again, after a pause, as long as another connection writes: for 30 s at most,
   * since a process that was stopped in a transaction may hold the database for ever. `askedAt` is
   * when the caller began to wait for its turn: what waited behind a run that gave up is tried once.
   */
  async run<T>(askedAt: number, run: () => T | Promise<T>): Promise<T> {
    const startedAt = this.#clock.now()
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await run()
      } catch (error) {
        if (!isBusy(error)) throw error
        const isOver = this.#clock.now() - startedAt >= LONGEST_HOLD_MS
        if (isOver) this.#gaveUpAt = this.#clock.now()
        if (askedAt <= this.#gaveUpAt) throw heldError(error)
      }
      const pauseMs = Math.min(2 ** attempt, LONGEST_PAUSE_MS) * (1 + this.#random() / 2)
      await sleep(this.#clock, pauseMs)
    }
  }
}

function heldError(cause: unknown): SyncError {
  const message = 'another process has held the database for 30 s'
  return new SyncError('storage-failed', message, { cause })
}
