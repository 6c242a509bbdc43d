import { type Clock, LATE_TIMER_MS } from '../base/clock.js'
import { abortError, withDeadline } from '../base/deadline.js'
import { createUuid } from '../base/uuid.js'
import type { Database, Read, Row, Write } from './database.js'
import { nobody, type OwnerRow, parseOwner, readOwner, writeOwner } from './owner-row.js'
import { LeaseWait } from './lease-wait.js'

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
  /**
   * How long an owner may leave a question unanswered, in milliseconds. Longer than the poll
   * interval of the database.
   */
  readonly leaseMs: number
  readonly signal: AbortSignal
  /** Called each time the owner has answered, which means that it is alive. May end the wait. */
  readonly onAnswer?: () => void
}

/** What a standby has asked an owner. */
interface AskedOwner {
  readonly holder: string | undefined
  readonly asked: number
  readonly dueAt: number
  readonly isAnswered: boolean
  readonly isExtended: boolean
}

/** The owner, and the history of the database in which it was seen. */
interface Seen {
  readonly owner: OwnerRow
  readonly history: string
}

/** Ownership in the hands of its holder. */
export class Lease {
  readonly fence: number
  /** The row to read in each transaction of the owner; {@link keep} checks it. */
  readonly read: Read
  readonly #options: LeaseOptions
  readonly #holder: string | undefined
  readonly #history: string
  readonly #unlock: (() => void) | undefined
  readonly #lost = new AbortController()
  readonly #stopWatching: () => void
  #releasing: Promise<void> | undefined

  /** @internal */
  constructor(
    options: LeaseOptions,
    { owner: { fence, holder }, history }: Seen,
    unlock: (() => void) | undefined,
  ) {
    this.#options = options
    this.fence = fence
    this.read = readOwner(options.table)
    this.#holder = holder
    this.#history = history
    this.#unlock = unlock
    this.#stopWatching = options.database.watch(() => void this.#answer())
    // A standby may have asked between the transaction and this.
    void this.#answer()
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
    if (owner.holder !== this.#holder) throw new LostError()
    if (owner.answered >= owner.asked) return []
    return [writeOwner(this.#options.table, { ...owner, answered: owner.asked })]
  }

  /** Notes that another handle is the owner. */
  lose(): void {
    if (this.#releasing !== undefined || this.#lost.signal.aborted) return
    this.#leave()
    this.#lost.abort()
  }

  /** Passes ownership to the next standby. */
  release(): Promise<void> {
    this.#releasing ??= this.#release()
    return this.#releasing
  }

  async #release(): Promise<void> {
    if (this.#lost.signal.aborted) return
    // First, since the database may hang. Whoever gets the lock now finds this handle gone.
    this.#leave()
    const { database, table } = this.#options
    await database.transact([this.read], ({ rows: [rows] }) => {
      const { fence, holder } = parseOwner(rows)
      const writes = holder === this.#holder ? [writeOwner(table, { ...nobody, fence })] : []
      return { writes, result: undefined }
    })
  }

  async #answer(): Promise<void> {
    try {
      await this.#options.database.transact([this.read], ({ rows: [rows], history }) => {
        // In a database that has lost its rows nobody is the owner. The next transaction of this
        // handle finds that out.
        const isOver = this.#releasing !== undefined || history !== this.#history
        return { writes: isOver ? [] : this.keep(rows), result: undefined }
      })
    } catch (error) {
      // Any other failure is found by the next transaction of the owner.
      if (error instanceof LostError) this.lose()
    }
  }

  #leave(): void {
    this.#stopWatching()
    this.#unlock?.()
  }
}

/**
 * Waits until this handle is the owner, without a time limit. A former owner that released its
 * ownership, or whose lock is free, is followed at once; one that leaves a question unanswered
 * for `leaseMs` loses it. A handle must not wait twice at a time for one table: it is not told of
 * its own writes.
 *
 * Rejects with an `AbortError` when the signal aborts, and with what the database rejects with.
 */
export async function acquireLease(options: LeaseOptions): Promise<Lease> {
  const candidate = new Candidate(options)
  try {
    return await candidate.win()
  } finally {
    candidate.end()
  }
}

/** A handle that waits for ownership. */
class Candidate {
  readonly #options: LeaseOptions
  readonly #holder = createUuid()
  readonly #wait: LeaseWait
  #question: AskedOwner | undefined
  /** The owner whose lock this handle waits for. */
  #awaitedLock: { readonly holder: string; readonly controller: AbortController } | undefined
  /** The owner whose lock was free: it has ended, and never comes back. */
  #goneHolder: string | undefined

  constructor(options: LeaseOptions) {
    this.#options = options
    this.#wait = new LeaseWait(options.clock, options.database, options.signal)
  }

  async win(): Promise<Lease> {
    const { signal, clock } = this.#options
    const unlock = await this.#lockOwn()
    try {
      for (;;) {
        const seen = await this.#look(unlock !== undefined)
        const { owner } = seen
        if (owner.holder === this.#holder) {
          const lease = new Lease(this.#options, seen, unlock)
          if (!signal.aborted) return lease
          await lease.release()
          throw abortError()
        }
        this.#waitForLock(owner)
        const { dueAt, isAnswered } = this.#question ?? { dueAt: clock.now(), isAnswered: false }
        // The lock tells when such an owner ends. A look at each of its writes would slow it down.
        const needsChanges = !isAnswered || unlock === undefined || !owner.hasLock
        await this.#wait.until(dueAt, needsChanges)
      }
    } catch (error) {
      unlock?.()
      throw error
    }
  }

  end(): void {
    this.#awaitedLock?.controller.abort()
    this.#wait.end()
  }

  /** Reads who the owner is; becomes it, or asks it, where that is due. */
  async #look(hasLock: boolean): Promise<Seen> {
    const { database, table, clock, leaseMs, signal, onAnswer } = this.#options
    if (signal.aborted) throw abortError()
    const now = clock.now()
    const question = extend(this.#question, now, leaseMs)
    const seen = await database.transact([readOwner(table)], ({ rows: [rows], history }) => {
      const owner = parseOwner(rows)
      const { fence, holder } = owner
      const isSame = question !== undefined && question.holder === holder
      const isAnswered = isSame && owner.answered >= question.asked
      const isDue = !isSame || now >= question.dueAt
      const isSilent = isSame && isDue && !isAnswered
      let next = owner
      if (holder === undefined || holder === this.#goneHolder || isSilent) {
        next = { ...nobody, fence: fence + 1, holder: this.#holder, hasLock }
      } else if (isDue) {
        next = { ...owner, asked: owner.asked + 1 }
      }
      const writes = next === owner ? [] : [writeOwner(table, next)]
      return { writes, result: { owner: next, history, isAnswered, isDue } }
    })
    if (seen.isAnswered && question?.isAnswered === false) onAnswer?.()
    const { holder, asked } = seen.owner
    this.#question =
      question === undefined || seen.isDue
        ? { holder, asked, dueAt: clock.now() + leaseMs, isAnswered: false, isExtended: false }
        : { ...question, isAnswered: seen.isAnswered }
    return seen
  }

  /**
   * The lock is taken before the row names this handle as the owner. So whoever gets the lock of an
   * owner knows that the owner has ended. Without the lock the handle competes by its answers only.
   */
  async #lockOwn(): Promise<(() => void) | undefined> {
    const { clock, leaseMs: limitMs, signal } = this.#options
    const locking = this.#lock(this.#holder, signal)
    const locked = await withDeadline({ clock, limitMs, signal }, () => locking)
    if (locked.kind === 'value') return locked.value
    // It may still come.
    locking.then(
      (unlock) => unlock?.(),
      () => undefined,
    )
    return undefined
  }

  #waitForLock({ holder, hasLock }: OwnerRow): void {
    if (this.#awaitedLock?.holder === holder || holder === undefined) return
    this.#awaitedLock?.controller.abort()
    const controller = new AbortController()
    this.#awaitedLock = { holder, controller }
    if (!hasLock) return
    this.#lock(holder, controller.signal).then(
      (unlock) => {
        if (unlock === undefined) return
        unlock()
        this.#goneHolder = holder
        this.#wait.wake()
      },
      // Without locks the owner's answers are all that there is.
      () => undefined,
    )
  }

  // Async, so that a `lock` that throws rejects too.
  async #lock(holder: string, signal: AbortSignal): Promise<(() => void) | undefined> {
    const { database, table } = this.#options
    return await database.lock?.(`${table}:${holder}`, signal)
  }
}

/**
 * Gives an owner the same time once more when the timer was late: the owner may have slept too.
 * Only once, since in a hidden page every timer is late.
 */
function extend(question: AskedOwner | undefined, now: number, leaseMs: number) {
  if (question === undefined || question.isAnswered || question.isExtended) return question
  if (now - question.dueAt <= LATE_TIMER_MS) return question
  return { ...question, dueAt: now + leaseMs, isExtended: true }
}
