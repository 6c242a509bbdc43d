import type { TimerHandle } from '../../base/clock.js'
import { withDeadline } from '../../base/deadline.js'
import { type Lease, LostError } from '../../database/lease.js'
import type { CursorPosition } from '../cursor.js'
import { GuardedDatabase } from './guarded-database.js'
import type { BatchResult, OutboxBatch } from './outbox-batch.js'
import type { OutboxStoreOptions } from './outbox-port.js'
import { OwnershipWait } from './ownership-wait.js'
import { GoneError, isOutboxError, LateError, OutboxOwner } from './outbox-owner.js'
import { type OutboxRecord, OutboxTables, type OutcomeRecord, parseRow } from './outbox-rows.js'
import { OutboxStandby } from './outbox-standby.js'
import { OutboxWriter } from './outbox-writer.js'
import { createIdentity, type OutboxIdentity } from './identity.js'
import type { StoredMessage, StoredOutcome } from './stored-message.js'

/** How long an outage may last before a standby sends its messages itself, in milliseconds. */
const PATIENCE_MS = 3_000
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
  readonly #standby: OutboxStandby
  readonly #closing = new AbortController()
  #stopWatching: () => void = () => undefined
  #role: 'standby' | 'owner' | 'memory' = 'standby'
  #owner: OutboxOwner | undefined
  readonly #ownership: OwnershipWait
  /** Settles once a former ownership is released. */
  #releasing: Promise<void> | undefined
  /** The history of the database, once it is known. */
  #history: string | undefined
  #isGone = false
  readonly #writer: OutboxWriter
  #isPullWanted = false
  #patience: TimerHandle

  constructor(options: OutboxStoreOptions) {
    const { clock, database, report } = options
    this.#options = options
    this.#tables = new OutboxTables(options.name)
    this.#by = options.makeId()
    this.#database = new GuardedDatabase(database, {
      clock,
      report,
      changed: (isWorking) => this.#noteWorking(isWorking),
      isExpected: isOutboxError,
      closing: this.#closing.signal,
    })
    this.#ownership = new OwnershipWait(
      { database: this.#database, table: this.#tables.owner, clock, leaseMs: options.leaseMs },
      () => this.#writer.wake(),
    )
    this.#standby = new OutboxStandby(this.#database, this.#tables, this.#by)
    this.#writer = new OutboxWriter({
      clock,
      closing: this.#closing.signal,
      hasWork: () => !this.#isGone && (this.#ownership.lease !== undefined || this.#isPullWanted),
      // Memory sends these messages. Once they are stored, another handle would send them too.
      isHeld: () => this.#isGone || this.#role === 'memory',
      write: (batch) => this.#write(batch),
      failed: (error) => this.#noteFailed(error),
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
      // Reads all tables, so that damage in any of them is found before the history counts.
      return this.#database.transact(this.#tables.all, ({ rows: [records], history }) => {
        const [row] = records ?? []
        this.#history ??= history
        const record = row && (parseRow(row) as OutboxRecord)
        return { result: record?.history === history ? record.cursor : undefined }
      })
    })
    return opened.kind === 'value' ? opened.value : undefined
  }

  /** Adds a message. Resolves with whether it survives a crash. */
  async add(message: StoredMessage): Promise<boolean> {
    if (this.#closing.signal.aborted || this.#isGone) return false
    this.#writer.batch.add(message)
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
    for (const message of messages) this.#writer.batch.put(message)
    this.#owner.change({ numbered })
    this.#writer.batch.hasRecord = true
    return this.#written()
  }

  /** Removes a settled message. The handle that accepted it hears the outcome. */
  remove(id: string, outcome: StoredOutcome): Promise<BatchResult> {
    if (this.#role === 'standby') return Promise.resolve('lost')
    if (this.#isGone) return Promise.resolve('memory')
    const isDone = this.#writer.batch.remove(id, outcome)
    if (this.#role === 'memory') this.#leaveMemory()
    return isDone ? Promise.resolve('stored') : this.#written()
  }

  /** Gives the outbox a new `cid`: a copy of it uses the old one. `undefined`: it was lost. */
  async renew(): Promise<OutboxIdentity | undefined> {
    const { makeId } = this.#options
    const owner = this.#owner
    if (this.#role === 'memory' || this.#isGone) return createIdentity(makeId)
    // While the storage does not work, another handle may own the outbox: nobody can tell.
    if (owner === undefined || !this.isDurable) return undefined
    owner.renew(makeId())
    this.#writer.batch.hasRecord = true
    return (await this.#written()) === 'stored' ? owner.identity : undefined
  }

  /** A server has answered for this start. */
  noteAnswered(): void {
    if (this.#owner === undefined || this.#owner.identity.past.length === 0) return
    this.#owner.change({ past: [] })
    this.#writer.batch.hasRecord = true
    this.#writer.wake()
  }

  /** Notes how far the server's messages were applied. Written within a second. */
  setCursor(cursor: CursorPosition): void {
    if (this.#owner === undefined) return
    this.#owner.change({ cursor })
    this.#writer.batch.hasRecord = true
    this.#writer.wakeWithin(CURSOR_MS)
  }

  /** Waits for ownership; `owned` follows. */
  acquire(): void {
    if (this.#isGone || this.#closing.signal.aborted) return
    if (this.#releasing !== undefined) void this.#releasing.then(() => this.acquire())
    else if (this.#owner === undefined) this.#ownership.start()
  }

  /** Passes the outbox on, after what was asked before. */
  release(): void {
    this.#releasing ??= this.#release().finally(() => {
      this.#releasing = undefined
    })
  }

  /** Writes what was asked before, and releases the outbox. Takes no longer than 3 s. */
  async close(): Promise<void> {
    const { clock } = this.#options
    this.#closing.abort()
    this.#stopWatching()
    clock.clearTimeout(this.#patience)
    await withDeadline({ clock, limitMs: PATIENCE_MS }, () => this.#release())
    // Where the storage hangs, the owner ends without being released.
    const owner = this.#owner
    this.#owner = undefined
    owner?.lease.lose()
    this.#writer.clear()
  }

  async #release(): Promise<void> {
    const ended = this.#ownership.end()
    if (this.#writer.batch.isEmpty) await this.#writer.running
    else await this.#written()
    const owner = this.#owner
    this.#owner = undefined
    if (this.#role === 'owner') this.#role = 'standby'
    await ended
    await owner?.lease.release().catch(() => undefined)
  }

  #written(): Promise<BatchResult> {
    if (!this.isDurable) return Promise.resolve('memory')
    return this.#writer.written()
  }

  #pull(): void {
    if (this.#role === 'memory') return
    this.#isPullWanted = true
    this.#writer.wake()
  }

  /** Gives whether the write is to be tried again. */
  #noteFailed(error: unknown): boolean {
    if (error instanceof LostError) {
      // What the owner had to change is the next owner's business.
      this.#writer.batch.leaveAdded()
      this.#lose()
    } else if (error instanceof GoneError) this.#leave()
    else {
      // The next try also shows whether the storage works again.
      this.#pull()
      return true
    }
    return false
  }

  async #write(batch: OutboxBatch): Promise<void> {
    const { events } = this.#options
    this.#isPullWanted = false
    if (this.#owner !== undefined) {
      const added = await this.#owner.write(batch, this.#assertSame)
      if (added.length > 0) events.added(added)
      return
    }
    if (this.#role === 'standby') {
      this.#tellOutcomes(await this.#standby.write(batch, this.#assertStandby))
      batch.answer('stored')
    }
    const { lease } = this.#ownership
    if (lease === undefined) return
    await this.#begin(lease, batch)
    // What was accepted in memory until now.
    if (batch.messages.size > 0) await this.#write(batch)
  }

  async #begin(lease: Lease, batch: OutboxBatch): Promise<void> {
    const { makeId, events } = this.#options
    const options = { database: this.#database, tables: this.#tables, lease, by: this.#by, makeId }
    const { owner, found, outcomes } = await OutboxOwner.open(options, this.#assertSame)
    this.#ownership.take()
    this.#owner = owner
    this.#role = 'owner'
    const told = this.#standby.read(outcomes)
    // A write that failed may have added them all the same, and another owner has settled them.
    for (const { id } of told) batch.messages.delete(id)
    this.#tellOutcomes(told)
    lease.lost.addEventListener('abort', () => this.#lose())
    // What was settled in memory meanwhile is about to be deleted.
    const messages = found.messages.filter(({ id }) => !batch.hasRemoved(id))
    events.owned({ identity: owner.identity, ...found, messages, isUncertain: false })
    events.changed()
  }

  readonly #assertSame = (history: string): void => {
    this.#history ??= history
    if (this.#history !== history) throw new GoneError()
  }

  // A transaction that was held up may begin when its messages are sent from memory already.
  readonly #assertStandby = (history: string): void => {
    this.#assertSame(history)
    if (this.#role !== 'standby') throw new LateError()
  }

  #tellOutcomes(outcomes: readonly OutcomeRecord[]): void {
    for (const { id, outcome } of outcomes) this.#options.events.removed(id, outcome)
  }

  #lose(): void {
    // Another handle has taken over before this one has opened the outbox.
    if (this.#ownership.lease !== undefined) {
      this.#ownership.take()
      this.#ownership.start()
    }
    if (this.#owner === undefined) return
    const { lease } = this.#owner
    this.#owner = undefined
    this.#role = 'standby'
    lease.lose()
    this.#writer.batch.leaveAdded()
    this.#options.events.lost()
  }

  /** The database has lost its data: memory is used from now on. */
  #leave(): void {
    this.#isGone = true
    void this.#ownership.end()
    this.#database.noteGone()
    this.#writer.clear()
    this.#ownInMemory()
    this.#options.events.gone()
    this.#options.events.changed()
  }

  #noteWorking(isWorking: boolean): void {
    const { clock, events } = this.#options
    clock.clearTimeout(this.#patience)
    if (!isWorking) {
      this.#writer.answerWaiters()
      const patienceMs = this.#database.hasOpened ? PATIENCE_MS : 0
      if (this.#role === 'standby') {
        this.#patience = clock.setTimeout(() => this.#ownInMemory(), patienceMs)
      }
    } else if (this.#role === 'memory') this.#leaveMemory()
    events.changed()
  }

  #ownInMemory(): void {
    if (this.#role !== 'standby') return
    this.#role = 'memory'
    this.#isPullWanted = false
    const identity = createIdentity(this.#options.makeId)
    const isUncertain = this.#standby.isCommitting
    this.#options.events.owned({ identity, messages: [], isRenewed: false, isUncertain })
  }

  /** Goes back to the stored outbox, once it works and memory has sent everything. */
  #leaveMemory(): void {
    const isDone = !this.#writer.batch.hasAdded && !this.#writer.isWriting
    if (!isDone || !this.#database.isWorking || this.#isGone) return
    this.#role = 'standby'
    this.#options.events.lost()
    this.#pull()
  }
}
