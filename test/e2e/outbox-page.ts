// What runs in each tab: a handle on the outbox, within reach of the test.
import type { StoredMessage, StoredOutcome, OwnedOutbox } from 'statewire/storage'
import { createIndexedDbOutboxStore } from 'statewire/storage/indexeddb'

const leaseMs = Number(new URLSearchParams(location.search).get('leaseMs'))
const store = createIndexedDbOutboxStore({ name: 'e2e', leaseMs })
const added: string[] = []
const removed: [string, StoredOutcome][] = []
store.watch({
  added: (messages) => added.push(...messages.map(({ id }) => id)),
  removed: (id, outcome) => removed.push([id, outcome]),
})
let owned: OwnedOutbox | undefined
store.acquire(new AbortController().signal).then(
  (outbox) => {
    owned = outbox
  },
  () => undefined,
)

function message(id: string, text = ''): StoredMessage {
  return { id, type: 'SAY', payload: { text }, acceptedAt: Date.now(), priority: 0 }
}

const tab = {
  get fence() {
    return owned?.fence
  },
  get isLost() {
    return owned?.lost.aborted
  },
  get messages() {
    return owned?.messages.map(({ id }) => id)
  },
  added,
  removed,
  /** Adds a message; gives the name of what went wrong. */
  add: (id: string, text?: string) => attempt(() => store.add([message(id, text)])),
  put: (id: string) => attempt(() => owned?.write({ put: [message(id)] })),
  remove: (id: string) =>
    attempt(() => owned?.write({ remove: [{ id, outcome: { outcome: 'delivered' } }] })),
  close: () => store.close(),
  /** Keeps the thread busy, as a page that hangs does. */
  block(ms: number) {
    const end = performance.now() + ms
    while (performance.now() < end);
  },
}

async function attempt(run: () => Promise<void> | undefined): Promise<string> {
  try {
    await run()
    return 'done'
  } catch (error) {
    return error instanceof Error ? error.name : String(error)
  }
}

/** What the test reaches in a tab. */
export type OutboxTabGlobal = typeof tab

Object.assign(globalThis, { tab })
