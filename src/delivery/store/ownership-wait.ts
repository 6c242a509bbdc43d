import { withDeadline } from '../../base/deadline.js'
import { acquireLease, type Lease, type LeaseOptions } from '../../database/lease.js'

const RETRY_MS = 1_000

/** The wait of a handle for the ownership of its outbox. */
export class OwnershipWait {
  readonly #options: Omit<LeaseOptions, 'signal'>
  readonly #acquired: () => void
  #ended = new AbortController()
  #waiting: Promise<void> | undefined
  #lease: Lease | undefined

  /** `acquired` is called once there is a lease. */
  constructor(options: Omit<LeaseOptions, 'signal'>, acquired: () => void) {
    this.#options = options
    this.#acquired = acquired
  }

  /** What was acquired, until {@link take}. */
  get lease(): Lease | undefined {
    return this.#lease
  }

  take(): void {
    this.#lease = undefined
  }

  start(): void {
    if (this.#lease === undefined) this.#waiting ??= this.#wait(this.#ended.signal)
  }

  /** Ends the wait, and releases what was acquired. */
  async end(): Promise<void> {
    this.#ended.abort()
    this.#ended = new AbortController()
    await this.#waiting
    await this.#lease?.release().catch(() => undefined)
    this.#lease = undefined
  }

  async #wait(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options
    for (;;) {
      try {
        this.#lease = await acquireLease({ ...this.#options, signal })
        break
      } catch {
        if (signal.aborted) break
        const pause = { clock, limitMs: RETRY_MS, signal }
        await withDeadline(pause, () => new Promise(() => undefined))
      }
    }
    this.#waiting = undefined
    if (this.#lease !== undefined && !signal.aborted) this.#acquired()
  }
}
