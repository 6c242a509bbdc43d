import { beside, type Table, type Tables } from './indexeddb-database.js'
import { LostError } from './outbox-errors.js'
import type { StoredMessage, StoredOutcome, OutboxChange, OutboxIdentity } from './outbox-store.js'

/** Who owns the outbox; no `holder` where it was released. */
export interface OwnerRecord {
  readonly fence: number
  readonly holder?: string
}

/** A message, and the handle that accepted it. */
export interface MessageRecord {
  readonly by: string
  readonly message: StoredMessage
}

/** What became of a message, for handles other than the one that wrote this. */
export interface OutcomeRecord {
  readonly by: string
  readonly id: string
  readonly outcome: StoredOutcome
}

/** A record and its key, which counts up. */
export interface OutboxRow<T> {
  readonly key: number
  readonly record: T
}

/** What a new owner finds. */
export interface Taken {
  readonly fence: number
  readonly identity: OutboxIdentity | undefined
  readonly entries: readonly OutboxRow<MessageRecord>[]
}

/** Where a message stands, as far as its owner knows. */
export interface MessagePlace {
  readonly key: number | Promise<number>
  readonly by: string
}

/** Where messages stand, by id; `undefined` for nowhere. */
export interface MessagePlaces {
  get(id: string): MessagePlace | undefined
  set(id: string, place: MessagePlace | undefined): void
}

// A tab that slept through more of them does not learn what became of its messages.
const OUTCOMES_KEPT = 1_000

/** Who owns the outbox; `undefined` where nobody ever did. */
export async function readOwner({ meta }: Tables): Promise<OwnerRecord | undefined> {
  return (await meta.get('owner')) as OwnerRecord | undefined
}

/** Makes `holder` the owner where `mayTake` says so of the one before. */
export async function takeOutbox(
  tables: Tables,
  holder: string,
  mayTake: (owner: OwnerRecord | undefined) => boolean,
): Promise<Taken | undefined> {
  const owner = await readOwner(tables)
  if (!mayTake(owner)) return undefined
  const fence = (owner?.fence ?? 0) + 1
  const [identity, keys, records] = await Promise.all([
    beside(tables.meta.get('identity')),
    beside(tables.messages.getAllKeys()),
    beside(tables.messages.getAll()),
    tables.meta.put({ fence, holder } satisfies OwnerRecord, 'owner'),
  ])
  const entries = keys.map((key, at) => ({
    key: key as number,
    record: records[at] as MessageRecord,
  }))
  return { fence, identity: identity as OutboxIdentity | undefined, entries }
}

/** Leaves the outbox to the next; does nothing where it is another's by now. */
export async function giveBackOutbox(tables: Tables, fence: number): Promise<void> {
  if ((await readOwner(tables))?.fence !== fence) return
  await tables.meta.put({ fence } satisfies OwnerRecord, 'owner')
}

/** Rejects, which undoes the transaction, unless the owner still is the one with this fence. */
export async function assertOwner(tables: Tables, fence: number): Promise<void> {
  const owner = await readOwner(tables)
  if (owner?.fence !== fence || owner.holder === undefined) throw new LostError()
}

/** The entries that came after a key, in order. Reads them from the end, and none before. */
export async function readAfter<T>(table: Table, after: number): Promise<OutboxRow<T>[]> {
  const found: OutboxRow<T>[] = []
  let cursor = await table.openCursor(null, 'prev')
  while (cursor !== null && (cursor.key as number) > after) {
    found.push({ key: cursor.key as number, record: cursor.value as T })
    cursor = await cursor.continue()
  }
  return found.reverse()
}

/** The key of the newest entry; 0 where there is none. */
export async function lastKeyOf(table: Table): Promise<number> {
  const cursor = await table.openCursor(null, 'prev')
  return (cursor?.key as number | undefined) ?? 0
}

/** Writes a change as `by`, and into `places` where messages then stand. */
export async function writeChange(
  tables: Tables,
  by: string,
  { identity, put = [], remove = [] }: OutboxChange,
  places: MessagePlaces,
): Promise<{ readonly hasOutcomes: boolean }> {
  const requests: Promise<unknown>[] = []
  const ask = (request: Promise<unknown>): void => {
    requests.push(beside(request))
  }
  if (identity !== undefined) ask(tables.meta.put(identity, 'identity'))
  for (const message of put) {
    const place = places.get(message.id)
    const record: MessageRecord = { by: place?.by ?? by, message }
    if (place === undefined) {
      const key = tables.messages.add(record) as Promise<number>
      ask(key)
      places.set(message.id, { key, by })
    } else {
      ask(tables.messages.put(record, await place.key))
    }
  }
  let hasOutcomes = false
  for (const { id, outcome } of remove) {
    const place = places.get(id)
    if (place === undefined) continue
    places.set(id, undefined)
    ask(tables.messages.delete(await place.key))
    if (place.by === by) continue
    ask(tables.outcomes.add({ by, id, outcome } satisfies OutcomeRecord))
    hasOutcomes = true
  }
  await Promise.all(requests)
  return { hasOutcomes }
}

/** Removes the oldest outcomes beyond what is kept. */
export async function pruneOutcomes({ outcomes }: Tables): Promise<void> {
  const oldest = (await lastKeyOf(outcomes)) - OUTCOMES_KEPT
  let cursor = await outcomes.openCursor(null, 'next')
  while (cursor !== null && (cursor.key as number) <= oldest) {
    await cursor.delete()
    cursor = await cursor.continue()
  }
}
