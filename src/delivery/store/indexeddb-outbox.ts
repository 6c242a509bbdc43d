import { type Clock, createSystemClock, DELAY, isDelay } from '../../base/clock.js'
import { assertThat } from '../../base/errors.js'
import { createUuid } from '../../base/uuid.js'
import { createGroupCommit } from './group-commit.js'
import { type Hint, type OutboxChannel, parseHint } from './indexeddb-channel.js'
import { type LockClaim, claimOutbox, type OutboxLocks } from './indexeddb-claim.js'
import { beside, createDatabase, type IndexedDbFactory } from './indexeddb-database.js'
import { createOutcomeReader } from './indexeddb-outcomes.js'
import { createOwnership, type DatabaseOwnership } from './indexeddb-owned.js'
import { giveBackOutbox, type MessageRecord, readOwner, takeOutbox } from './indexeddb-records.js'
import { closedError } from './outbox-errors.js'
import type { StoredMessage, OutboxStore } from './outbox-store.js'
import { OutboxWatchers } from './outbox-watchers.js'

/** The parts of a browser that an outbox is kept with. */
export interface IndexedDbParts {
  readonly indexedDB: IndexedDbFactory
  /** Absent in pages without a secure context: there, an owner that is gone is found out in time. */
  readonly locks?: OutboxLocks | undefined
  /** Makes a `BroadcastChannel`. */
  openChannel(name: string): OutboxChannel
}

/** Options of {@link createIndexedDbOutboxStore}. */
export interface IndexedDbOutboxOptions {
  /** Which outbox: one for each environment, user and device. */
  readonly name: string
  /** How long an owner may leave others without an answer, in milliseconds. Default 10,000. */
  readonly leaseMs?: number
  readonly clock?: Clock
  /** Makes the id of a handle. Default: a random UUID. */
  readonly randomId?: () => string
  /** Default: the page's own, looked for at the first use. */
  readonly parts?: IndexedDbParts
}

/**
 * Keeps an outbox in IndexedDB: shared by the tabs of an origin, and there after a reload or a
 * crash of the browser. One tab owns it at a time: who is next gets it at once when the owner's
 * tab is closed or crashes, and after `leaseMs` to a third more when the owner is frozen or its
 * thread does not come to rest. A tab that was put off can write nothing any more when it wakes.
 *
 * Put {@link createGuardedOutboxStore} around it, or hand it to a client, which does so: where
 * there is no IndexedDB or it is full, its methods reject, and they may hang as IndexedDB does.
 *
 * @throws SyncError `option-invalid` where there is no name, or no such lease.
 */
export function createIndexedDbOutboxStore(options: IndexedDbOutboxOptions): OutboxStore {
  const { leaseMs = 10_000, clock = createSystemClock(), randomId = createUuid } = options
  assertThat(
    typeof options.name === 'string' && options.name !== '',
    'option-invalid',
    'name must be a text',
  )
  assertThat(isDelay(leaseMs) && leaseMs > 0, 'option-invalid', `leaseMs must be ${DELAY}, not 0`)
  const name = `statewire-outbox:${options.name}`
  const by = randomId()
  const claims = new Set<LockClaim>()
  const watchers = new OutboxWatchers()
  let isClosing = false
  let isClosed = false
  let lastAdd: Promise<void> | undefined
  let parts: IndexedDbParts | undefined
  let channel: OutboxChannel | undefined
  let ownership: DatabaseOwnership | undefined
  let sweep: unknown

  const database = createDatabase(() => partsInUse().indexedDB, name)
  const outcomes = createOutcomeReader(database, by, (id, outcome) => {
    watchers.removed(id, outcome)
  })

  function open(): IndexedDbParts {
    if (isClosing) throw closedError()
    return partsInUse()
  }

  // While the handle closes, what was asked before still needs them.
  function partsInUse(): IndexedDbParts {
    if (isClosed) throw closedError()
    parts ??= options.parts ?? partsOfPage()
    if (channel === undefined) {
      channel = parts.openChannel(name)
      channel.addEventListener('message', ({ data }) => {
        const hint = parseHint(data)
        if (hint !== undefined && !isClosed) hear(hint)
      })
    }
    return parts
  }

  function tell(hint: Hint): void {
    if (!isClosed) channel?.postMessage(hint)
  }

  function hear(hint: Hint): void {
    switch (hint.hint) {
      case 'ask':
        if (ownership?.isOver === false) tell({ hint: 'alive' })
        break
      case 'alive':
        for (const claim of claims) claim.answered()
        break
      case 'taken':
        if (ownership !== undefined && hint.fence > ownership.owned.fence) ownership.hold.lose()
        for (const claim of claims) claim.answered()
        // The owner before may have come to its end between a change and its hint.
        lookForOutcomes()
        break
      case 'released':
        for (const claim of claims) claim.released()
        break
      case 'added':
        lookForMessages()
        break
      case 'removed':
        lookForOutcomes()
        break
      default:
        hint satisfies never
    }
  }

  // Both are looked for again, so a look that fails costs nothing but time.
  function lookForMessages(): void {
    if (ownership?.isOver === false && watchers.size > 0) ownership.pull().catch(() => undefined)
  }

  function lookForOutcomes(): void {
    if (watchers.size > 0) outcomes.pull().catch(() => undefined)
  }

  function sweepLater(): void {
    sweep = clock.setTimeout(() => {
      lookForMessages()
      lookForOutcomes()
      sweepLater()
    }, leaseMs)
  }

  const commit = createGroupCommit<readonly StoredMessage[]>(async (groups) => {
    await database.run('write durable', async ({ messages }) => {
      await Promise.all(
        groups
          .flat()
          .map((message) => beside(messages.add({ by, message } satisfies MessageRecord))),
      )
    })
    tell({ hint: 'added' })
  })

  let closing: Promise<void> | undefined
  async function close(): Promise<void> {
    isClosing = true
    watchers.clear()
    clock.clearTimeout(sweep)
    await Promise.all([...claims].map((claim) => claim.giveUp()))
    await lastAdd?.catch(() => undefined)
    await ownership?.owned.release().catch(() => undefined)
    isClosed = true
    channel?.close()
    database.close()
  }

  return {
    async ready() {
      open()
      await database.run('read', readOwner)
    },
    async add(messages) {
      open()
      if (messages.length === 0) return
      lastAdd = commit(messages)
      await lastAdd
    },
    async acquire(signal) {
      const { locks } = open()
      const claim = claimOutbox(
        {
          clock,
          locks,
          lockName: name,
          leaseMs,
          readOwner: () => database.run('read', readOwner),
          take: (mayTake) =>
            database.run('write durable', (tables) => takeOutbox(tables, by, mayTake)),
          giveBack: (fence) => database.run('write', (tables) => giveBackOutbox(tables, fence)),
          ask() {
            // A handle does not hear itself.
            if (ownership?.isOver === false) claim.answered()
            else tell({ hint: 'ask' })
          },
        },
        signal,
      )
      claims.add(claim)
      try {
        const { taken, hold } = await claim.won
        ownership = createOwnership({
          database,
          by,
          taken,
          hold,
          onAdded(messages) {
            watchers.added(messages)
          },
          onRemoved: () => tell({ hint: 'removed' }),
          onReleased: () => {
            for (const waiting of claims) waiting.released()
            tell({ hint: 'released' })
          },
        })
        tell({ hint: 'taken', fence: taken.fence })
        return ownership.owned
      } finally {
        claims.delete(claim)
      }
    },
    watch(watcher) {
      if (isClosing) return () => undefined
      try {
        open()
      } catch {
        // The methods that can reject say so.
      }
      if (watchers.size === 0) {
        outcomes.begin()
        sweepLater()
      }
      const remove = watchers.add(watcher)
      return () => {
        remove()
        if (watchers.size === 0) clock.clearTimeout(sweep)
      }
    },
    close: () => (closing ??= close()),
  }
}

interface PageGlobals {
  readonly indexedDB?: IndexedDbFactory
  readonly navigator?: { readonly locks?: OutboxLocks }
  readonly BroadcastChannel?: new (name: string) => OutboxChannel
}

function partsOfPage(): IndexedDbParts {
  const { indexedDB, navigator, BroadcastChannel } = globalThis as unknown as PageGlobals
  if (indexedDB === undefined || BroadcastChannel === undefined) {
    throw new Error('there is no IndexedDB')
  }
  return { indexedDB, locks: navigator?.locks, openChannel: (name) => new BroadcastChannel(name) }
}
