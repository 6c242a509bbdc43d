import { join } from 'node:path'
import type { Clock, TimerHandle } from '../../base/clock.js'
import { createGroupCommit } from './group-commit.js'
import { replaceFile, syncFolder, unlinkIfThere } from '../../storage/node-files.js'
import { encodeRecords, openJournal } from '../../storage/node-journal.js'
import type { HeldLock } from '../../storage/node-lock.js'
import { createOutboxBook, type OutboxBook } from './node-outbox-book.js'
import {
  type JournalChange,
  type ChangeRecord,
  clearInbox,
  type FoundJournal,
  journalOf,
  listFolder,
  type JournalMessage,
  type OutboxFolders,
  type JournalOutcome,
  outcomeName,
  pruneOutcomeFiles,
  publishOutcomes,
  readInbox,
  readJournal,
} from './node-outbox-files.js'
import { watchFolder } from './node-watch.js'
import { LostError, releasedError } from './outbox-errors.js'
import type { StoredMessage, OwnedOutbox } from './outbox-store.js'

/** An outbox in the hands of a handle. */
export interface FileOwnership {
  readonly owned: OwnedOutbox
  readonly isOver: boolean
  /** Keeps messages that the handle itself accepted. */
  put(records: readonly JournalMessage[]): Promise<void>
  /** Takes over what is in the inbox. */
  ingest(): Promise<void>
}

/** What an ownership is made with. */
export interface FileOwnershipParts {
  readonly folders: OutboxFolders
  readonly lock: HeldLock
  readonly by: string
  readonly clock: Clock
  readonly pollMs: number
  readonly leaseMs: number
  /** Others added these. */
  readonly onAdded: (messages: readonly StoredMessage[]) => void
}

// Beyond both, the journal is written anew: what is over takes more room than what is not.
const LARGE_BYTES = 256 * 1024
const LARGE_FACTOR = 4

/**
 * Takes over what the owner before left; `undefined` where the lock was lost meanwhile.
 *
 * Each owner writes a journal of its own, named by its fence, that begins with all that is in the
 * one before. So an owner who was put off, and does not know it yet, writes where nobody reads.
 */
export async function openOwnership(parts: FileOwnershipParts): Promise<FileOwnership | undefined> {
  const { folders, lock, by, clock, onAdded } = parts
  const found = await readJournal(folders.root)
  const inbox = await readInbox(folders.inbox)
  const book = createOutboxBook()
  const untold = found.changes.flatMap((change) => tellings(book, found.fence, change))
  // An owner that was put off in the middle of a write does not know whether it stands, and adds
  // its messages again once it wakes; they may be over by then.
  book.apply({ put: inbox.messages.filter((record) => book.isNew(record)) }, by)
  // Larger also where somebody has removed the lock's folder.
  const fence = Math.max(lock.fence, found.fence + 1)
  const file = journalOf(folders.root, fence)
  let n = found.changes.at(-1)?.n ?? 0

  const toRecords = (changes: readonly JournalChange[]): string[] =>
    changes.map((change) => {
      n += 1
      return JSON.stringify({ ...change, n, by } satisfies ChangeRecord)
    })

  // Before the new journal hides it: this owner may die, or be put off, at any moment.
  await publishUntold(folders, untold)
  await replaceFile(file, encodeRecords(toRecords(book.summary())))
  await syncFolder(folders.root)
  if (!(await lock.isHeld())) {
    await unlinkIfThere(file)
    return undefined
  }
  const journal = await openJournal({ file })
  await tidyUp(folders, found, inbox.files)
  let compactAbove = Math.max(LARGE_BYTES, LARGE_FACTOR * journal.bytes)

  const messages = book.messages
  const lost = new AbortController()
  let isReleased = false
  let timer: TimerHandle
  let stopWatching: () => void = () => undefined

  function stop(): void {
    stopWatching()
    clock.clearTimeout(timer)
  }

  function lose(): void {
    if (isReleased || lost.signal.aborted) return
    stop()
    journal.close().catch(() => undefined)
    lost.abort()
  }

  function keepLater(): void {
    timer = clock.setTimeout(() => {
      keepLater()
      lock.keep().then(
        (isHeld) => {
          if (!isHeld) lose()
        },
        // Told by the next write, which needs the same disk.
        () => undefined,
      )
    }, parts.leaseMs / 3)
  }

  async function assertHeld(): Promise<void> {
    if (isReleased) throw releasedError()
    if (!lost.signal.aborted && !(await lock.isHeld())) lose()
    if (lost.signal.aborted) throw new LostError()
  }

  const commit = createGroupCommit<JournalChange>(async (changes) => {
    await assertHeld()
    const asked = changes.filter((change) => Object.keys(change).length > 0)
    const records = toRecords(asked)
    await journal.append(records)
    // Taken over while it was written, it may stand or not; it is not this owner's to say.
    await assertHeld()
    const told = records.flatMap((record) => {
      return tellings(book, fence, JSON.parse(record) as ChangeRecord)
    })
    for (const telling of told) await publish(folders, telling)
    if (journal.bytes > compactAbove) {
      await journal.rewrite(toRecords(book.summary()))
      compactAbove = Math.max(LARGE_BYTES, LARGE_FACTOR * journal.bytes)
      await pruneOutcomeFiles(folders.outcomes)
    }
  })

  let lastIngest: Promise<void> = Promise.resolve()
  function ingest(): Promise<void> {
    const turn = lastIngest.then(async () => {
      const { files, messages: added } = await readInbox(folders.inbox)
      if (files.length === 0) return
      const fresh = added.filter((record) => book.isNew(record))
      await commit({ put: fresh })
      // Before anybody can be done with one of them, lest a power cut brings it back.
      await clearInbox(folders.inbox, files)
      const theirs = fresh.filter((record) => record.by !== by)
      if (theirs.length > 0) onAdded(theirs.map(({ message }) => message))
    })
    lastIngest = turn.catch(() => undefined)
    return turn
  }

  // Of any number of changes that come meanwhile, one look sees all.
  let isLookWaiting = false
  function look(): void {
    if (isLookWaiting || isReleased || lost.signal.aborted) return
    isLookWaiting = true
    void lastIngest.then(() => {
      isLookWaiting = false
      ingest().catch(() => undefined)
    })
  }

  const toPut = (put: readonly StoredMessage[]): readonly JournalMessage[] =>
    put.map((message) => ({ by, message }))

  let releasing: Promise<void> | undefined
  async function release(): Promise<void> {
    // After what was asked before.
    await lastIngest
    await commit({}).catch(() => undefined)
    if (lost.signal.aborted) return
    isReleased = true
    stop()
    await journal.close()
    await lock.release()
  }

  keepLater()
  stopWatching = watchFolder({
    directory: folders.inbox,
    clock,
    everyMs: parts.pollMs,
    onChange: look,
  })
  return {
    get isOver() {
      return isReleased || lost.signal.aborted
    },
    ingest,
    put: (records) => commit({ put: records }),
    owned: {
      fence,
      identity: book.identity,
      messages,
      lost: lost.signal,
      write: ({ identity, put, remove }) =>
        commit({
          ...(identity !== undefined && { identity }),
          ...(put !== undefined && { put: toPut(put) }),
          ...(remove !== undefined && { remove }),
        }),
      release: () => (releasing ??= release()),
    },
  }
}

interface Telling {
  readonly name: string
  readonly by: string
  readonly outcomes: readonly JournalOutcome[]
}

/** Applies a change, and gives what others are to be told of it. */
function tellings(book: OutboxBook, fence: number, change: ChangeRecord): Telling[] {
  const outcomes = book.apply(change, change.by)
  if (outcomes.length === 0) return []
  return [{ name: outcomeName(fence, change.n), by: change.by, outcomes }]
}

// A change that is made is made, whether others can be told or not.
async function publish(folders: OutboxFolders, { name, by, outcomes }: Telling): Promise<void> {
  await publishOutcomes(folders.outcomes, name, { by, outcomes }).catch(() => undefined)
}

// The owner before may have died between a change and its telling.
async function publishUntold(folders: OutboxFolders, untold: readonly Telling[]): Promise<void> {
  const told = new Set(await listFolder(folders.outcomes))
  for (const telling of untold) if (!told.has(telling.name)) await publish(folders, telling)
}

async function tidyUp(
  folders: OutboxFolders,
  found: FoundJournal,
  inboxFiles: readonly string[],
): Promise<void> {
  for (const name of found.files) await unlinkIfThere(join(folders.root, name))
  await clearInbox(folders.inbox, inboxFiles)
  await pruneOutcomeFiles(folders.outcomes)
}
