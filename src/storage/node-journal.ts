import { mkdir, open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { crc32 } from 'node:zlib'
import { replaceFile, syncFolder } from './node-files.js'

/**
 * A file that texts are added to, such that a crash at any byte costs only what was not yet said
 * to be there. It knows nothing of other processes: whoever opens it holds a lock.
 */
export interface Journal {
  /** What was in it when it was opened, oldest first. */
  readonly records: readonly string[]
  /** How large the file is, in bytes. */
  readonly bytes: number
  /**
   * Adds records; resolves once they survive a crash. Each one is there wholly or not at all;
   * after a crash in the middle of the call the first few may be there alone. Calls that come while
   * the disk is busy share the next write. Where it rejects nothing was added.
   */
  append(records: readonly string[]): Promise<void>
  /** Puts other records in place of all those before it; after a crash either these or those. */
  rewrite(records: readonly string[]): Promise<void>
  /** Waits for what was asked for, and lets the file go. What is asked for later rejects. */
  close(): Promise<void>
}

/** A record's length and checksum, before its bytes. */
const HEADER_BYTES = 8

/**
 * Opens a journal, made with its folder where it is missing. What a crash left unfinished at its
 * end is cut off.
 */
export async function openJournal({ file }: { readonly file: string }): Promise<Journal> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 })
  let handle = await open(file, 'a+', 0o600)
  let length: number
  let records: readonly string[]
  try {
    const read = decodeRecords(await handle.readFile())
    records = read.records
    length = read.bytes
    await handle.truncate(length)
    await handle.datasync()
    // The name of a new file is its folder's to remember.
    await syncFolder(dirname(file))
  } catch (error) {
    await handle.close()
    throw error
  }

  // The tail of what was asked for: writes happen one after the other.
  let turn: Promise<void> = Promise.resolve()
  let waiting: { readonly bytes: Uint8Array[]; readonly written: Promise<void> } | undefined
  let failure: Error | undefined
  let closing: Promise<void> | undefined

  function inTurn(write: () => Promise<void>): Promise<void> {
    if (closing !== undefined) return Promise.reject(new Error('the journal is closed'))
    const done = turn.then(async () => {
      if (failure !== undefined) throw failure
      await write()
    })
    turn = done.catch(() => {})
    return done
  }

  async function add(bytes: Uint8Array): Promise<void> {
    try {
      await handle.appendFile(bytes)
      await handle.datasync()
      length += bytes.byteLength
    } catch (error) {
      await cutOff(error)
      throw error
    }
  }

  // A write that failed may have left a part, behind which nothing would be found again.
  async function cutOff(cause: unknown): Promise<void> {
    try {
      await handle.truncate(length)
      await handle.datasync()
    } catch {
      failure = unwritable(cause)
    }
  }

  return {
    records,
    get bytes() {
      return length
    },
    append(added) {
      if (added.length === 0) return inTurn(async () => {})
      if (waiting === undefined || closing !== undefined) {
        const bytes: Uint8Array[] = []
        const written = inTurn(() => {
          waiting = undefined
          return add(Buffer.concat(bytes))
        })
        if (closing !== undefined) return written
        waiting = { bytes, written }
      }
      waiting.bytes.push(encodeRecords(added))
      return waiting.written
    },
    rewrite(replacing) {
      // What is appended later belongs behind it, not into the write that waits before it.
      waiting = undefined
      return inTurn(async () => {
        const bytes = encodeRecords(replacing)
        await replaceFile(file, bytes)
        try {
          const next = await open(file, 'a+', 0o600)
          await handle.close()
          handle = next
          length = bytes.byteLength
          await syncFolder(dirname(file))
        } catch (error) {
          // The handle may be that of the former file, which nobody will ever read.
          failure = unwritable(error)
          throw error
        }
      })
    },
    close() {
      closing ??= turn.then(() => handle.close())
      return closing
    },
  }
}

function unwritable(cause: unknown): Error {
  return new Error('the journal can no longer be written', { cause })
}

/** Records as they stand in a journal's file. */
export function encodeRecords(records: readonly string[]): Uint8Array {
  const parts: Uint8Array[] = []
  for (const record of records) {
    const body = Buffer.from(record)
    const header = Buffer.alloc(HEADER_BYTES)
    header.writeUInt32LE(body.byteLength, 0)
    header.writeUInt32LE(checksum(header, body), 4)
    parts.push(header, body)
  }
  return Buffer.concat(parts)
}

/** The records at the start of a file's bytes, and how many bytes they take: what is behind is damaged. */
export function decodeRecords(bytes: Buffer): {
  readonly records: readonly string[]
  readonly bytes: number
} {
  const records: string[] = []
  let at = 0
  while (at + HEADER_BYTES <= bytes.byteLength) {
    const start = at + HEADER_BYTES
    const end = start + bytes.readUInt32LE(at)
    if (end > bytes.byteLength) break
    const body = bytes.subarray(start, end)
    if (checksum(bytes.subarray(at, start), body) !== bytes.readUInt32LE(at + 4)) break
    records.push(body.toString())
    at = end
  }
  return { records, bytes: at }
}

// Over the length as well: a file that a crash left full of zeros would else hold empty records.
function checksum(header: Uint8Array, body: Uint8Array): number {
  return crc32(body, crc32(header.subarray(0, 4)))
}
