import { isRecord, parseJson } from '../../base/values.js'
import { COLUMNS, DIGESTS, isWhole, ROOT, type StoredRow } from './checked-rows.js'
import type { SqliteConnection, SqliteStatement } from './connection.js'

/** Where to begin to read. */
type Place = Pick<StoredRow, 'name' | 'key'>

const LARGEST = '\u{10ffff}'

/** What can still be read of a damaged database. */
export class Salvage {
  readonly #rows = new Map<string, StoredRow>()
  /** The tables of which something was read, a digest at least. */
  readonly #tables = new Set<string>()
  /** The largest count of commits that was seen. */
  commits = 0

  /** The rows that are whole, without digests and root. */
  get rows(): Iterable<StoredRow> {
    return this.#rows.values()
  }

  /**
   * Reads everything from both ends, and then each table, since a page that cannot be read ends
   * the way from one end.
   */
  read(connection: SqliteConnection): void {
    const [ascending, descending] = [
      ['>', 'ASC'],
      ['<', 'DESC'],
    ].map(([comparison, order]) =>
      connection.prepare(
        `${COLUMNS} WHERE (name, key) ${comparison} (?, ?) ORDER BY name ${order}, key ${order} LIMIT 1`,
      ),
    ) as [SqliteStatement, SqliteStatement]
    this.#follow(ascending, { name: DIGESTS, key: ROOT })
    this.#follow(descending, { name: LARGEST, key: LARGEST })
    for (const name of this.#tables) {
      this.#follow(ascending, { name, key: '' }, name)
      this.#follow(descending, { name, key: LARGEST }, name)
    }
  }

  /** Reads row by row, to the end of a table if one is named. */
  #follow(next: SqliteStatement, start: Place, table?: string): void {
    const seen = new Set<string>()
    let last = start
    try {
      // Pages that point at each other in a circle give rows again.
      while (!seen.has(id(last))) {
        seen.add(id(last))
        const row = next.get(last.name, last.key) as StoredRow | undefined
        if (row === undefined) return
        if (table !== undefined && row.name !== table) return
        if (isWhole(row)) this.#keep(row)
        last = row
      }
    } catch {
      // Here begins what cannot be read.
    }
  }

  #keep(row: StoredRow): void {
    if (row.name !== DIGESTS) {
      this.#rows.set(id(row), row)
      this.#tables.add(row.name)
    } else if (row.key !== ROOT) this.#tables.add(row.key)
    else {
      const root = parseJson(row.value)
      if (isRecord(root)) this.commits = Math.max(this.commits, Number(root['commits']))
    }
  }
}

function id({ name, key }: Place): string {
  return `${name}\0${key}`
}
