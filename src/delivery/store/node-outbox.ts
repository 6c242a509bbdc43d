import { randomUUID } from 'node:crypto'
import { resolve } from 'node:path'
import { type Clock, createSystemClock, DELAY, isDelay } from '../../base/clock.js'
import { assertThat } from '../../base/errors.js'
import { createGroupCommit } from './group-commit.js'
import { acquireLock } from '../../storage/node-lock.js'
import { foldersOf, listFolder, makeFolders, writeInbox } from './node-outbox-files.js'
import { createFileOutcomeReader } from './node-outbox-outcomes.js'
import { type FileOwnership, openOwnership } from './node-outbox-owned.js'
import { watchFolder } from './node-watch.js'
import { abortError } from '../../base/deadline.js'
import { closedError, LostError } from './outbox-errors.js'
import type { StoredMessage, OutboxStore, OutboxWatcher } from './outbox-store.js'
import { OutboxWatchers } from './outbox-watchers.js'

/** Options of {@link createFileOutboxStore}. */
export interface FileOutboxOptions {
  /** Where the files are: a folder for each outbox, made, for its owner only, where it is missing. */
  readonly directory: string
  /** How long an owner may not show that it lives, in milliseconds. Default 10,000. */
  readonly leaseMs?: number
  /** How often to look where the system does not tell of changes, in milliseconds. Default 1,000. */
  readonly pollMs?: number
  readonly clock?: Clock
}

/**
 * Keeps an outbox in files in Node, readable by their owner only and shared by processes. What was
 * resolved is there after a kill -9 or a power cut.
 *
 * One process owns it at a time. Who is next gets it when the owner's process has ended, within
 * `pollMs`, and after `leaseMs` where it is stopped, or on a machine or system that cannot be
 * looked into. What an owner that was put off still writes is in a file that nobody reads.
 *
 * @throws SyncError `option-invalid` where there is no directory, or a time is none.
 */
export function createFileOutboxStore(options: FileOutboxOptions): OutboxStore {
  const { clock = createSystemClock(), leaseMs = 10_000, pollMs = 1_000 } = options
  assertThat(
    typeof options.directory === 'string' && options.directory !== '',
    'option-invalid',
    'directory must be a path',
  )
  for (const [name, value] of Object.entries({ leaseMs, pollMs })) {
    assertThat(isDelay(value) && value > 0, 'option-invalid', `${name} must be ${DELAY}, not 0`)
  }
  const folders = foldersOf(resolve(options.directory))
  const by = randomUUID()
  const watchers = new OutboxWatchers()
  const waiting = new Set<Promise<unknown>>()
  const closing = new AbortController()
  let ownership: FileOwnership | undefined
  let lastInbox = 0
  let lastSeq = 0
  let isInboxUsed = false
  let lastAdd: Promise<void> | undefined

  const outcomes = createFileOutcomeReader(
    folders,
    by,
    { clock, everyMs: pollMs },
    (id, outcome) => {
      watchers.removed(id, outcome)
    },
  )

  function assertOpen(): void {
    if (closing.signal.aborted) throw closedError()
  }

  // What is added while the outbox is taken over would be neither in what is read of it nor told
  // as another's, so one waits for the other.
  let turn: Promise<unknown> = Promise.resolve()
  function inTurn<T>(run: () => Promise<T>): Promise<T> {
    const done = turn.then(run)
    turn = done.catch(() => undefined)
    return done
  }

  // One group after the other, whichever way each of them goes.
  const commit = createGroupCommit<readonly StoredMessage[]>((groups) =>
    inTurn(() => keep(groups.flat())),
  )

  async function keep(messages: readonly StoredMessage[]): Promise<void> {
    const records = messages.map((message) => ({ by, seq: (lastSeq += 1), message }))
    try {
      if (ownership?.isOver === false) {
        // What went another way before stands in front.
        if (isInboxUsed) await ownership.ingest()
        isInboxUsed = false
        await ownership.put(records)
        return
      }
    } catch (error) {
      if (!(error instanceof LostError) && !ownership?.isOver) throw error
    }
    await makeFolders(folders)
    isInboxUsed = true
    lastInbox = await writeInbox(folders.inbox, records, lastInbox)
  }

  /** Waits for the lock's folder to change, or for time to pass. */
  function createPause(signals: readonly AbortSignal[]): Pause {
    let isChanged = signals.some(({ aborted }) => aborted)
    let wake: (() => void) | undefined
    function change(): void {
      isChanged = true
      wake?.()
    }
    const stop = watchFolder({ directory: folders.lock, clock, everyMs: pollMs, onChange: change })
    for (const signal of signals) signal.addEventListener('abort', change)
    return {
      async pause() {
        if (!isChanged) await new Promise<void>((resume) => (wake = resume))
        isChanged = false
      },
      stop() {
        stop()
        for (const signal of signals) signal.removeEventListener('abort', change)
      },
    }
  }

  async function own(signal: AbortSignal): Promise<FileOwnership> {
    const isUnwanted = (): boolean => signal.aborted || closing.signal.aborted
    if (isUnwanted()) throw abortError()
    await makeFolders(folders)
    const line = createPause([signal, closing.signal])
    try {
      for (;;) {
        const lock = await acquireLock({
          ...{ directory: folders.lock, clock, leaseMs, timeoutMs: Number.POSITIVE_INFINITY },
          async pause() {
            await line.pause()
            if (isUnwanted()) throw abortError()
          },
        })
        const onAdded: OutboxWatcher['added'] = (messages) => {
          watchers.added(messages)
        }
        const parts = { folders, lock, by, clock, pollMs, leaseMs, onAdded }
        const opened = await inTurn(async () => {
          const taken = await openOwnership(parts).catch(async (error: unknown) => {
            await lock.release()
            throw error
          })
          if (!isUnwanted()) ownership = taken ?? ownership
          return taken
        })
        if (opened !== undefined && isUnwanted()) await opened.owned.release()
        if (isUnwanted()) throw abortError()
        if (opened !== undefined) return opened
      }
    } finally {
      line.stop()
    }
  }

  let closed: Promise<void> | undefined
  async function close(): Promise<void> {
    closing.abort()
    watchers.clear()
    await outcomes.stop()
    await Promise.allSettled(waiting)
    await lastAdd?.catch(() => undefined)
    await ownership?.owned.release()
  }

  return {
    async ready() {
      assertOpen()
      await makeFolders(folders)
      await listFolder(folders.root)
    },
    async add(messages) {
      assertOpen()
      if (messages.length === 0) return
      // Outcomes of these come after whatever is there now.
      lastAdd = outcomes.begun.then(() => commit(messages))
      await lastAdd
    },
    async acquire(signal) {
      assertOpen()
      const owning = own(signal)
      waiting.add(owning)
      try {
        return (await owning).owned
      } finally {
        waiting.delete(owning)
      }
    },
    watch(watcher) {
      if (closing.signal.aborted) return () => undefined
      if (watchers.size === 0) outcomes.begin()
      const remove = watchers.add(watcher)
      return () => {
        remove()
        if (watchers.size === 0) void outcomes.stop()
      }
    },
    close: () => (closed ??= close()),
  }
}

interface Pause {
  pause(): Promise<void>
  stop(): void
}
