import { createGroupCommit } from './group-commit.js'
import type { Hold } from './indexeddb-claim.js'
import type { Database } from './indexeddb-database.js'
import {
  assertOwner,
  type OutboxRow,
  giveBackOutbox,
  type MessagePlace,
  type MessagePlaces,
  type MessageRecord,
  pruneOutcomes,
  readAfter,
  type Taken,
  writeChange,
} from './indexeddb-records.js'
import { LostError, releasedError } from './outbox-errors.js'
import type { StoredMessage, OutboxChange, OwnedOutbox } from './outbox-store.js'

/** An outbox in the hands of a handle, and what the handle has to tell it. */
export interface DatabaseOwnership {
  readonly owned: OwnedOutbox
  readonly hold: Hold
  readonly isOver: boolean
  /** Looks for what others added. */
  pull(): Promise<void>
}

/** What an ownership is made with. */
export interface OwnershipParts {
  readonly database: Database
  /** The handle's id. */
  readonly by: string
  readonly taken: Taken
  readonly hold: Hold
  /** Others added these. */
  readonly onAdded: (messages: readonly StoredMessage[]) => void
  /** There are outcomes to be read by others. */
  readonly onRemoved: () => void
  readonly onReleased: () => void
}

/** Makes what an owner writes with, of an outbox that has just been taken. */
export function createOwnership(parts: OwnershipParts): DatabaseOwnership {
  const { database, by, taken, hold } = parts
  const { fence, identity } = taken
  const places = new Map<string, MessagePlace>()
  let lastKey = 0
  let isReleased = false

  function note({ key, record }: OutboxRow<MessageRecord>): void {
    places.set(record.message.id, { key, by: record.by })
    lastKey = key
  }
  for (const entry of taken.entries) note(entry)

  // Two reads may find the same; keys tell what was known.
  function learn(entries: readonly OutboxRow<MessageRecord>[]): void {
    const fresh = entries.filter(({ key }) => key > lastKey)
    for (const entry of fresh) note(entry)
    const theirs = fresh.filter(({ record }) => record.by !== by)
    if (theirs.length > 0) parts.onAdded(theirs.map(({ record }) => record.message))
  }

  const commit = createGroupCommit<OutboxChange>(async (changes) => {
    if (isReleased) throw releasedError()
    if (hold.lost.aborted) throw new LostError()
    const { fresh, draft, hasOutcomes } = await database.run('write durable', async (tables) => {
      await assertOwner(tables, fence)
      // What others added stands in front of what this change adds.
      const found = await readAfter<MessageRecord>(tables.messages, lastKey)
      const changed = new Map<string, MessagePlace | undefined>()
      for (const { key, record } of found) {
        changed.set(record.message.id, { key, by: record.by })
      }
      const view: MessagePlaces = {
        get: (id) => (changed.has(id) ? changed.get(id) : places.get(id)),
        set: (id, place) => changed.set(id, place),
      }
      let any = false
      for (const change of changes) {
        const written = await writeChange(tables, by, change, view)
        any ||= written.hasOutcomes
      }
      if (any) await pruneOutcomes(tables)
      const settled: [string, { key: number; by: string } | undefined][] = []
      for (const [id, place] of changed) {
        settled.push([id, place && { key: await place.key, by: place.by }])
      }
      return { fresh: found, draft: settled, hasOutcomes: any }
    })
    learn(fresh)
    for (const [id, place] of draft) {
      if (place === undefined) {
        places.delete(id)
      } else {
        places.set(id, place)
        lastKey = Math.max(lastKey, place.key)
      }
    }
    if (hasOutcomes) parts.onRemoved()
  })

  async function write(change: OutboxChange): Promise<void> {
    try {
      await commit(change)
    } catch (error) {
      if (error instanceof LostError) hold.lose()
      throw error
    }
  }

  let releasing: Promise<void> | undefined
  async function release(): Promise<void> {
    // After what was written before.
    await commit({}).catch(() => undefined)
    if (hold.lost.aborted) return
    isReleased = true
    try {
      await database.run('write', (tables) => giveBackOutbox(tables, fence))
    } finally {
      hold.letGo()
      parts.onReleased()
    }
  }

  return {
    hold,
    get isOver() {
      return isReleased || hold.lost.aborted
    },
    async pull() {
      const entries = await database.run('read', ({ messages }) =>
        readAfter<MessageRecord>(messages, lastKey),
      )
      if (!isReleased && !hold.lost.aborted) learn(entries)
    },
    owned: {
      fence,
      identity,
      messages: taken.entries.map(({ record }) => record.message),
      lost: hold.lost,
      write,
      release: () => (releasing ??= release()),
    },
  }
}
