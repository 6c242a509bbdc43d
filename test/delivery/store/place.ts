import { createMemoryDatabase, type Database, type MemoryDatabase } from 'statewire/storage'
import { createManualClock } from 'statewire/testing'
import type { SyncError } from '../../../src/base/errors.js'
import type { OwnedOutbox } from '../../../src/delivery/store/outbox-port.js'
import { OutboxStore } from '../../../src/delivery/store/outbox-store.js'
import type { StoredMessage, StoredOutcome } from '../../../src/delivery/store/stored-message.js'

export const delivered = { outcome: 'delivered' }

/** A message as it is stored. */
export function message(id: string, more: Partial<StoredMessage> = {}): StoredMessage {
  return { id, type: 'SAY', payload: { text: id }, acceptedAt: 1, priority: 0, ...more }
}

/** Handles on one outbox, each with what it was told. */
export function createPlace(clock = createManualClock(), database = createMemoryDatabase()) {
  let ids = 0

  function open(on: Database = database.open()) {
    const told: string[] = []
    const owned: OwnedOutbox[] = []
    const reports: SyncError[] = []
    const store = new OutboxStore({
      database: on,
      name: 'one',
      clock,
      leaseMs: 5_000,
      makeId() {
        ids += 1
        return `id-${ids}`
      },
      report: (error) => reports.push(error),
      events: {
        owned: (outbox) => {
          owned.push(outbox)
          told.push('owned')
        },
        lost: () => told.push('lost'),
        added: (messages) => told.push(...messages.map(({ id }) => `added ${id}`)),
        removed: (id, outcome: StoredOutcome) => told.push(`removed ${id} ${outcome.outcome}`),
        gone: () => told.push('gone'),
        changed: () => undefined,
      },
    })
    const opened = store.open()
    return { database: on as MemoryDatabase, store, told, owned, reports, opened }
  }

  return {
    clock,
    database,
    open,
    /** A handle that owns the outbox. */
    async own() {
      const handle = open()
      handle.store.acquire()
      await clock.advanceAsync(6_000)
      return { ...handle, outbox: handle.owned[0]! }
    },
    async settle() {
      await clock.advanceAsync(0)
    },
    /** What a next owner finds. */
    async find(): Promise<readonly string[]> {
      const next = await this.own()
      await next.store.close()
      return next.outbox.messages.map(({ id }) => id)
    },
  }
}

/** A database that can be told to reject or to hang. */
export function createFlaky(database: MemoryDatabase) {
  const hung: (() => void)[] = []
  const flaky = {
    mode: 'works' as 'works' | 'rejects' | 'hangs',
    attempts: 0,
    resume(): void {
      for (const resume of hung.splice(0)) resume()
    },
  }
  const wrapped: Database = {
    async transact(reads, change) {
      flaky.attempts += 1
      if (flaky.mode === 'hangs') await new Promise<void>((resolve) => hung.push(resolve))
      if (flaky.mode === 'rejects') {
        throw Object.assign(new Error('no room for canary'), { code: 'ENOSPC' })
      }
      return await database.transact(reads, change)
    },
    watch: (changed) => database.watch(changed),
    close: () => database.close(),
  }
  return { flaky, wrapped }
}

/** A standby whose database can be told to fail, beside an owner. It has added `a`. */
export async function createFlakyStandby() {
  const place = createPlace()
  const owner = await place.own()
  const { flaky, wrapped } = createFlaky(place.database.open())
  const standby = place.open(wrapped)
  standby.store.acquire()
  await standby.store.add(message('a'))
  return { place, owner, flaky, standby }
}
