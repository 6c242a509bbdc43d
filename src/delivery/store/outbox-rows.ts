import { numberKey, type Read, type Row, type Write } from '../../database/database.js'
import type { CursorPosition } from '../cursor.js'
import type { OutboxIdentity } from './identity.js'
import type { StoredMessage, StoredOutcome } from './stored-message.js'

/**
 * The tables of one outbox. Only its owner writes messages, outcomes and the record. Standbys put
 * their messages into the inbox, from where the owner moves them.
 */
export class OutboxTables {
  readonly owner: string
  readonly record: Read
  readonly messages: string
  readonly inbox: string
  /** The number of the last message that was put into the inbox. */
  readonly inboxNumber: { readonly table: string; readonly key: string }
  readonly outcomes: string

  constructor(name: string) {
    const prefix = `outbox/${name}`
    this.owner = `${prefix}/owner`
    this.record = { table: `${prefix}/record`, key: 'record' }
    this.messages = `${prefix}/messages`
    this.inbox = `${prefix}/inbox`
    this.inboxNumber = { table: `${prefix}/inbox-number`, key: 'last' }
    this.outcomes = `${prefix}/outcomes`
  }

  /** All of them, the record first. */
  get all(): readonly Read[] {
    const others = [this.owner, this.messages, this.inbox, this.inboxNumber.table, this.outcomes]
    return [this.record, ...others.map((table) => ({ table }))]
  }

  writeRecord(record: OutboxRecord): Write {
    return { table: this.record.table, key: 'record', value: JSON.stringify(record) }
  }
}

/** What is stored of an outbox beside its messages. */
export interface OutboxRecord extends Omit<OutboxIdentity, 'fence'> {
  /** The history of the database that it was written in. */
  readonly history: string
  /** The fence of the owner that made the `cid`: servers count from there. */
  readonly firstFence: number
  /** The last numbered message of the server that was applied. */
  readonly cursor?: CursorPosition | undefined
}

/** A message, and the handle that accepted it. */
export interface MessageRecord {
  readonly by: string
  readonly message: StoredMessage
}

/** The outcome of a message, for the handle that accepted it. */
export interface OutcomeRecord {
  readonly by: string
  readonly id: string
  readonly outcome: StoredOutcome
}

/** The value of a row: the caller knows the table, and so the type. */
export function parseRow(row: Row): OutboxRecord | MessageRecord | OutcomeRecord {
  return JSON.parse(row.value) as OutboxRecord | MessageRecord | OutcomeRecord
}

/** A key that sorts by two numbers. */
export function pairKey(first: number, second: number): string {
  return `${numberKey(first)}/${numberKey(second)}`
}
