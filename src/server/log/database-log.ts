import { randomUUID } from 'node:crypto'
import { type Clock, createSystemClock } from '../../base/clock.js'
import { SyncError } from '../../base/errors.js'
import { assertDuration } from '../../base/options.js'
import type { Change, Database, Found, Read, Write } from '../../database/database.js'
import { acquireLease, type Lease, LostError } from '../../database/lease.js'
import { nextTurn } from '../turn.js'
import type { DeliveryLog, LogChange, UserLog } from './delivery-log.js'
import { openUser, readsOf, type UserHeader, writesOf } from './user-rows.js'

/** Options of {@link createDatabaseLog}. */
export interface DatabaseLogOptions {
  /**
   * How long the owner of the log may be silent before another server takes the log over, in
   * milliseconds. A server that starts after another was killed waits that long. The database must
   * tell of changes sooner than that. Default 3,000.
   */
  readonly leaseMs?: number
  readonly clock?: Clock
}

export const DEFAULT_LEASE_MS = 3_000

/** A log in a database. */
export interface DatabaseLog extends DeliveryLog {
  /** Aborts when another server owns the log, or the database has lost its data. */
  readonly lost: AbortSignal
  /** Completes what is being written, and passes the log on. Call it after the server's `close`. */
  end(): Promise<void>
}

/**
 * Opens a log in a database. What was acknowledged is there as long as the database has it.
 *
 * The commits of all users that come in one turn of the event loop, or during a transaction, share
 * one transaction. One server at a time owns the log. A server that was stopped for long and lost
 * its log finds that its commits reject, and that `lost` aborts.
 *
 * Rejects with SyncError `option-invalid` where an option makes no sense or another server answers
 * that it has the log open, and with what the database rejects with.
 */
export async function createDatabaseLog(
  database: Database,
  options: DatabaseLogOptions = {},
): Promise<DatabaseLog> {
  const { clock = createSystemClock(), leaseMs = DEFAULT_LEASE_MS } = options
  assertDuration('leaseMs', leaseMs)
  const refused = new AbortController()
  const { signal } = refused
  const onAnswer = () => refused.abort()
  const request = { database, table: 'log/owner', clock, leaseMs, signal, onAnswer }
  try {
    return new OwnedLog(database, await acquireLease(request))
  } catch (cause) {
    if (!signal.aborted) throw cause
    throw new SyncError('option-invalid', 'the log is open in another server', { cause })
  }
}

/** A commit that waits for the next transaction. */
interface WaitingCommit {
  /** The database's history when the user was opened. */
  readonly history: string
  readonly writes: readonly Write[]
  readonly resolve: () => void
  readonly reject: (cause: unknown) => void
}

const TAKEN_OVER = 'another server owns the log by now'
const DATA_LOST = "the log's database has lost its data"

class OwnedLog implements DatabaseLog {
  readonly #database: Database
  readonly #lease: Lease
  readonly #lost = new AbortController()
  readonly #stopWatching: () => void
  readonly #headers = new Map<string, UserHeader>()
  #waiting: WaitingCommit[] = []
  /** Resolves once nothing waits any more. */
  #writing: Promise<void> | undefined
  #hasEnded = false

  constructor(database: Database, lease: Lease) {
    this.#database = database
    this.#lease = lease
    lease.lost.addEventListener('abort', () => this.#lost.abort(new Error(TAKEN_OVER)))
    this.#stopWatching = database.watch(() => void this.#check())
  }

  get lost(): AbortSignal {
    return this.#lost.signal
  }

  async open(userId: string): Promise<UserLog> {
    this.#assertOpen()
    const newEpoch = randomUUID()
    const { header, log } = await this.#transact(readsOf(userId), (found) => {
      const result = openUser(userId, found, newEpoch)
      return { writes: result.writes, result }
    })
    this.#headers.set(userId, header)
    return log
  }

  async commit(userId: string, change: LogChange): Promise<void> {
    this.#assertOpen()
    const header = this.#headers.get(userId)
    if (header === undefined) throw new Error('the user is not open')
    // Where the commit fails, the user has to be opened again.
    this.#headers.delete(userId)
    const changed = writesOf(userId, header, change)
    await this.#write(header.history, changed.writes)
    this.#headers.set(userId, changed.header)
  }

  close(userId: string): void {
    this.#headers.delete(userId)
  }

  async end(): Promise<void> {
    this.#hasEnded = true
    this.#stopWatching()
    await this.#writing
    await this.#lease.release()
  }

  #assertOpen(): void {
    if (this.#hasEnded) throw new Error('the log was ended')
    this.#lost.signal.throwIfAborted()
  }

  #write(history: string, writes: readonly Write[]): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ history, writes, resolve, reject })
      this.#writing ??= this.#writeAll()
    })
  }

  async #writeAll(): Promise<void> {
    await nextTurn()
    while (this.#waiting.length > 0) {
      const commits = this.#waiting
      this.#waiting = []
      await this.#writeTogether(commits)
    }
    this.#writing = undefined
  }

  async #writeTogether(commits: readonly WaitingCommit[]): Promise<void> {
    try {
      const current = await this.#transact([], ({ history }) => ({
        writes: commits.flatMap((commit) => (commit.history === history ? commit.writes : [])),
        result: history,
      }))
      for (const { history, resolve, reject } of commits) {
        if (history === current) resolve()
        else reject(new Error('the database may have lost rows of the user'))
      }
    } catch (error) {
      for (const { reject } of commits) reject(error)
    }
  }

  /** Makes a transaction that has no effect unless this server still owns the log. */
  async #transact<T>(reads: readonly Read[], change: (found: Found) => Change<T>): Promise<T> {
    const lease = this.#lease
    let hasOwner = true as boolean
    try {
      return await this.#database.transact([lease.read, ...reads], (found) => {
        const [owner = [], ...rows] = found.rows
        hasOwner = owner.length > 0
        const answer = lease.keep(owner)
        const { writes = [], result } = change({ ...found, rows })
        return { writes: [...answer, ...writes], result }
      })
    } catch (error) {
      if (!(error instanceof LostError)) throw error
      const lost = new Error(hasOwner ? TAKEN_OVER : DATA_LOST)
      this.#lost.abort(lost)
      lease.lose()
      throw lost
    }
  }

  /** Finds out without a commit whether the log is lost. */
  async #check(): Promise<void> {
    try {
      await this.#transact([], () => ({ result: undefined }))
    } catch {
      // A loss aborts `lost`. Any other failure is found by the next commit.
    }
  }
}
