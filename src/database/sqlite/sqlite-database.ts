import { resolve } from 'node:path'
import { type Clock, createSystemClock, type Random, type TimerHandle } from '../../base/clock.js'
import { assertOption, type ReportError, SyncError } from '../../base/errors.js'
import { assertDuration, assertOptionalFunction, guardReport } from '../../base/options.js'
import { type Change, closedError, type Database, type Found, type Read } from '../database.js'
import { Watchers } from '../watchers.js'
import { BusyWait, type Patience } from './busy.js'
import { DamageError } from './checked-rows.js'
import { findSqlite, isUnreadable, type OpenSqlite, type SqliteConnection } from './connection.js'
import { DatabaseFile } from './database-file.js'
import { ChangeError, OpenDatabase, ReplacedError } from './open-database.js'
import { replaceDatabase } from './repair.js'

/** Options of {@link createSqliteDatabase}. */
export interface SqliteDatabaseOptions {
  /** How often {@link Database.watch} looks for changes by others, in milliseconds. Default 1,000. */
  readonly pollMs?: number
  readonly clock?: Clock
  readonly random?: Random
  /**
   * Called with `storage-damaged` when the database was damaged, or has lost commits. The history
   * of the database is then another.
   */
  readonly onError?: ReportError
}

interface ResolvedSqliteOptions extends Patience {
  readonly pollMs: number
  readonly report: ReportError
}

// A database that is damaged again and again is on a broken disk.
const MOST_REPAIRS = 3

/**
 * Makes a database in SQLite: for Node, and for all processes of one machine.
 *
 * A path needs `node:sqlite` (Node 22.13 and later) or the optional package
 * `@photostructure/sqlite`. The file is opened at the first use. Folder and file are made readable
 * by their owner only. A database that is handed in stays open on `close`; it is set to WAL,
 * `synchronous=FULL` and `busy_timeout=0`, and must not be within a transaction when it is used.
 *
 * Each call of SQLite blocks the process until the disk is done. Network file systems are not
 * supported. A process must not open one file by two copies of SQLite, such as `node:sqlite` and
 * `better-sqlite3`: they do not see each other's locks.
 *
 * @throws SyncError `option-invalid` if an option is not usable. Methods reject with it if there is
 * no SQLite, and with `storage-failed` if the file cannot be opened.
 *
 * @example
 * const database = createSqliteDatabase('data/app.db', { onError: console.error })
 */
export function createSqliteDatabase(
  database: string | SqliteConnection,
  options: SqliteDatabaseOptions = {},
): Database {
  const isConnection = typeof (database as Partial<SqliteConnection> | null)?.prepare === 'function'
  const isPath = typeof database === 'string'
  const isUsable = isConnection || (isPath && database !== '')
  assertOption(isUsable, 'give a path, or an open connection of a SQLite library')
  const { pollMs = 1_000, clock = createSystemClock(), random = Math.random, onError } = options
  assertDuration('pollMs', pollMs)
  assertOptionalFunction('onError', onError)
  const source = typeof database === 'string' ? resolve(database) : database
  return new SqliteDatabase(source, { pollMs, clock, random, report: guardReport(onError) })
}

/** Puts transactions in order, waits while others write, and has damage repaired. */
class SqliteDatabase implements Database {
  readonly #source: string | SqliteConnection
  readonly #options: ResolvedSqliteOptions
  readonly #clock: Clock
  readonly #busy: BusyWait
  readonly #watchers = new Watchers()
  #isClosed = false
  /** Settles when the last transaction is done. */
  #last: Promise<unknown> = Promise.resolve()
  #openSqlite: OpenSqlite | undefined
  #file: DatabaseFile | undefined
  #opened: OpenDatabase | undefined
  /** What is to be repaired before the next transaction. */
  #damage: 'none' | 'rows' | 'structure' = 'none'
  /** The version that the watchers know of. */
  #version: number | undefined
  #timer: TimerHandle
  #isLooking = false

  constructor(source: string | SqliteConnection, options: ResolvedSqliteOptions) {
    this.#source = source
    this.#options = options
    this.#clock = options.clock
    this.#busy = new BusyWait(options)
  }

  transact<T>(reads: readonly Read[], change: (found: Found) => Change<T>): Promise<T> {
    if (this.#isClosed) return Promise.reject(closedError())
    const askedAt = this.#clock.now()
    return this.#inTurn(() => this.#run(askedAt, (opened) => opened.transact(reads, change)))
  }

  watch(changed: () => void): () => void {
    const remove = this.#watchers.add(changed)
    if (this.#watchers.size === 1 && !this.#isClosed) this.#poll()
    return () => {
      remove()
      if (this.#watchers.size === 0) this.#clock.clearTimeout(this.#timer)
    }
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#clock.clearTimeout(this.#timer)
    await this.#last
    this.#watchers.clear()
    this.#leave()
  }

  #inTurn<T>(run: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(run)
    this.#last = turn.catch(() => undefined)
    return turn
  }

  async #run<T>(askedAt: number, use: (opened: OpenDatabase) => T): Promise<T> {
    for (let repairs = 0; ; ) {
      try {
        return await this.#busy.run(askedAt, async () => use(await this.#ready()))
      } catch (error) {
        if (error instanceof ChangeError) throw error.cause
        if (error instanceof ReplacedError) {
          this.#leave()
          continue
        }
        repairs += 1
        if (repairs > MOST_REPAIRS || !this.#mayRepair(error)) {
          const isOpen = this.#opened !== undefined
          // Another connection may do better at the next use.
          this.#leave()
          throw isOpen ? error : this.#openError(error)
        }
      }
    }
  }

  /** Repairs what is to be repaired, and opens what is not open. */
  async #ready(): Promise<OpenDatabase> {
    if (this.#damage === 'rows' && this.#opened?.repair() === true) this.#reportDamage()
    if (this.#damage === 'structure') this.#replace()
    this.#damage = 'none'
    this.#opened ??= await this.#open()
    this.#version ??= this.#opened.version
    return this.#opened
  }

  /** Notes what is damaged, by the error. Gives whether it can be repaired. */
  #mayRepair(error: unknown): boolean {
    const isDamage = error instanceof DamageError
    const isStructure = isDamage ? this.#damage === 'rows' : isUnreadable(error)
    const mayReplace = this.#file?.isOurs === true
    if ((!isDamage && !isStructure) || (isStructure && !mayReplace)) {
      this.#damage = 'none'
      return false
    }
    this.#damage = isStructure ? 'structure' : 'rows'
    return true
  }

  async #open(): Promise<OpenDatabase> {
    const source = this.#source
    const report = (): void => this.#reportDamage()
    if (typeof source !== 'string') return new OpenDatabase(source, undefined, report)
    this.#openSqlite ??= await findSqlite()
    const file = new DatabaseFile(source)
    this.#file = file
    if (file.hasSuccessor) this.#replace()
    const connection = this.#openSqlite(source)
    try {
      return new OpenDatabase(connection, file, report)
    } catch (error) {
      connection.close()
      throw error
    }
  }

  #openError(cause: unknown): unknown {
    // An error of the library says what is wrong, such as that there is no SQLite.
    if (typeof this.#source !== 'string' || cause instanceof SyncError) return cause
    const reason = cause instanceof Error ? cause.message : String(cause)
    const message = `The database ${this.#source} cannot be opened: ${reason}`
    return new SyncError('storage-failed', message, { cause })
  }

  #replace(): void {
    if (this.#file === undefined || this.#openSqlite === undefined) return
    if (replaceDatabase(this.#file, this.#openSqlite)) this.#reportDamage()
    this.#leave()
  }

  #leave(): void {
    this.#opened?.close()
    this.#opened = undefined
    // Watchers know nothing of the next database.
    if (this.#version !== undefined) this.#version = -1
  }

  #poll(): void {
    this.#timer = this.#clock.setTimeout(() => this.#poll(), this.#options.pollMs)
    // While another process holds the database, looks must not gather.
    if (this.#isLooking) return
    this.#isLooking = true
    // What fails here is found by the next transaction.
    void this.#inTurn(async () => this.#look(await this.#ready()))
      .catch(() => undefined)
      .finally(() => {
        this.#isLooking = false
      })
  }

  #look(opened: OpenDatabase): void {
    if (opened.isReplaced) this.#leave()
    const version = this.#opened?.version
    if (version === this.#version) return
    this.#version = version
    this.#watchers.tell()
  }

  #reportDamage(): void {
    this.#options.report(
      new SyncError('storage-damaged', 'The database was damaged or is older than it was.'),
    )
  }
}
