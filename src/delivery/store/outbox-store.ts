import type { Clock, TimerHandle } from '../../base/clock.js'
import { withDeadline } from '../../base/deadline.js'
import type { ReportError } from '../../base/errors.js'
import { numberKey, type Database, type Row } from '../../database/database.js'
import { acquireLease, type Lease, LostError } from '../../database/lease.js'
import type { CursorPosition } from '../cursor.js'
import { GuardedDatabase } from './guarded-database.js'
import { type BatchResult, OutboxBatch } from './outbox-batch.js'
import { GoneError, OutboxOwner } from './outbox-owner.js'
import {
  type MessageRecord,
  type OutboxRecord,
  OutboxTables,
  type OutcomeRecord,
  parseRow,
} from './outbox-rows.js'
import type { OutboxIdentity, StoredMessage, StoredOutcome } from './stored-message.js'

/** An outbox in the hands of its owner. */
export interface OwnedOutbox {
  readonly identity: OutboxIdentity
  /** What was stored, in the order in which it was accepted. */
  readonly messages: readonly StoredMessage[]
  /** The numbers of the messages are of a former `cid`. */
  readonly isRenewed: boolean
}

/** What an outbox's storage tells. None of the functions throws. */
export interface OutboxStoreEvents {
  /**
   * This handle owns the outbox. While the storage does not work that is an outbox in memory, and
   * the stored one may follow.
   */
  owned(outbox: OwnedOutbox): void
  /** Another handle owns the outbox, because this one did not answer. */
  lost(): void
  /** For the owner: other handles have added these. */
  added(messages: readonly StoredMessage[]): void
  /** The owner has settled a message that this handle had added. */
  removed(id: string, outcome: StoredOutcome): void
  /** The database has lost what was stored in it: no outcome of a stored message follows. */
  gone(): void
  /** `isDurable` has changed. */
  changed(): void
}

/** Options of {@link OutboxStore}. */
export interface OutboxStoreOptions {
  readonly database: Database
  readonly name: string
  readonly clock: Clock
  readonly leaseMs: number
  readonly makeId: () => string
  readonly report: ReportError
  readonly events: OutboxStoreEvents
}

/** How long an outage may last before a standby sends its messages itself, in milliseconds. */
const PATIENCE_MS = 3_000
const FIRST_RETRY_MS = 250
const LONGEST_RETRY_MS = 30_000
/** How often a cursor that moves is written, in milliseconds. */
const CURSOR_MS = 1_000

/**
 * One handle on one stored outbox: it adds messages, waits to own the outbox, and then changes it.
 * All that comes in one turn of the event loop is written in one transaction. No method rejects.
 *
 * While the database does not work, what is to be written waits in the batch, which refers to the
 * messages of the outbox, and is tried again.
 */
export class OutboxStore {
  readonly #options: OutboxStoreOptions
  readonly #tables: OutboxTables
  readonly #database: GuardedDatabase
  readonly #by: string
  readonly #closing = new AbortController()
  #stopWatching: () => void = () => undefined
  #role: 'standby' | 'owner' | 'memory' = 'standby'
  #owner: OutboxOwner | undefined
  /** Acquired, and not opened yet. */
  #lease: Lease | undefined
  #isAcquiring = false
  #history: string | undefined
  #isGone = false
  /** What is to be written next, and what is being written. */
  #batch = new OutboxBatch()
  #writing: OutboxBatch | undefined
  #isPullWanted = false
  #running: Promise<void> | undefined
  #retryMs = FIRST_RETRY_MS
  /** The last outcome that was read. */
  #lastOutcome = ''
  #patience: TimerHandle
  #cursorTimer: TimerHandle

  constructor(options: OutboxStoreOptions) {
    const { clock, database, report } = options
    this.#options = options
    this.#tables = new OutboxTables(options.name)
    this.#by = options.makeId()
    this.#database = new GuardedDatabase(database, {
      clock,
      report,
      changed: (isWorking) => this.#noteWorking(isWorking),
    })
  }

  /** Whether what is added survives a crash. */
  get isDurable(): boolean {
    return this.#database.isWorking && !this.#isGone && this.#role !== 'memory'
  }

  /** Opens the storage. Gives the stored cursor, if the storage answers in time. */
  async open(): Promise<CursorPosition | undefined> {
    const limit = { clock: this.#options.clock, limitMs: PATIENCE_MS, signal: this.#closing.signal }
    const opened = await withDeadline(limit, () => {
      this.#stopWatching = this.#database.watch(() => this.#pull())
      return this.#database.transact([this.#tables.record], ({ rows, history }) => ({
        result: { row: rows[0]?.[0], history },
      }))
    })
    if (opened.kind !== 'value') return undefined
    const { row, history } = opened.value
    this.#history ??= history
    const record = row && parseRow<OutboxRecord>(row)
    return record?.history === history ? record.cursor : undefined
  }

  /** Adds a message. Resolves with whether it survives a crash. */
  async add(message: StoredMessage): Promise<boolean> {
    if (this.#closing.signal.aborted || this.#isGone) return false
    this.#batch.add(message)
    let result = await this.#written()
    // The message waits in the batch of a standby now.
    while (result === 'lost') result = await this.#written()
    return result === 'stored'
  }

  /** Writes new contents of stored messages. `numbered` is the highest number among them. */
  put(messages: readonly StoredMessage[], numbered: number): Promise<BatchResult> {
    if (this.#role === 'standby') return Promise.resolve('lost')
    // Numbers of an outbox in memory mean nothing to the stored one.
    if (this.#owner === undefined || this.#isGone) return Promise.resolve('memory')
    for (const message of messages) this.#batch.put(message)
    this.#owner.change({ numbered })
    this.#batch.hasRecord = true
    return this.#written()
  }

  /** Removes a settled message. The handle that accepted it hears the outcome. */
  remove(id: string, outcome: StoredOutcome): Promise<BatchResult> {
    if (this.#role === 'standby') return Promise.resolve('lost')
    if (this.#isGone) return Promise.resolve('memory')
    const isDone = this.#batch.remove(id, outcome)
    return isDone ? Promise.resolve('stored') : this.#written()
  }

  /** Gives the outbox a new `cid`: a copy of it uses the old one. `undefined`: it was lost. */
  async renew(): Promise<OutboxIdentity | undefined> {
    const cid = this.#options.makeId()
    if (this.#owner === undefined) return this.#role === 'memory' ? this.#inMemory(cid) : undefined
    this.#owner.change({ cid, numbered: 0, past: [] })
    this.#batch.hasRecord = true
    const result = await this.#written()
    return result === 'lost' ? undefined : this.#owner.identity
  }

  /** A server has answered for this start. */
  noteAnswered(): void {
    if (this.#owner === undefined || this.#owner.identity.past.length === 0) return
    this.#owner.change({ past: [] })
    this.#batch.hasRecord = true
    this.#wake()
  }

  /** Notes how far the server's messages were applied. Written within a second. */
  setCursor(cursor: CursorPosition): void {
    if (this.#owner === undefined) return
    this.#owner.change({ cursor })
    this.#batch.hasRecord = true
    this.#cursorTimer ??= this.#options.clock.setTimeout(() => this.#wake(), CURSOR_MS)
  }

  /** Waits for ownership; `owned` follows. */
  acquire(): void {
    if (this.#isAcquiring || this.#owner !== undefined || this.#isGone) return
    this.#isAcquiring = true
    void this.#acquire()
  }

  /** Writes what was asked before, and releases the outbox. Takes no longer than 3 s. */
  async close(): Promise<void> {
    const { clock } = this.#options
    this.#closing.abort()
    this.#stopWatching()
    clock.clearTimeout(this.#patience)
    await withDeadline({ clock, limitMs: PATIENCE_MS }, async () => {
      if (this.#batch.isEmpty) await this.#running
      else await this.#written()
      await (this.#owner?.lease ?? this.#lease)?.release()
    })
    clock.clearTimeout(this.#cursorTimer)
    this.#batch.answer('memory')
  }

  #written(): Promise<BatchResult> {
    if (this.#isGone || !this.#database.isWorking) return Promise.resolve('memory')
    const written = this.#batch.written()
    this.#wake()
    return written
  }

  #pull(): void {
    this.#isPullWanted = true
    this.#wake()
  }

  #wake(): void {
    this.#running ??= this.#run()
  }

  async #run(): Promise<void> {
    // What comes in one turn of the event loop is written together.
    await Promise.resolve()
    while (!this.#isGone && this.#hasWork()) {
      const batch = this.#takeBatch()
      try {
        await this.#write(batch)
        batch.answer('stored')
        this.#retryMs = FIRST_RETRY_MS
      } catch (error) {
        batch.append(this.#batch)
        this.#batch = batch
        if (error instanceof LostError) this.#lose()
        else if (error instanceof GoneError) this.#leave()
        else if (this.#closing.signal.aborted) break
        else await this.#pause()
      }
      this.#writing = undefined
    }
    this.#running = undefined
  }

  #hasWork(): boolean {
    if (this.#lease !== undefined) return true
    // Another handle would send what is added now a second time.
    if (this.#role === 'memory') return false
    return this.#isPullWanted || !this.#batch.isEmpty
  }

  #takeBatch(): OutboxBatch {
    const batch = this.#batch
    this.#batch = new OutboxBatch()
    this.#writing = batch
    this.#isPullWanted = false
    this.#options.clock.clearTimeout(this.#cursorTimer)
    this.#cursorTimer = undefined
    return batch
  }

  async #write(batch: OutboxBatch): Promise<void> {
    const { events } = this.#options
    if (this.#owner !== undefined) {
      const added = await this.#owner.write(batch, this.#assertSame)
      if (added.length > 0) events.added(added)
      return
    }
    if (this.#role === 'standby') await this.#writeAsStandby(batch)
    if (this.#lease !== undefined) await this.#begin(this.#lease)
    // What was accepted in memory until now.
    if (this.#owner !== undefined && batch.messages.size > 0) await this.#write(batch)
  }

  async #writeAsStandby(batch: OutboxBatch): Promise<void> {
    const { inbox, lastInbox, outcomes } = this.#tables
    const values = [...batch.messages.values()].flatMap(({ message }) =>
      message === undefined
        ? []
        : [JSON.stringify({ by: this.#by, message } satisfies MessageRecord)],
    )
    const reads = [lastInbox, { table: outcomes, after: this.#lastOutcome }]
    const told = await this.#database.transact(reads, ({ rows: [counter, rows = []], history }) => {
      this.#assertSame(history)
      const before = Number(counter?.[0]?.value ?? 0)
      const added = values.map((value, at) => {
        return { table: inbox, key: numberKey(before + at + 1), value }
      })
      const counted = { ...lastInbox, key: 'last', value: String(before + values.length) }
      return { writes: values.length > 0 ? [...added, counted] : [], result: rows }
    })
    batch.messages.clear()
    this.#tellOutcomes(told)
  }

  async #begin(lease: Lease): Promise<void> {
    const { makeId, events } = this.#options
    const options = { database: this.#database, tables: this.#tables, lease, by: this.#by, makeId }
    const { owner, found, outcomes } = await OutboxOwner.open(options, this.#assertSame)
    this.#lease = undefined
    this.#owner = owner
    this.#role = 'owner'
    this.#tellOutcomes(outcomes.filter(({ key }) => key > this.#lastOutcome))
    lease.lost.addEventListener('abort', () => this.#lose())
    events.owned({ identity: owner.identity, ...found })
    events.changed()
  }

  readonly #assertSame = (history: string): void => {
    this.#history ??= history
    if (this.#history !== history) throw new GoneError()
  }

  #tellOutcomes(rows: readonly Row[]): void {
    this.#lastOutcome = rows.at(-1)?.key ?? this.#lastOutcome
    for (const row of rows) {
      const { by, id, outcome } = parseRow<OutcomeRecord>(row)
      if (by === this.#by) this.#options.events.removed(id, outcome)
    }
  }

  async #acquire(): Promise<void> {
    const { clock, leaseMs } = this.#options
    const database = this.#database
    const { signal } = this.#closing
    while (this.#isAcquiring && !signal.aborted && !this.#isGone) {
      try {
        const table = this.#tables.owner
        this.#lease = await acquireLease({ database, table, clock, leaseMs, signal })
        this.#isAcquiring = false
        this.#wake()
      } catch {
        if (!signal.aborted) await this.#pause()
      }
    }
  }

  async #pause(): Promise<void> {
    const { clock } = this.#options
    const wait = { clock, limitMs: this.#retryMs, signal: this.#closing.signal }
    this.#retryMs = Math.min(2 * this.#retryMs, LONGEST_RETRY_MS)
    await withDeadline(wait, () => new Promise(() => undefined))
  }

  #lose(): void {
    const wasOpening = this.#lease !== undefined
    this.#lease = undefined
    if (this.#owner === undefined) {
      if (wasOpening) this.acquire()
      return
    }
    const { lease } = this.#owner
    this.#owner = undefined
    this.#role = 'standby'
    lease.lose()
    this.#batch.leaveAdded()
    this.#options.events.lost()
  }

  /** The database has lost its data: memory is used from now on. */
  #leave(): void {
    this.#isGone = true
    this.#lease = undefined
    this.#database.noteGone()
    this.#batch.answer('memory')
    this.#batch = new OutboxBatch()
    this.#ownInMemory()
    this.#options.events.gone()
    this.#options.events.changed()
  }

  #noteWorking(isWorking: boolean): void {
    const { clock, events } = this.#options
    clock.clearTimeout(this.#patience)
    if (!isWorking) {
      this.#batch.answer('memory')
      this.#writing?.answer('memory')
      const patienceMs = this.#database.hasOpened ? PATIENCE_MS : 0
      if (this.#role === 'standby') {
        this.#patience = clock.setTimeout(() => this.#ownInMemory(), patienceMs)
      }
    }
    events.changed()
  }

  #ownInMemory(): void {
    if (this.#role !== 'standby') return
    this.#role = 'memory'
    const identity = this.#inMemory(this.#options.makeId())
    this.#options.events.owned({ identity, messages: [], isRenewed: false })
  }

  #inMemory(cid: string): OutboxIdentity {
    return { cid, fence: 1, start: this.#options.makeId(), past: [], numbered: 0 }
  }
}
