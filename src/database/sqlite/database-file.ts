import { crc32 } from 'node:zlib'
import {
  chmodSync,
  constants,
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  openSync,
  closeSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { createUuid } from '../../base/uuid.js'
import { numberKey } from '../database.js'

/** The file of a database: who may read it, and whether another file has taken its place. */
export class DatabaseFile {
  readonly path: string
  readonly #inode: string

  /**
   * Makes sure that there is a file that only its owner can read. SQLite gives the files that it
   * adds the same mode.
   *
   * The file is never opened here: when a process closes a file, it loses the locks that SQLite
   * has on it.
   */
  constructor(path: string) {
    this.path = path
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    const found = statSync(path, { throwIfNoEntry: false })
    if (found === undefined) createPrivateFile(path)
    // With this mode nobody could enter a folder. SQLite refuses to open one.
    else if (found.isFile()) chmodSync(path, 0o600)
    this.#inode = inodeOf(path)
  }

  /** Whether the path leads to another file by now: another process put the damaged one aside. */
  get isReplaced(): boolean {
    return inodeOf(this.path) !== this.#inode
  }

  /** Whether this library has ever written to it: no other file is ever replaced. */
  get isOurs(): boolean {
    return (statSync(`${this.path}-commits`, { throwIfNoEntry: false })?.size ?? 0) > 0
  }

  /** A repair was interrupted after its new database was complete. */
  get hasSuccessor(): boolean {
    return existsSync(successorOf(this.path))
  }
}

/** Creates an empty file that only its owner can read, unless there is one. */
export function createPrivateFile(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600))
  } catch (error) {
    if (!existsSync(path)) throw error
  }
}

/** The name under which a complete new database waits to take the place of a damaged one. */
export function successorOf(path: string): string {
  return `${path}-new`
}

/** A free name for what is damaged. */
export function damagedName(path: string): string {
  return `${path}.damaged-${createUuid().slice(0, 8)}`
}

/**
 * Puts the successor in the place of a database, which is kept under another name. When a crash
 * interrupts it, it is called again. The old log is removed before the old database, so that SQLite
 * never applies that log to the successor.
 */
export function succeed(path: string): void {
  const aside = damagedName(path)
  for (const end of ['', '-wal']) keep(`${path}${end}`, `${aside}${end}`)
  for (const end of ['-wal', '-shm']) rmSync(`${path}${end}`, { force: true })
  renameSync(successorOf(path), path)
}

function keep(file: string, name: string): void {
  if (!existsSync(file)) return
  try {
    linkSync(file, name)
  } catch {
    // Some file systems have no links.
    copyFileSync(file, name)
  }
}

function inodeOf(path: string): string {
  const found = statSync(path, { throwIfNoEntry: false, bigint: true })
  return found === undefined ? 'none' : `${found.dev} ${found.ino}`
}

const COUNT_BYTES = 27

/**
 * The count of commits beside a database. It is written after each commit, so if it is larger than
 * the count in the database, the database has lost commits.
 */
export class CommitCount {
  readonly #descriptor: number

  constructor(database: string) {
    const { O_RDWR, O_CREAT } = constants
    this.#descriptor = openSync(`${database}-commits`, O_RDWR | O_CREAT, 0o600)
  }

  /** The count, 0 if there is none or it is damaged. */
  read(): number {
    const bytes = new Uint8Array(COUNT_BYTES)
    readSync(this.#descriptor, bytes, 0, COUNT_BYTES, 0)
    const text = String.fromCharCode(...bytes)
    const count = Number(text.slice(0, 16))
    return text === format(count) ? count : 0
  }

  write(count: number): void {
    try {
      writeSync(this.#descriptor, format(count), 0)
    } catch {
      // The commit is done. A disk that is full only makes a loss harder to notice.
    }
  }

  close(): void {
    closeSync(this.#descriptor)
  }
}

function format(count: number): string {
  const digits = numberKey(count)
  return `${digits} ${crc32(digits).toString().padStart(10, '0')}`
}
