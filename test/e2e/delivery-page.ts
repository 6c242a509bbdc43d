// What runs in each tab: a client with delivery and its outbox in IndexedDB, within reach of the test.
import { createSyncClient } from 'statewire'
import { createDelivery } from 'statewire/delivery'
import { kull } from 'statewire/kull'
import { createIndexedDbDatabase } from 'statewire/storage/indexeddb'

const parameters = new URLSearchParams(location.search)
const leaseMs = Number(parameters.get('leaseMs'))
// Each message counts here: kull itself sends only the latest of a shoot.
const sync = createSyncClient(
  { ...kull, outbox: {} },
  {
    url: parameters.get('server') ?? '',
    credentials: { userId: 'ada', deviceId: 'WEB' },
    backoff: { stepsMs: [50], jitter: 'none', maxAttempts: Number.POSITIVE_INFINITY },
    delivery: createDelivery({
      leaseMs,
      database: createIndexedDbDatabase({ name: 'e2e', pollMs: Math.min(leaseMs / 2, 5_000) }),
    }),
  },
)
const outcomes: string[] = []
const heard: number[] = []
sync.on('SHOOT_PROGRESS', ({ data }) => {
  heard.push(data.processedCount ?? 0)
})
sync.start()

let sending: ReturnType<typeof setInterval> | undefined
let stored: Promise<number> | undefined
let next = 1

const tab = {
  /** The outcomes of what was sent here, as they came. */
  outcomes,
  heard,
  get counts() {
    return sync.outbox.counts()
  },
  get status() {
    return sync.outbox.status
  },
  /** Sends some messages; resolves with how many of them survive a crash. */
  async send(...numbers: number[]): Promise<number> {
    const receipts = numbers.map((processedCount) =>
      sync.send('UPDATE_PROGRESS', {
        ...{ shootId: 'shoot-1', status: 'processing', totalCount: 1_000 },
        processedCount,
      }),
    )
    for (const { settled } of receipts) void settled.then(({ outcome }) => outcomes.push(outcome))
    const durable = await Promise.all(receipts.map((receipt) => receipt.durable))
    return durable.filter((isDurable) => isDurable).length
  },
  /** Sends a message every so often, from now on. */
  sendOn(from: number, everyMs: number) {
    next = from
    sending = setInterval(() => {
      stored = tab.send(next)
      next += 1
    }, everyMs)
  },
  /** Sends no more. Gives the number of the next message, once those before are stored. */
  async rest(): Promise<number> {
    clearInterval(sending)
    await stored
    return next
  },
  /** Keeps the thread busy. */
  block(ms: number) {
    const end = performance.now() + ms
    while (performance.now() < end);
  },
}

/** What the test reaches in a tab. */
export type DeliveryTabGlobal = typeof tab

Object.assign(globalThis, { tab })
