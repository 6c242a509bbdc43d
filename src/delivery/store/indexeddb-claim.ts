import type { Clock, TimerHandle } from '../../base/clock.js'
import type { OwnerRecord, Taken } from './indexeddb-records.js'
import { abortError } from '../../base/deadline.js'

/** What is used of `navigator.locks`. */
export interface OutboxLocks {
  request(
    name: string,
    options: { readonly signal?: AbortSignal; readonly steal?: boolean },
    run: () => Promise<void>,
  ): Promise<unknown>
}

/** What a claim is made with. */
export interface ClaimParts {
  readonly clock: Clock
  readonly locks: OutboxLocks | undefined
  readonly lockName: string
  readonly leaseMs: number
  readOwner(): Promise<OwnerRecord | undefined>
  take(mayTake: (owner: OwnerRecord | undefined) => boolean): Promise<Taken | undefined>
  giveBack(fence: number): Promise<void>
  /** Asks the owner to answer. */
  ask(): void
}

/** The outbox in one's hands. */
export interface Hold {
  readonly lost: AbortSignal
  lose(): void
  /** Lets the lock go; whoever waits for it is next. */
  letGo(): void
}

/** An attempt at owning an outbox, which hears what goes on meanwhile. */
export interface LockClaim {
  readonly won: Promise<{ readonly taken: Taken; readonly hold: Hold }>
  /** The owner answered, or there is a new one. */
  answered(): void
  /** The owner released it. */
  released(): void
  /** Waits no longer; resolves once nothing of it is under way. */
  giveUp(): Promise<void>
}

// How often an owner is asked within its lease, and may leave that unanswered. A timer that fires
// late, in a hidden tab or after sleep, makes the answer's time longer, never shorter.
const ASKED = 3

/**
 * Waits for an outbox: for the Web Lock, which comes at once when its holder's tab goes, and by
 * asking the owner, who may hold the lock and yet not answer. Where there are no locks, asking is
 * all there is.
 *
 * An owner that did not answer is put off in the database, in one transaction that says which
 * owner is meant, so that of several who wait one wins. The lock is stolen only after that.
 */
export function claimOutbox(parts: ClaimParts, signal: AbortSignal): LockClaim {
  const { clock, locks, lockName, leaseMs } = parts
  const queued = new AbortController()
  const hold = createHold()
  let isOver = false
  let timer: TimerHandle
  let isAnswered = true
  let unanswered = 0
  let seenFence: number | undefined
  let settle: (taken: Taken) => void = () => undefined
  let refuse: (error: unknown) => void = () => undefined
  const won = new Promise<{ taken: Taken; hold: Hold }>((resolve, reject) => {
    settle = (taken) => {
      resolve({ taken, hold })
    }
    refuse = reject
  })

  function end(): void {
    isOver = true
    clock.clearTimeout(timer)
    signal.removeEventListener('abort', giveUp)
  }

  function fail(error: unknown): void {
    if (isOver) return
    end()
    queued.abort()
    refuse(error)
  }

  function giveUp(): void {
    fail(abortError())
  }

  // One at a time: a second one that succeeded would put off the first.
  let last: Promise<unknown> = Promise.resolve()
  function take(mayTake: (owner: OwnerRecord | undefined) => boolean): Promise<boolean> {
    const taking = last.then(async () => {
      if (isOver) return false
      const taken = await parts.take(mayTake)
      if (taken === undefined) return false
      // Given up while the transaction ran.
      if (hasEnded()) {
        await parts.giveBack(taken.fence)
        return false
      }
      end()
      settle(taken)
      return true
    })
    last = taking.catch(fail)
    return taking
  }
  const hasEnded = (): boolean => isOver

  function waitForLock(): void {
    locks
      ?.request(lockName, { signal: queued.signal }, async () => {
        // Whoever has the lock need not ask who owned the outbox: that tab is gone, or let it go.
        if (await take(() => true)) await hold.released
      })
      // Of a lock that was had, this is its theft; of one that was waited for, a failure.
      .catch((error: unknown) => {
        if (!isOver) fail(error)
        else if (!queued.signal.aborted) hold.lose()
      })
  }

  async function steal(): Promise<void> {
    if (!(await take((owner) => owner?.fence === seenFence))) return
    queued.abort()
    locks?.request(lockName, { steal: true }, () => hold.released).catch(() => hold.lose())
  }

  function tryWithoutLock(): void {
    if (locks !== undefined) return
    take((owner) => owner?.holder === undefined).catch(fail)
  }

  async function look(): Promise<void> {
    const owner = await parts.readOwner()
    if (isOver) return
    if (isAnswered || owner?.fence !== seenFence) unanswered = 0
    else unanswered += 1
    seenFence = owner?.fence
    isAnswered = false
    if (unanswered >= ASKED) await steal()
    tryWithoutLock()
    if (hasEnded()) return
    parts.ask()
    timer = clock.setTimeout(() => {
      look().catch(fail)
    }, leaseMs / ASKED)
  }

  if (signal.aborted) {
    giveUp()
  } else {
    signal.addEventListener('abort', giveUp)
    waitForLock()
    look().catch(fail)
  }
  return {
    won,
    answered() {
      isAnswered = true
    },
    released: tryWithoutLock,
    async giveUp() {
      giveUp()
      await last
    },
  }
}

function createHold(): Hold & { readonly released: Promise<void> } {
  const lost = new AbortController()
  let letGo: () => void = () => undefined
  const released = new Promise<void>((resolve) => {
    letGo = resolve
  })
  return {
    lost: lost.signal,
    released,
    letGo: () => letGo(),
    lose() {
      lost.abort()
      letGo()
    },
  }
}
