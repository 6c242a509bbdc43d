import { type Clock, type TimerHandle } from '../base/clock.js'
import { abortError } from '../base/deadline.js'
import type { Database, HeldLock, Read, Row, Write } from './database.js'

/** What a write rejects with when another handle has become the owner. */
export class LostError extends Error {
  constructor() {
    super('another handle is the owner by now')
  }
}

/** How {@link acquireLease} waits. */
export interface LeaseOptions {
  readonly database: Database
  /** The table that says who the owner is. */
  readonly table: string
  readonly clock: Clock
  /** How long an owner may leave a question unanswered, in milliseconds. */
  readonly leaseMs: number
  readonly signal: AbortSignal
  /** Called each time the owner has answered, which means that it is alive. May end the wait. */
  readonly onAnswer?: () => void
}

/**
 * Who owns what the rows describe. `asked` and `answered` count: an owner that is alive makes
 * `answered` follow. So only standbys cause writes, and no clock is compared with another's.
 */
interface OwnerRow {
  /** The fencing token: each owner has a larger one than all before it. */
  readonly fence: number
  readonly isHeld: boolean
  readonly asked: number
  readonly answered: number
}

const nobody: OwnerRow = { fence: 0, isHeld: false, asked: 0, answered: 0 }
const KEY = 'owner'
// A timer this late means that the computer slept, the owner's too.
const LATE_TIMER_MS = 1_000

/** Ownership in the hands of its holder. */
export class Lease {
  readonly fence: number
  /** The row to read in each transaction of the owner; {@link keep} checks it. */
  readonly read: Read
  readonly #options: LeaseOptions
  readonly #history: string
  readonly #lost = new AbortController()
  readonly #lock: Promise<HeldLock> | undefined
  readonly #stopWatching: () => void
  #isReleased = false

  /** @internal */
  constructor(
    options: LeaseOptions,
    { fence, history }: { readonly fence: number; readonly history: string },
    lock: Promise<HeldLock> | undefined,
  ) {
    this.#options = options
    this.#history = history
    this.fence = fence
    this.read = { table: options.table, key: KEY }
    this.#lock = lock
    this.#stopWatching = options.database.watch(() => void this.#answer())
  }

  /** Aborts when another handle has become the owner, because this one did not answer. */
  get lost(): AbortSignal {
    return this.#lost.signal
  }

  /**
   * Checks that this handle is still the owner: part of each transaction of the owner. Gives the
   * writes that answer a standby.
   *
   * @throws LostError if another handle is the owner.
   */
  keep(rows: readonly Row[] | undefined): readonly Write[] {
    const owner = parseOwner(rows)
    if (owner.fence !== this.fence || !owner.isHeld) throw new LostError()
    if (owner.answered >= owner.asked) return []
    return [this.#write({ ...owner, answered: owner.asked })]
  }

  /** Notes that another handle is the owner. */
  lose(): void {
    if (this.#isReleased || this.#lost.signal.aborted) return
    this.#leave()
    this.#lost.abort()
  }

  /** Passes ownership to the next standby. */
  async release(): Promise<void> {
    if (this.#isReleased || this.#lost.signal.aborted) return
    this.#isReleased = true
    try {
      await this.#options.database.transact([this.read], ({ rows: [rows] }) => {
        const owner = parseOwner(rows)
        const isOurs = owner.fence === this.fence && owner.isHeld
        return {
          writes: isOurs ? [this.#write({ ...owner, isHeld: false })] : [],
          result: undefined,
        }
      })
    } finally {
      this.#leave()
    }
  }

  async #answer(): Promise<void> {
    try {
      await this.#options.database.transact([this.read], ({ rows: [rows], history }) => {
        // A database that has lost its rows knows no owner. The holder finds that out itself.
        const isOver = this.#isReleased || history !== this.#history
        return { writes: isOver ? [] : this.keep(rows), result: undefined }
      })
    } catch (error) {
      // Any other failure is found by the next transaction of the owner.
      if (error instanceof LostError) this.lose()
    }
  }

  #leave(): void {
    this.#stopWatching()
    this.#lock?.then((lock) => lock.release()).catch(() => undefined)
  }

  #write(owner: OwnerRow): Write {
    return { table: this.#options.table, key: KEY, value: JSON.stringify(owner) }
  }
}

/**
 * Waits until this handle is the owner, without a time limit. A former owner that released its
 * ownership, or whose lock is free, is followed at once; one that leaves a question unanswered
 * for `leaseMs` is put off. An owner that answers is asked again after half of that.
 *
 * Rejects with an `AbortError` when the signal aborts, and with what the database rejects with.
 */
export async function acquireLease(options: LeaseOptions): Promise<Lease> {
  const { database, table, clock, leaseMs, signal, onAnswer } = options
  const waiting = new Waiting(options)
  const queued = new AbortController()
  let lock = database.lock?.(table, { signal: queued.signal })
  const granted = { isLocked: false }
  lock?.then(
    () => {
      granted.isLocked = true
      waiting.wake()
    },
    () => undefined,
  )
  let question: { readonly asked: number; readonly fence: number; dueAt: number } | undefined
  try {
    for (;;) {
      if (signal.aborted) throw abortError()
      const now = clock.now()
      if (question !== undefined && now - question.dueAt > LATE_TIMER_MS) question = undefined
      const asked = question
      const seen = await database.transact([{ table, key: KEY }], ({ rows: [rows], history }) => {
        const owner = parseOwner(rows)
        const isSame = asked?.fence === owner.fence
        const isAnswered = isSame && owner.answered >= asked.asked
        const isSilent = isSame && !isAnswered && now >= asked.dueAt
        const mayTake = !owner.isHeld || granted.isLocked || isSilent
        const mayAsk = !isSame || (isAnswered && now >= asked.dueAt - leaseMs / 2)
        let next = owner
        if (mayTake) next = { ...nobody, fence: owner.fence + 1, isHeld: true }
        else if (mayAsk) next = { ...owner, asked: owner.asked + 1 }
        const writes = next === owner ? [] : [{ table, key: KEY, value: JSON.stringify(next) }]
        return { writes, result: { owner: next, history, mayTake, mayAsk, isAnswered } }
      })
      if (seen.mayTake) {
        if (!granted.isLocked && lock !== undefined) {
          queued.abort()
          lock = database.lock?.(table, { signal, steal: true })
          lock?.catch(() => undefined)
        }
        const lease = new Lease(options, { fence: seen.owner.fence, history: seen.history }, lock)
        if (!signal.aborted) return lease
        await lease.release()
        throw abortError()
      }
      if (seen.isAnswered) onAnswer?.()
      if (seen.mayAsk) {
        const { asked: number, fence } = seen.owner
        question = { asked: number, fence, dueAt: clock.now() + leaseMs }
      }
      const dueAt = question?.dueAt ?? now
      await waiting.until(seen.isAnswered && !seen.mayAsk ? dueAt - leaseMs / 2 : dueAt)
    }
  } catch (error) {
    queued.abort()
    lock?.then((held) => held.release()).catch(() => undefined)
    throw error
  } finally {
    waiting.end()
  }
}

/** Waits for a time, a change by another handle, or the end of the wait. */
class Waiting {
  readonly #clock: Clock
  readonly #signal: AbortSignal
  readonly #stopWatching: () => void
  #isChanged = false
  #resume: () => void = () => undefined
  #timer: TimerHandle

  constructor({ clock, database, signal }: LeaseOptions) {
    this.#clock = clock
    this.#signal = signal
    this.#stopWatching = database.watch(this.wake)
    signal.addEventListener('abort', this.wake)
  }

  readonly wake = (): void => {
    this.#isChanged = true
    this.#clock.clearTimeout(this.#timer)
    this.#resume()
  }

  async until(dueAt: number): Promise<void> {
    if (!this.#isChanged) {
      await new Promise<void>((resume) => {
        this.#resume = resume
        this.#timer = this.#clock.setTimeout(this.wake, dueAt - this.#clock.now())
      })
    }
    this.#isChanged = false
  }

  end(): void {
    this.#clock.clearTimeout(this.#timer)
    this.#stopWatching()
    this.#signal.removeEventListener('abort', this.wake)
  }
}

function parseOwner(rows: readonly Row[] | undefined): OwnerRow {
  const [row] = rows ?? []
  return row === undefined ? nobody : (JSON.parse(row.value) as OwnerRow)
}
