import { randomUUID } from 'node:crypto'
import { link, mkdir, readdir, readFile, stat, truncate, utimes, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { type Clock, sleep } from '../base/clock.js'
import { abortError } from '../base/deadline.js'
import { isRecord, parseJson } from '../base/values.js'
import { hasCode, ifThere, readTextIfThere, unlinkIfThere } from './node-files.js'

/**
 * A lock that is held: for an instant, or for longer by who says so with `keep`, since it is taken
 * from holders that cannot be told to be alive.
 */
export interface HeldLock {
  /** Larger than that of every holder before. */
  readonly fence: number
  /** The holder before died with the lock, and may have left something half done. */
  readonly wasOrphaned: boolean
  /** Whether nobody took the lock in the meantime. */
  isHeld(): Promise<boolean>
  /** Shows that the holder lives: every few seconds, where it holds the lock for longer. As `isHeld`. */
  keep(): Promise<boolean>
  release(): Promise<void>
}

/** Options of {@link acquireLock}. */
export interface LockOptions {
  readonly directory: string
  readonly clock: Clock
  /** How long to wait for the holder before rejecting with code `ELOCKED`, in milliseconds. */
  readonly timeoutMs: number
  /** Ends the wait with an `AbortError`. */
  readonly signal?: AbortSignal
  /** Lets time pass between two attempts. Default: 10 ms. */
  readonly pause?: () => Promise<void>
  /** Also takes the lock from a living holder that has not shown it for so long, in milliseconds. */
  readonly leaseMs?: number
}

// Of a holder that cannot be looked up (another machine, or a system that does not tell when a
// process began) nothing but silence tells that it is gone. Nobody holds a lock for so long.
const LONGEST_HOLD_MS = 10_000
const RETRY_MS = 10
const OLD_DRAFT_MS = 60_000

/**
 * Waits for a lock between processes that is free again when its holder was killed.
 *
 * The directory holds one file per holder, numbered. A number is won by whoever links its file
 * first, and only once the highest number is over: released, or its holder dead. Both are for
 * good, so two processes that see the same corpse cannot both bury it, as they can where a lock
 * is one file that is removed and made again. A loser of an old race, whose number was won and
 * tidied away while it slept, sees the higher number and steps back.
 */
export async function acquireLock(options: LockOptions): Promise<HeldLock> {
  const { directory, clock, timeoutMs, signal, leaseMs } = options
  const pause = options.pause ?? (() => sleep(clock, RETRY_MS))
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const giveUpAt = clock.now() + timeoutMs
  for (;;) {
    if (signal?.aborted === true) throw abortError()
    const lock = await tryToAcquire(directory, leaseMs)
    if (lock !== undefined) return lock
    if (clock.now() >= giveUpAt) throw lockedError('another process holds the lock')
    await pause()
  }
}

async function tryToAcquire(directory: string, leaseMs?: number): Promise<HeldLock | undefined> {
  const top = Math.max(0, ...(await numbersIn(directory)))
  const end = top === 0 ? 'released' : await endOf(join(directory, String(top)), leaseMs)
  if (end === undefined) return undefined
  const fence = top + 1
  const file = join(directory, String(fence))
  if (!(await linkDraft(directory, file))) return undefined
  const numbers = await numbersIn(directory)
  if (numbers.some((number) => number > fence)) {
    await unlinkIfThere(file)
    return undefined
  }
  // The number before ours stays: who lists the directory while numbers come and go may be shown
  // neither of two that change places, but not neither of three.
  for (const number of numbers) {
    if (number < fence - 1) await unlinkIfThere(join(directory, String(number)))
  }
  if (end === 'orphaned') await removeOldDrafts(directory)
  return {
    fence,
    wasOrphaned: end === 'orphaned',
    isHeld: () => isTop(directory, fence),
    async keep() {
      const now = new Date()
      await ifThere(utimes(file, now, now))
      return await isTop(directory, fence)
    },
    // A lock that was taken over has no file left.
    async release() {
      await ifThere(truncate(file))
    },
  }
}

// Written for the attempt alone: that of one who waits for long would pass for the leavings of a
// dead one. False where another was faster.
async function linkDraft(directory: string, file: string): Promise<boolean> {
  const draft = join(directory, `~${randomUUID()}`)
  await writeFile(draft, JSON.stringify(await describeSelf()), { mode: 0o600 })
  try {
    await link(draft, file)
    return true
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false
    throw error
  } finally {
    await unlinkIfThere(draft)
  }
}

async function isTop(directory: string, fence: number): Promise<boolean> {
  return Math.max(0, ...(await numbersIn(directory))) === fence
}

async function numbersIn(directory: string): Promise<number[]> {
  return (await readdir(directory)).filter((name) => /^\d+$/.test(name)).map(Number)
}

// What the killed leave of their waiting; younger ones may be from the living.
async function removeOldDrafts(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    const file = join(directory, name)
    if (name.startsWith('~') && (await ageOf(file)) > OLD_DRAFT_MS) await unlinkIfThere(file)
  }
}

async function ageOf(file: string): Promise<number> {
  const found = await ifThere(stat(file))
  return found === undefined ? 0 : Date.now() - found.mtimeMs
}

interface Holder {
  readonly pid: number
  readonly host: string
  /** Tells processes with the same number apart; absent where the system does not say. */
  readonly birth?: string
}

async function describeSelf(): Promise<Holder> {
  const birth = await birthOf(process.pid)
  return { pid: process.pid, host: hostname(), ...(birth !== undefined && { birth }) }
}

/** How a holder's time ended; `undefined` while it may go on, or where the file just went. */
async function endOf(file: string, leaseMs?: number): Promise<'released' | 'orphaned' | undefined> {
  const text = await readTextIfThere(file)
  if (text === undefined) return undefined
  if (text === '') return 'released'
  const holder = parseHolder(text)
  const alive = holder === undefined ? undefined : await isAlive(holder)
  if (alive === false) return 'orphaned'
  const patienceMs = leaseMs ?? (alive === true ? Number.POSITIVE_INFINITY : LONGEST_HOLD_MS)
  return (await ageOf(file)) < patienceMs ? undefined : 'orphaned'
}

/** Whether a holder still runs; `undefined` where that cannot be told from here. */
async function isAlive({ pid, host, birth }: Holder): Promise<boolean | undefined> {
  if (host !== hostname()) return undefined
  try {
    process.kill(pid, 0)
  } catch (error) {
    if (hasCode(error, 'ESRCH')) return false
  }
  const found = birth === undefined ? undefined : await birthOf(pid)
  return found === undefined ? undefined : found === birth
}

/** What tells a process from others with its number, on Linux: the boot and the tick it began in. */
async function birthOf(pid: number): Promise<string | undefined> {
  if (process.platform !== 'linux') return undefined
  try {
    const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8')
    const line = await readFile(`/proc/${pid}/stat`, 'utf8')
    // The second field is the command in brackets, and may hold spaces and brackets itself.
    const fields = line.slice(line.lastIndexOf(')') + 2).split(' ')
    // A zombie holds nothing any more: it was killed, and its parent has not looked yet.
    return fields[0] === 'Z' ? 'zombie' : `${boot.trim()} ${fields[19] ?? ''}`
  } catch {
    return undefined
  }
}

function parseHolder(text: string): Holder | undefined {
  const value = parseJson(text)
  if (!isRecord(value)) return undefined
  const { pid, host, birth } = value
  if (typeof pid !== 'number' || !Number.isInteger(pid) || typeof host !== 'string')
    return undefined
  return { pid, host, ...(typeof birth === 'string' && { birth }) }
}

/** The error of a lock that another process has. */
function lockedError(message: string): Error {
  return Object.assign(new Error(message), { code: 'ELOCKED' })
}
