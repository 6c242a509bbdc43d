import { type Database, numberKey, type Row } from '../../database/database.js'
import type { OutboxBatch } from './outbox-batch.js'
import {
  type MessageRecord,
  type OutboxTables,
  type OutcomeRecord,
  parseRow,
} from './outbox-rows.js'

/** The side of a stored outbox that a handle has while another one owns it. */
export class OutboxStandby {
  readonly #database: Database
  readonly #tables: OutboxTables
  readonly #by: string
  /** The key of the last outcome that was read. */
  #lastOutcome = ''
  #isCommitting = false

  /** `by` is the handle's id. */
  constructor(database: Database, tables: OutboxTables, by: string) {
    this.#database = database
    this.#tables = tables
    this.#by = by
  }

  /** Whether messages are being committed: nobody knows yet whether they are stored. */
  get isCommitting(): boolean {
    return this.#isCommitting
  }

  /** Puts the added messages of a batch into the inbox. Gives the outcomes for this handle. */
  async write(
    batch: OutboxBatch,
    assertSame: (history: string) => void,
  ): Promise<readonly OutcomeRecord[]> {
    const { inbox, inboxNumber, outcomes } = this.#tables
    const reads = [inboxNumber, { table: outcomes, after: this.#lastOutcome }]
    const made = this.#database.transact(reads, ({ rows: [counter, told = []], history }) => {
      assertSame(history)
      // A try that failed may have added a message, and the owner may have settled it.
      const settled = new Set(told.map((row) => (parseRow(row) as OutcomeRecord).id))
      const values = [...batch.messages.values()].flatMap(({ message }) =>
        message === undefined || settled.has(message.id)
          ? []
          : [JSON.stringify({ by: this.#by, message } satisfies MessageRecord)],
      )
      const before = Number(counter?.[0]?.value ?? 0)
      const added = values.map((value, at) => {
        return { table: inbox, key: numberKey(before + at + 1), value }
      })
      this.#isCommitting = values.length > 0
      const counted = { ...inboxNumber, value: String(before + values.length) }
      return { writes: values.length > 0 ? [...added, counted] : [], result: told }
    })
    const rows = await made.finally(() => {
      this.#isCommitting = false
    })
    batch.messages.clear()
    return this.read(rows)
  }

  /** Reads all outcomes. Gives those for this handle that it has not read before. */
  read(outcomes: readonly Row[]): readonly OutcomeRecord[] {
    const fresh = outcomes.filter(({ key }) => key > this.#lastOutcome)
    this.#lastOutcome = fresh.at(-1)?.key ?? this.#lastOutcome
    return fresh.map((row) => parseRow(row) as OutcomeRecord).filter(({ by }) => by === this.#by)
  }
}
