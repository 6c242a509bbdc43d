import type { Database, Row, Write } from '../../database/database.js'
import { type Lease, LostError } from '../../database/lease.js'
import type { OutboxBatch } from './outbox-batch.js'
import {
  type MessageRecord,
  type OutboxRecord,
  type OutboxTables,
  type OutcomeRecord,
  pairKey,
  parseRow,
} from './outbox-rows.js'
import type { OutboxIdentity } from './identity.js'
import type { StoredMessage } from './stored-message.js'

/** What a transaction throws if the database has another history by now: its rows may be lost. */
export class GoneError extends Error {
  constructor() {
    super('the database has lost its data')
  }
}

/** What the transaction of a standby throws that begins when memory sends its messages already. */
export class LateError extends Error {}

/** Whether an error says something about the outbox, and nothing about the database. */
export function isOutboxError(error: unknown): boolean {
  return [LostError, GoneError, LateError].some((expected) => error instanceof expected)
}

/** What a new owner finds. */
export interface FoundOutbox {
  readonly messages: readonly StoredMessage[]
  /** The outbox has a new `cid`, since rows may be lost. The messages lose their numbers. */
  readonly isRenewed: boolean
}

/** How a handle opens the outbox that it owns. */
export interface OwnerOptions {
  readonly database: Database
  readonly tables: OutboxTables
  readonly lease: Lease
  /** The handle's id. */
  readonly by: string
  readonly makeId: () => string
}

/** Where a message is stored, and which handle accepted it. */
interface MessagePlace {
  readonly key: string
  readonly by: string
}

// A handle that sleeps while more outcomes are written does not learn those before them.
const OUTCOMES_KEPT = 1_000
const LONGEST_PAST = 32

/** The owner's side of a stored outbox. Each method makes one transaction, and rejects with a `LostError` after a takeover. */
export class OutboxOwner {
  readonly #options: OwnerOptions
  readonly #places = new Map<string, MessagePlace>()
  #record: OutboxRecord
  #outcomeKeys: string[]
  #lastKey = 0
  /** What is being moved out of the inbox: a transaction may be tried again. */
  readonly #moving = new Set<string>()

  private constructor(options: OwnerOptions, record: OutboxRecord, outcomes: readonly Row[]) {
    this.#options = options
    this.#record = record
    this.#outcomeKeys = outcomes.map(({ key }) => key)
  }

  get lease(): Lease {
    return this.#options.lease
  }

  get identity(): OutboxIdentity {
    const { cid, start, past, numbered, firstFence } = this.#record
    return { cid, start, past, numbered, fence: this.lease.fence - firstFence + 1 }
  }

  /** Begins a start of the outbox: notes its token, and moves the inbox behind the messages. */
  static async open(
    options: OwnerOptions,
    assertSame: (history: string) => void,
  ): Promise<{ owner: OutboxOwner; found: FoundOutbox; outcomes: readonly Row[] }> {
    const { database, tables, lease, makeId } = options
    const [start, newCid] = [makeId(), makeId()]
    const reads = [
      lease.read,
      tables.record,
      ...[tables.messages, tables.inbox, tables.outcomes].map((table) => ({ table })),
    ]
    const opened = await database.transact(reads, ({ rows, history }) => {
      assertSame(history)
      const [held, [recordRow] = [], messages = [], inbox = [], outcomes = []] = rows
      const before = recordRow && (parseRow(recordRow) as OutboxRecord)
      const isWhole = before?.history === history
      const record: OutboxRecord = isWhole
        ? { ...before, start, past: pastOf(before) }
        : { history, cid: newCid, numbered: 0, start, past: [], firstFence: lease.fence }
      const owner = new OutboxOwner(options, record, outcomes)
      for (const row of messages) owner.#note(row.key, parseRow(row) as MessageRecord)
      const moved = owner.#moveInbox(inbox)
      const pruned = owner.#pruneOutcomes()
      const writes = [...lease.keep(held), tables.writeRecord(record), ...moved.writes, ...pruned]
      const stored = messages.map((row) => parseRow(row) as MessageRecord)
      const found = {
        messages: [...stored, ...moved.records].map(({ message }) => message),
        isRenewed: before !== undefined && !isWhole,
      }
      return { writes, result: { owner, found, outcomes } }
    })
    opened.owner.#moving.clear()
    return opened
  }

  /** Writes a batch. Gives the messages that other handles have added. */
  async write(
    batch: OutboxBatch,
    assertSame: (history: string) => void,
  ): Promise<readonly StoredMessage[]> {
    const { database, tables, lease, by } = this.#options
    for (const [id, { message }] of batch.messages) {
      if (message !== undefined && !this.#places.has(id)) this.#place(id, by)
    }
    const own = this.#writesOf(batch)
    const arrived = await database.transact(
      [lease.read, { table: tables.inbox }],
      ({ rows: [held, inbox = []], history }) => {
        assertSame(history)
        const moved = this.#moveInbox(inbox)
        return { writes: [...lease.keep(held), ...own, ...moved.writes], result: moved.records }
      },
    )
    this.#moving.clear()
    for (const [id, { message }] of batch.messages)
      if (message === undefined) this.#places.delete(id)
    return arrived.filter((record) => record.by !== by).map(({ message }) => message)
  }

  /** Begins a new `cid`; the next batch writes it. */
  renew(cid: string): void {
    this.#record = { ...this.#record, cid, numbered: 0, past: [], firstFence: this.lease.fence }
  }

  /** Changes the record; the next batch writes it. */
  change(changes: Partial<Pick<OutboxRecord, 'numbered' | 'past' | 'cursor'>>): void {
    this.#record = { ...this.#record, ...changes }
  }

  #writesOf({ messages, hasRecord }: OutboxBatch): Write[] {
    const { tables, by } = this.#options
    const writes: Write[] = hasRecord ? [tables.writeRecord(this.#record)] : []
    for (const [id, { message, outcome }] of messages) {
      const place = this.#places.get(id)
      if (place === undefined) continue
      const value = message && JSON.stringify({ by: place.by, message } satisfies MessageRecord)
      writes.push({ table: tables.messages, key: place.key, value })
      if (outcome === undefined || place.by === by) continue
      const told: OutcomeRecord = { by: place.by, id, outcome }
      const key = this.#nextKey()
      this.#outcomeKeys.push(key)
      writes.push({ table: tables.outcomes, key, value: JSON.stringify(told) })
    }
    return [...writes, ...this.#pruneOutcomes()]
  }

  /** Moves what standbys have added behind the messages. Gives what was not known yet. */
  #moveInbox(inbox: readonly Row[]): { writes: Write[]; records: MessageRecord[] } {
    const { tables } = this.#options
    const writes: Write[] = []
    const records = new Map<string, MessageRecord>()
    for (const row of inbox) {
      const record = parseRow(row) as MessageRecord
      const { id } = record.message
      writes.push({ table: tables.inbox, key: row.key, value: undefined })
      // A standby that was told of a failure may have added a message twice.
      if (this.#places.has(id) && !this.#moving.has(id)) continue
      const { key } = this.#places.get(id) ?? this.#place(id, record.by)
      this.#moving.add(id)
      records.set(id, record)
      writes.push({ table: tables.messages, key, value: JSON.stringify(record) })
    }
    return { writes, records: [...records.values()] }
  }

  #pruneOutcomes(): Write[] {
    const { tables } = this.#options
    const excess = Math.max(0, this.#outcomeKeys.length - OUTCOMES_KEPT)
    return this.#outcomeKeys
      .splice(0, excess)
      .map((key) => ({ table: tables.outcomes, key, value: undefined }))
  }

  #note(key: string, { by, message }: MessageRecord): void {
    this.#places.set(message.id, { key, by })
  }

  #place(id: string, by: string): MessagePlace {
    const place = { key: this.#nextKey(), by }
    this.#places.set(id, place)
    return place
  }

  // A later owner has a larger fence, so keys sort in the order in which they were made.
  #nextKey(): string {
    this.#lastKey += 1
    return pairKey(this.lease.fence, this.#lastKey)
  }
}

/** The earlier starts that a server may know as the latest, for a new owner. */
function pastOf({ start, past }: OutboxRecord): readonly string[] {
  const all = [start, ...past]
  // The last one is the start that a server has heard of for sure.
  return all.length <= LONGEST_PAST ? all : [...all.slice(0, LONGEST_PAST - 1), ...all.slice(-1)]
}
