import { randomUUID } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { type Clock, createSystemClock } from '../../base/clock.js'
import { SyncError } from '../../base/errors.js'
import { type Journal, openJournal } from '../../storage/node-journal.js'
import type { DeliveryLog, LogChange } from '../log/delivery-log.js'
import { applyChange, createUserLog, writeUserLog } from '../log/user-log.js'
import { holdFolder } from './folder-lock.js'
import { type NumberedChange, openUserFiles } from './user-files.js'

/** Options of {@link openFileLog}. */
export interface FileLogOptions {
  /** Where the files are; made, for its owner only, where it is missing. */
  readonly directory: string
  /**
   * How much is written into the one file that all users share before it is sorted into theirs, in
   * bytes: so much is in memory, too. Default 16 MiB.
   */
  readonly maxJournalBytes?: number
  /** How long to wait for another process that has the folder open, in milliseconds. Default 0. */
  readonly lockTimeoutMs?: number
  readonly clock?: Clock
  /** Gives the epoch of a user of whom nothing is known. Default: a UUID. */
  readonly makeEpoch?: () => string
}

/** A log in files. */
export interface FileLog extends DeliveryLog {
  open(userId: string): ReturnType<DeliveryLog['open']>
  commit(userId: string, change: LogChange): Promise<void>
  /** Waits for what is being written, and lets the folder go. To be called after the server's. */
  end(): Promise<void>
}

/** A change as the shared journal has it. */
interface JournalledChange extends NumberedChange {
  readonly userId: string
}

/** Changes by user that are in a shared journal and in no user's file yet. */
type Unsorted = Map<string, NumberedChange[]>

/**
 * Opens a log that survives `kill -9` and power loss: what was acknowledged is there.
 *
 * All changes, of all users, go into one file, where those that come at once share one write. When
 * it has grown, they are sorted into a file per user, while a second file takes what comes
 * meanwhile. One process at a time has a folder open.
 *
 * Rejects with SyncError `option-invalid` where an option makes no sense or another process has the
 * folder open, and with the system's error where it cannot be used.
 */
export async function openFileLog(options: FileLogOptions): Promise<FileLog> {
  const { clock = createSystemClock(), makeEpoch = randomUUID, lockTimeoutMs = 0 } = options
  const { maxJournalBytes = 2 ** 24 } = options
  if (typeof options.directory !== 'string' || options.directory === '') {
    throw new SyncError('option-invalid', 'directory must be a path')
  }
  if (!(maxJournalBytes > 0)) {
    throw new SyncError('option-invalid', 'maxJournalBytes must be a number above 0')
  }
  const directory = resolve(options.directory)
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const hold = await holdFolder({ directory, clock, timeoutMs: lockTimeoutMs })
  try {
    const files = await openUserFiles(join(directory, 'users'))
    let current = await openJournal({ file: join(directory, 'journal-a') })
    let other = await openJournal({ file: join(directory, 'journal-b') })
    let unsorted: Unsorted = new Map()
    let beingSorted: Unsorted = new Map()
    const numbers = new Map<string, number>()
    const writes = new Set<Promise<void>>()
    let sorting: Promise<void> | undefined

    // Of a crash in the middle both may hold something; the numbers tell what the files have.
    for (const record of [...current.records, ...other.records]) {
      const { userId, ...change } = JSON.parse(record) as JournalledChange
      note(beingSorted, userId, change)
    }
    for (const changes of beingSorted.values()) changes.sort((a, b) => a.number - b.number)
    await sort(beingSorted, [current, other])
    beingSorted = new Map()

    async function write(userId: string, change: NumberedChange): Promise<void> {
      // Another may be the current one by the time that it is written.
      const into = unsorted
      await current.append([JSON.stringify({ userId, ...change })])
      numbers.set(userId, change.number)
      note(into, userId, change)
    }

    async function sort(changes: Unsorted, journals: readonly Journal[]): Promise<void> {
      for (const [userId, ofUser] of changes) await files.add(userId, ofUser)
      await files.sync()
      for (const journal of journals) if (journal.bytes > 0) await journal.rewrite([])
    }

    // A failure shows in nothing but the journals' size: both are read when the log is opened
    // again, and the next commit tries once more.
    async function sortInTurn(): Promise<void> {
      try {
        if (beingSorted.size === 0) {
          const onTheirWay = [...writes]
          beingSorted = unsorted
          unsorted = new Map()
          const full = current
          current = other
          other = full
          // What was being written into the one that is full belongs to it.
          await Promise.allSettled(onTheirWay)
        }
        await sort(beingSorted, [other])
        beingSorted = new Map()
      } catch {
        // What is in the journals is safe there.
      } finally {
        sorting = undefined
      }
    }

    return {
      async open(userId) {
        // Taken before the file is read: what is sorted meanwhile is in these all the same.
        const notInFile = [beingSorted, unsorted]
        let { log, number } = await files.read(userId)
        for (const changes of notInFile) {
          for (const { change, number: next } of changes.get(userId) ?? []) {
            if (next <= number) continue
            log ??= createUserLog(change.epoch)
            applyChange(log, change)
            number = next
          }
        }
        numbers.set(userId, number)
        return writeUserLog(log ?? createUserLog(makeEpoch()))
      },
      async commit(userId, change) {
        if (!(await hold.isHeld())) throw new Error('another process has taken the folder over')
        const last = numbers.get(userId)
        if (last === undefined) throw new Error('the user is not open')
        const written = write(userId, { number: last + 1, change })
        writes.add(written)
        try {
          await written
        } finally {
          writes.delete(written)
        }
        if (current.bytes > maxJournalBytes) sorting ??= sortInTurn()
      },
      close(userId) {
        numbers.delete(userId)
      },
      async end() {
        await sorting
        await current.close()
        await other.close()
        await hold.release()
      },
    }
  } catch (error) {
    await hold.release()
    throw error
  }
}

function note(changes: Unsorted, userId: string, change: NumberedChange): void {
  const known = changes.get(userId)
  if (known === undefined) changes.set(userId, [change])
  else known.push(change)
}
