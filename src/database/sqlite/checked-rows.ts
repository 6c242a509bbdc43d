import { crc32 } from 'node:zlib'
import { createUuid } from '../../base/uuid.js'
import type { Row } from '../database.js'
import type { SqliteConnection, SqliteStatement } from './connection.js'

/** What SQLite did not notice: a row that changed or vanished. */
export class DamageError extends Error {
  constructor() {
    super('the database is damaged')
  }
}

/** How many rows a table has, and the sum of their checksums. */
interface Digest {
  readonly count: number
  readonly sum: number
}

/** The row from which everything else is checked; its digest is that of all digests. */
interface Root extends Digest {
  readonly history: string
  /** How many transactions have written. */
  readonly commits: number
}

/** A row as SQLite has it: table and key are escaped. */
export interface StoredRow {
  readonly name: string
  readonly key: string
  readonly value: string
  /** A connection that was handed in may give big integers. */
  readonly crc: number | bigint
}

// The table without a name has the digest of each other table, and the root under the empty key.
export const DIGESTS = ''
export const ROOT = ''
const EMPTY: Digest = { count: 0, sum: 0 }
const SCHEMA =
  'CREATE TABLE statewire (name TEXT, key TEXT, value TEXT, crc INTEGER, PRIMARY KEY (name, key)) WITHOUT ROWID'
export const COLUMNS = 'SELECT name, key, value, crc FROM statewire'

/** Makes the table of a new database. */
export function createRows(connection: SqliteConnection): CheckedRows {
  connection.exec(SCHEMA)
  return new CheckedRows(connection)
}

/**
 * The rows of a database, with the checksums that SQLite lacks: each row has one, each table has a
 * digest of its rows, and the root has a digest of the digests. So each row that changed or
 * vanished is noticed. All of it is written within the transaction of the caller.
 */
export class CheckedRows {
  readonly #get: SqliteStatement
  readonly #after: SqliteStatement
  readonly #insert: SqliteStatement
  readonly #delete: SqliteStatement
  /** The tables that were found whole. */
  readonly #verified = new Set<string>()
  /** The digests that the transaction has changed. */
  readonly #changed = new Map<string, Digest>()
  #root: Root = { ...EMPTY, history: createUuid(), commits: 0 }

  /** Throws {@link DamageError} unless the database has exactly the table of {@link createRows}. */
  constructor(connection: SqliteConnection) {
    const schema = connection
      .prepare("SELECT sql FROM sqlite_schema WHERE name = 'statewire'")
      .get() as { readonly sql: unknown } | undefined
    if (schema?.sql !== SCHEMA) throw new DamageError()
    this.#get = connection.prepare(`${COLUMNS} WHERE name = ? AND key = ?`)
    this.#after = connection.prepare(`${COLUMNS} WHERE name = ? AND key > ? ORDER BY key`)
    this.#insert = connection.prepare('INSERT OR REPLACE INTO statewire VALUES (?, ?, ?, ?)')
    this.#delete = connection.prepare('DELETE FROM statewire WHERE name = ? AND key = ?')
  }

  get history(): string {
    return this.#root.history
  }

  get commits(): number {
    return this.#root.commits
  }

  /** Reads the root of an existing database: the first step of each transaction. */
  load(): void {
    // A transaction that was not committed may have left some.
    this.#changed.clear()
    const row = this.#find(DIGESTS, ROOT)
    if (row === undefined) throw new DamageError()
    this.#root = JSON.parse(row.value) as Root
    this.#verify(DIGESTS)
  }

  get(table: string, key: string): Row | undefined {
    const name = escapeName(table)
    this.#verify(name)
    return this.#find(name, escapeName(key))
  }

  after(table: string, key: string): readonly Row[] {
    const name = escapeName(table)
    this.#verify(name)
    return this.#scan(name, escapeName(key)).map(decode)
  }

  put(table: string, key: string, value: string | undefined): void {
    this.#put(escapeName(table), escapeName(key), value)
  }

  /** Counts a commit and writes the digests: the last step of each transaction that writes. */
  finish({ history = this.history, commits = this.commits + 1 } = {}): void {
    for (const [table, { count, sum }] of [...this.#changed]) {
      const digest = count === 0 ? undefined : JSON.stringify({ count, sum })
      this.#put(DIGESTS, table, digest)
    }
    this.#root = { ...this.#digest(DIGESTS), history, commits }
    const { value, crc } = encode(DIGESTS, ROOT, JSON.stringify(this.#root))
    this.#insert.run(DIGESTS, ROOT, value, Number(crc))
  }

  /** Replaces everything by rows that were found whole. */
  replace(rows: Iterable<StoredRow>, commits: number): void {
    this.#changed.clear()
    this.#root = { ...EMPTY, history: createUuid(), commits }
    for (const row of rows) {
      this.#insert.run(row.name, row.key, row.value, Number(row.crc))
      this.#changed.set(row.name, add(this.#changed.get(row.name) ?? EMPTY, row))
    }
    this.#verified.clear()
    this.#verified.add(DIGESTS)
    this.finish({ commits })
  }

  /** Checks every table. */
  verifyAll(): void {
    this.#verified.clear()
    this.load()
    for (const { key } of this.#scan(DIGESTS, ROOT)) this.#verify(key)
  }

  #put(table: string, key: string, value: string | undefined): void {
    this.#verify(table)
    const { count, sum } = this.#digest(table)
    const old = this.#get.get(table, key) as StoredRow | undefined
    const without = old === undefined ? { count, sum } : subtract({ count, sum }, old)
    if (value === undefined) {
      if (old !== undefined) this.#delete.run(table, key)
      this.#changed.set(table, without)
    } else {
      const row = encode(table, key, value)
      this.#insert.run(table, key, row.value, Number(row.crc))
      this.#changed.set(table, add(without, row))
    }
  }

  #verify(table: string): void {
    if (this.#verified.has(table)) return
    const found = this.#scan(table, '').reduce(add, EMPTY)
    const { count, sum } = this.#digest(table)
    if (found.count !== count || found.sum !== sum) throw new DamageError()
    this.#verified.add(table)
  }

  #digest(table: string): Digest {
    const changed = this.#changed.get(table)
    if (changed !== undefined) return changed
    if (table === DIGESTS) return this.#root
    const row = this.#find(DIGESTS, table)
    return row === undefined ? EMPTY : (JSON.parse(row.value) as Digest)
  }

  #find(table: string, key: string): Row | undefined {
    const row = this.#get.get(table, key) as StoredRow | undefined
    if (row === undefined) return undefined
    if (!isWhole(row)) throw new DamageError()
    return decode(row)
  }

  #scan(table: string, after: string): StoredRow[] {
    const rows = this.#after.all(table, after) as StoredRow[]
    if (!rows.every(isWhole)) throw new DamageError()
    return rows
  }
}

/** Whether a row is as it was written. */
export function isWhole({ name, key, value, crc }: StoredRow): boolean {
  const isText = [name, key, value].every((text: unknown) => typeof text === 'string')
  return isText && checksum(name, key, value) === Number(crc)
}

function checksum(name: string, key: string, value: string): number {
  return crc32(`${name}\0${key}\0${value}`)
}

function add({ count, sum }: Digest, { crc }: StoredRow): Digest {
  return { count: count + 1, sum: (sum + Number(crc)) % 2 ** 32 }
}

function subtract({ count, sum }: Digest, { crc }: StoredRow): Digest {
  return { count: count - 1, sum: (sum - Number(crc) + 2 ** 32) % 2 ** 32 }
}

// Some libraries cut a text at U+0000, and UTF-8 has no lone surrogates. JSON escapes both.
function encode(name: string, key: string, value: string): StoredRow {
  const isPlain = !value.startsWith('"') && !/[\0\p{Surrogate}]/u.test(value)
  const text = isPlain ? value : JSON.stringify(value)
  return { name, key, value: text, crc: checksum(name, key, text) }
}

function decode({ key, value }: StoredRow): Row {
  return {
    key: unescapeName(key),
    value: value.startsWith('"') ? (JSON.parse(value) as string) : value,
  }
}

const BEFORE_SPACE = '\t'
const AFTER_OTHERS = '\ue000'

/**
 * Escapes a table or a key. What is escaped sorts in SQLite as the names do in JavaScript: each
 * code unit below the space becomes a tab and its hex digits, and each one from the surrogates on
 * becomes U+E000 and its hex digits.
 */
function escapeName(name: string): string {
  return name.replace(/[^ -\ud7ff]/g, (unit) => {
    const digits = unit.charCodeAt(0).toString(16).padStart(4, '0')
    return (unit < ' ' ? BEFORE_SPACE : AFTER_OTHERS) + digits
  })
}

function unescapeName(name: string): string {
  return name.replace(/[\t\ue000](.{4})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 16)),
  )
}
