// What runs in each tab: a handle on the database, within reach of the test.
import { createIndexedDbDatabase } from '../../src/database/indexeddb.js'
import { acquireLease, type Lease } from '../../src/database/lease.js'
import { createSystemClock } from '../../src/base/clock.js'

const parameters = new URLSearchParams(location.search)
const database = createIndexedDbDatabase({ pollMs: Number(parameters.get('pollMs')) })
const all = { table: 'log' }
const never = new AbortController().signal
let lease: Lease | undefined
let hints = 0
database.watch(() => {
  hints += 1
})

const tab = {
  get fence() {
    return lease?.fence
  },
  get isLost() {
    return lease?.lost.aborted
  },
  get hints() {
    return hints
  },
  /** Starts to wait for ownership. */
  claim(leaseMs: number) {
    const options = { database, table: 'owner', clock: createSystemClock(), leaseMs, signal: never }
    void acquireLease(options).then((won) => {
      lease = won
    })
  },
  /** Adds to a list in one transaction. */
  append: (text: string) =>
    database.transact([{ ...all, key: 'list' }], ({ rows: [rows] }) => ({
      writes: [{ table: 'log', key: 'list', value: `${rows?.[0]?.value ?? ''}${text}` }],
      result: undefined,
    })),
  /** Writes as an owner does. Gives the name of what went wrong. */
  async write(text: string): Promise<string> {
    if (lease === undefined) return 'standby'
    const { read } = lease
    try {
      await database.transact([read], ({ rows: [rows] }) => ({
        writes: [...(lease?.keep(rows) ?? []), { table: 'log', key: text, value: text }],
        result: undefined,
      }))
      return 'done'
    } catch (error) {
      return error instanceof Error ? error.constructor.name : String(error)
    }
  },
  read: () => database.transact([all], ({ rows, history }) => ({ result: { rows, history } })),
  /** Deletes the database; gives what happened. */
  deleteDatabase: () =>
    new Promise<string>((resolve) => {
      const request = indexedDB.deleteDatabase('statewire')
      for (const event of ['success', 'error', 'blocked']) {
        request.addEventListener(event, () => resolve(event))
      }
    }),
  close: () => database.close(),
  /** Writes, and hangs as soon as the writes were asked for. */
  writeAndHang: (ms: number) =>
    database.transact([all], () => {
      queueMicrotask(() => block(ms))
      return { writes: [{ table: 'log', key: 'hanging', value: '' }], result: undefined }
    }),
  block,
}

/** Keeps the thread busy, as a page that hangs does. */
function block(ms: number): void {
  const end = performance.now() + ms
  while (performance.now() < end);
}

/** What the test reaches in a tab. */
export type DatabaseTabGlobal = typeof tab

Object.assign(globalThis, { tab })
