import type { Read, Row, Write } from './database.js'

/**
 * Who owns what the rows describe. `asked` and `answered` count: an owner that is alive makes
 * `answered` follow. So only standbys cause writes, and no clock is compared with another's.
 */
export interface OwnerRow {
  /** The fencing token: each owner has a larger one than all before it. */
  readonly fence: number
  /**
   * A random text. It tells owners apart also when the database was deleted, and fences start
   * again. Absent: nobody is the owner.
   */
  readonly holder?: string
  /** Whether the owner has held the lock of its name since before it became the owner. */
  readonly hasLock: boolean
  readonly asked: number
  readonly answered: number
}

const KEY = 'owner'

/** What stands for a row that is not there. */
export const nobody: OwnerRow = { fence: 0, hasLock: false, asked: 0, answered: 0 }

export function readOwner(table: string): Read {
  return { table, key: KEY }
}

export function parseOwner(rows: readonly Row[] | undefined): OwnerRow {
  const [row] = rows ?? []
  return row === undefined ? nobody : (JSON.parse(row.value) as OwnerRow)
}

export function writeOwner(table: string, owner: OwnerRow): Write {
  return { table, key: KEY, value: JSON.stringify(owner) }
}
