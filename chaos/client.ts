// A client process: a device that receives and, if its plan says so, sends.
import { createSyncClient, type Receipt } from 'statewire'
import { createDelivery } from 'statewire/delivery'
import { createSqliteDatabase } from 'statewire/storage/sqlite'
import { describeAudit } from './audit.js'
import { Hearing } from './hearing.js'
import { onOrder, readPlan, say } from './process-side.js'
import { storm } from './protocol.js'
import type { ClientPlan, ClientReport } from './reports.js'

const plan = readPlan() as ClientPlan
const problems: string[] = []
const sends = plan.directory !== ''
const database = sends ? createSqliteDatabase(`${plan.directory}.db`, { pollMs: 200 }) : undefined

const sync = createSyncClient(storm, {
  url: plan.url,
  credentials: { user: plan.user, device: plan.device },
  backoff: { stepsMs: [50, 100, 200, 400], jitter: 'full', maxAttempts: Number.POSITIVE_INFINITY },
  connectTimeoutMs: 3_000,
  pingIntervalMs: 1_500,
  pongTimeoutMs: 1_500,
  restartSpreadMs: 200,
  onError: (error) => problems.push(`${error.code}: ${error.message}`),
  delivery: createDelivery({
    answerTimeoutMs: 3_000,
    // Room for the messages that several killed runs left behind.
    maxMessages: 10_000,
    maxBytes: 2 ** 24,
    ...(database && { database, leaseMs: plan.leaseMs }),
  }),
})
const hearing = new Hearing(
  () => sync.outbox.counts().reset,
  (what) => problems.push(what),
)
sync.on('SAID', ({ data }) => hearing.hear(data))
sync.start()

// Few enough that a killed process loses little, and enough for several transmission windows.
const MAX_UNSETTLED = 300
// Durable messages after the first one that is not known to be durable.
const durableAhead = new Set<number>()
const outcomes: Record<string, number> = {}
let possibleDuplicates = 0
let accepted = 0
let durable = 0
const unsettled = new Set<number>()

function sendNext(): void {
  const n = accepted + 1
  const { name: from, run } = plan
  const receipt = sync.send('SAY', { from, run, n, text: `message ${n} of ${from}` })
  if (receipt.outcome?.outcome === 'notSent') problems.push(`not sent: ${receipt.outcome.reason}`)
  accepted = n
  unsettled.add(n)
  void follow(receipt, n)
}

async function follow(receipt: Receipt, n: number): Promise<void> {
  void receipt.durable.then((isDurable) => {
    if (isDurable) noteDurable(n)
  })
  const settled = await receipt.settled
  unsettled.delete(n)
  outcomes[settled.outcome] = (outcomes[settled.outcome] ?? 0) + 1
  // The acknowledgement may come before the outbox confirms the write to disk.
  if (settled.outcome === 'delivered') noteDurable(n)
  if (settled.outcome === 'delivered' && settled.possibleDuplicate) possibleDuplicates += 1
}

function noteDurable(n: number): void {
  if (n > durable) durableAhead.add(n)
  while (durableAhead.delete(durable + 1)) durable += 1
}

const startedAt = performance.now()
if (sends) {
  setInterval(() => {
    const due = Math.min(plan.count, ((performance.now() - startedAt) * plan.rate) / 1_000)
    while (accepted < due && unsettled.size < MAX_UNSETTLED) sendNext()
  }, 10)
}

function report(): void {
  const { depth, isOwner } = sync.outbox.status
  say({
    kind: 'state',
    status: `${sync.status.state} ${sync.outbox.status.delivery}`,
    durable,
    accepted,
    outcomes,
    possibleDuplicates,
    isDone: accepted >= plan.count && unsettled.size === 0 && depth === 0,
    waiting: depth,
    unsettled: [unsettled.size, ...[...unsettled].slice(0, 3)],
    isOwner,
    counts: sync.outbox.counts(),
    heard: hearing.counts,
    state: describeAudit(sync.state),
    isEnded: sync.state.isEnded,
    problems: problems.splice(0),
  } satisfies ClientReport)
}
setInterval(report, 100)

onOrder(() => {
  report()
  sync.dispose()
  process.disconnect()
  process.exit(0)
})
