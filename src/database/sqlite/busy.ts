import { type Clock, type Random, sleep } from '../../base/clock.js'
import { isBusy } from './connection.js'

const LONGEST_PAUSE_MS = 50

/** How to wait for another connection. */
export interface Patience {
  readonly clock: Clock
  readonly random: Random
}

/** Runs a function again, after a pause, as long as another connection writes. */
export async function retryWhileBusy<T>(
  { clock, random }: Patience,
  run: () => T | Promise<T>,
): Promise<T> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await run()
    } catch (error) {
      if (!isBusy(error)) throw error
    }
    await sleep(clock, Math.min(2 ** attempt, LONGEST_PAUSE_MS) * (1 + random() / 2))
  }
}
