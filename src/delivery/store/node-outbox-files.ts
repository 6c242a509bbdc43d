import { randomUUID } from 'node:crypto'
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseJson } from '../../base/values.js'
import {
  ifThere,
  readTextIfThere,
  replaceFile,
  syncFolder,
  unlinkIfThere,
} from '../../storage/node-files.js'
import { decodeRecords } from '../../storage/node-journal.js'
import type { StoredMessage, StoredOutcome, OutboxIdentity } from './outbox-store.js'

/** A message, and the handle that accepted it. */
export interface JournalMessage {
  readonly by: string
  /** Counts what the handle accepted; absent where the owner changes what is there. */
  readonly seq?: number
  readonly message: StoredMessage
}

/** A change as it stands in the journal: `n` counts up, `by` is the owner who made it. */
export interface ChangeRecord extends JournalChange {
  readonly n: number
  readonly by: string
}

/** What a change is about. */
export interface JournalChange {
  readonly identity?: OutboxIdentity
  readonly put?: readonly JournalMessage[]
  readonly remove?: readonly JournalOutcome[]
  /** How much of what each handle accepted was taken over. */
  readonly seen?: readonly (readonly [by: string, seq: number])[]
}

/** What became of a message. */
export interface JournalOutcome {
  readonly id: string
  readonly outcome: StoredOutcome
}

/** Outcomes, and the handle that need not be told. */
export interface OutcomeFile {
  readonly by: string
  readonly outcomes: readonly JournalOutcome[]
}

/** The folders of an outbox. */
export interface OutboxFolders {
  readonly root: string
  /** Who owns it: see `acquireLock`. */
  readonly lock: string
  /** What was added by others than the owner, a file for each time. */
  readonly inbox: string
  /** What became of messages that others accepted. */
  readonly outcomes: string
}

/** The folders under a root. */
export function foldersOf(root: string): OutboxFolders {
  return {
    root,
    lock: join(root, 'lock'),
    inbox: join(root, 'inbox'),
    outcomes: join(root, 'outcomes'),
  }
}

/** Makes the folders that are missing, for their owner only. */
export async function makeFolders({ root, lock, inbox, outcomes }: OutboxFolders): Promise<void> {
  for (const directory of [root, lock, inbox, outcomes]) {
    await mkdir(directory, { recursive: true, mode: 0o700 })
  }
}

// Sorted by name they are sorted by number.
const padded = (n: number): string => String(n).padStart(16, '0')

/** The finished files of a folder in order; a draft bears a tilde. */
export async function listFolder(directory: string): Promise<string[]> {
  const names = (await ifThere(readdir(directory))) ?? []
  return names.filter((name) => !name.includes('~')).sort()
}

/**
 * Writes a file into the inbox, behind all that is there, and gives its number. The order needs no
 * clock: who adds after another one was told that its message is kept sees that one's file, or the
 * owner has taken it already.
 */
export async function writeInbox(
  inbox: string,
  messages: readonly JournalMessage[],
  after: number,
): Promise<number> {
  const newest = Number((await listFolder(inbox)).at(-1)?.split('-')[0] ?? 0)
  const n = Math.max(newest, after) + 1
  const file = join(inbox, `${padded(n)}-${randomUUID()}`)
  await replaceFile(file, Buffer.from(JSON.stringify(messages)))
  await syncFolder(inbox)
  return n
}

/** What is in the inbox, in order. */
export async function readInbox(
  inbox: string,
): Promise<{ readonly files: readonly string[]; readonly messages: readonly JournalMessage[] }> {
  const files: string[] = []
  const messages: JournalMessage[] = []
  for (const name of await listFolder(inbox)) {
    const found = parseJson(await readTextIfThere(join(inbox, name)))
    // What is not ours is left where it is.
    if (!Array.isArray(found)) continue
    files.push(join(inbox, name))
    messages.push(...(found as JournalMessage[]))
  }
  return { files, messages }
}

/** Removes files of the inbox, so that they do not come back after a power cut. */
export async function clearInbox(inbox: string, files: readonly string[]): Promise<void> {
  if (files.length === 0) return
  for (const file of files) await unlinkIfThere(file)
  await syncFolder(inbox)
}

const OUTCOME_FILES_KEPT = 1_000

/** Tells others what became of messages; again with the same name where that was done before. */
export async function publishOutcomes(
  directory: string,
  name: string,
  file: OutcomeFile,
): Promise<void> {
  // Not flushed: whoever it is for does not outlive a power cut either.
  const draft = join(directory, `~${randomUUID()}`)
  await writeFile(draft, JSON.stringify(file), { mode: 0o600 })
  await rename(draft, join(directory, name))
}

/** The name of what change `n` of an owner has to tell. */
export function outcomeName(fence: number, n: number): string {
  return `${padded(fence)}-${padded(n)}`
}

/** Removes the oldest outcomes beyond what is kept. */
export async function pruneOutcomeFiles(directory: string): Promise<void> {
  const names = await listFolder(directory)
  for (const name of names.slice(0, -OUTCOME_FILES_KEPT)) await unlinkIfThere(join(directory, name))
}

/** Reads a file of outcomes; `undefined` where it is gone. */
export async function readOutcomes(
  directory: string,
  name: string,
): Promise<OutcomeFile | undefined> {
  return parseJson(await readTextIfThere(join(directory, name))) as OutcomeFile | undefined
}

/** The journal of an owner. */
export function journalOf(root: string, fence: number): string {
  return join(root, `journal-${padded(fence)}`)
}

/** The newest journal, and what is in it; other files of owners before are to be removed. */
export interface FoundJournal {
  readonly fence: number
  readonly changes: readonly ChangeRecord[]
  readonly files: readonly string[]
}

/** Reads the newest journal. Whoever wrote it may still be at it, so nothing is changed. */
export async function readJournal(root: string): Promise<FoundJournal> {
  const files = (await readdir(root)).filter((name) => name.startsWith('journal-')).sort()
  const whole = files.filter((name) => !name.includes('~')).at(-1)
  if (whole === undefined) return { fence: 0, changes: [], files }
  const { records } = decodeRecords(await readFile(join(root, whole)))
  return {
    fence: Number(whole.slice('journal-'.length)),
    changes: records.map((record) => JSON.parse(record) as ChangeRecord),
    files,
  }
}
