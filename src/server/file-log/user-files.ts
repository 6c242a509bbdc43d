import { createHash } from 'node:crypto'
import { mkdir, open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ifThere, replaceFile, syncFolder } from '../../storage/node-files.js'
import { decodeRecords, encodeRecords } from '../../storage/node-journal.js'
import type { LogChange } from '../log/delivery-log.js'
import { applyChange, createUserLog, toChange, type UserLogState } from '../log/user-log.js'

/** A change with its number among the changes of its user, from 1. */
export interface NumberedChange {
  readonly number: number
  readonly change: LogChange
}

/** What a user's file says. */
export interface UserFile {
  /** The user's log; `undefined` where nothing was ever written. */
  readonly log: UserLogState | undefined
  /** The number of the last change in it; 0: none. */
  readonly number: number
}

/** The files of a log, one per user: changes, one after the other. */
export interface UserFiles {
  read(userId: string): Promise<UserFile>
  /** Adds changes; those that the file has already are left out. Survives a crash after `sync`. */
  add(userId: string, changes: readonly NumberedChange[]): Promise<void>
  /** Has the names of new files survive a crash, too. */
  sync(): Promise<void>
}

/** A file is written anew once it is so much larger than what it says, and by this many bytes. */
const MOST_WASTE = 2
const SMALL_BYTES = 2 ** 20

/** Opens the files in a folder. */
export async function openUserFiles(folder: string): Promise<UserFiles> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  // How large each file was when it was last written anew. Forgotten by a restart, which costs one
  // rewrite more.
  const bases = new Map<string, number>()

  // Ids are the users' text, and no names for files.
  function pathOf(userId: string): string {
    return join(folder, createHash('sha256').update(userId).digest('hex'))
  }

  async function load(userId: string): Promise<UserFile & { readonly bytes: number }> {
    const read = decodeRecords((await ifThere(readFile(pathOf(userId)))) ?? Buffer.alloc(0))
    let log: UserLogState | undefined
    let number = 0
    for (const record of read.records) {
      const one = JSON.parse(record) as NumberedChange
      log ??= createUserLog(one.change.epoch)
      applyChange(log, one.change)
      number = one.number
    }
    return { log, number, bytes: read.bytes }
  }

  return {
    read: load,
    async add(userId, changes) {
      const file = await load(userId)
      const added = changes.filter(({ number }) => number > file.number)
      const last = added.at(-1)
      if (last === undefined) return
      const bytes = encodeRecords(added.map((change) => JSON.stringify(change)))
      const total = file.bytes + bytes.byteLength
      if (total > SMALL_BYTES + MOST_WASTE * (bases.get(userId) ?? 0)) {
        const log = file.log ?? createUserLog(last.change.epoch)
        for (const { change } of added) applyChange(log, change)
        const whole = { number: last.number, change: toChange(log) } satisfies NumberedChange
        const rewritten = encodeRecords([JSON.stringify(whole)])
        await replaceFile(pathOf(userId), rewritten)
        bases.set(userId, rewritten.byteLength)
      } else {
        await appendAt(pathOf(userId), file.bytes, bytes)
      }
    },
    sync: () => syncFolder(folder),
  }
}

// What a crash left behind the last whole record is cut off first.
async function appendAt(path: string, length: number, bytes: Uint8Array): Promise<void> {
  const file = await open(path, 'a', 0o600)
  try {
    await file.truncate(length)
    await file.appendFile(bytes)
    await file.datasync()
  } finally {
    await file.close()
  }
}
