// The server process: it has a durable log, relays messages, and sends some of its own.
import { join } from 'node:path'
import { createSyncServer, type DeliveryLog } from 'statewire/server'
import { createSqliteLog } from 'statewire/server/sqlite'
import type { Audit } from './audit.js'
import { readAudit } from './read-log.js'
import { storm } from './protocol.js'
import { onOrder, readPlan, say } from './process-side.js'
import type { ServerPlan, ServerReport } from './reports.js'

const plan = readPlan() as ServerPlan
const tell = (report: ServerReport): void => say(report)
const problems: string[] = []
// The process before was killed: its ownership ends once it is silent.
const log = await createSqliteLog(join(plan.directory, 'log.sqlite'), { leaseMs: plan.leaseMs })
// This process continues where the log of the one before ends.
const saidBefore = new Map<string, Audit>()
for (const user of Object.keys(plan.broadcasts)) saidBefore.set(user, await readAudit(log, user))

const server = createSyncServer({
  protocol: storm,
  delivery: {
    log: log satisfies DeliveryLog,
    maxEntries: plan.maxEntries,
    idleMs: 1_000,
    drainSpreadMs: 500,
  },
  onError: (error) => problems.push(`${error.code}: ${error.message} ${String(error.cause)}`),
})
const { port } = await server.listen(0, '127.0.0.1')
tell({ kind: 'listening', port })

// How many messages may be waiting for the log at the same time.
const MAX_PENDING = 64
const SOURCE = 'server'
const unsaid = new Set(Object.keys(plan.broadcasts))
let isClosing = false

async function sayTo(user: string, { count, rate }: { count: number; rate: number }) {
  const before = saidBefore.get(user)
  let n = before?.ends.get(`${SOURCE}/1`) ?? 0
  let pending = 0
  const startedAt = performance.now()
  const startedWith = n
  while (n < count && !isClosing) {
    const due = startedWith + ((performance.now() - startedAt) * rate) / 1_000
    while (n < Math.min(count, due) && pending < MAX_PENDING) {
      n += 1
      pending += 1
      const said = { from: SOURCE, run: 1, n, text: 'from the server' }
      server.publishToUser(user, 'SAID', said).then(
        () => (pending -= 1),
        (error: unknown) => {
          if (!isClosing) problems.push(`publish: ${String(error)}`)
        },
      )
    }
    await pause(10)
  }
  while (pending > 0 && !isClosing) await pause(10)
  if (!isClosing) unsaid.delete(user)
}

for (const [user, share] of Object.entries(plan.broadcasts)) void sayTo(user, share)

function report(): void {
  const { delivery } = server.stats()
  const isDone = unsaid.size === 0
  tell({ kind: 'state', counts: { ...delivery }, isDone, problems: problems.splice(0) })
}
setInterval(report, 100)

onOrder(async (order) => {
  if (order.kind === 'end') {
    for (const user of Object.keys(plan.broadcasts)) await server.publishToUser(user, 'ENDED')
    return
  }
  isClosing = true
  await server.close({ graceMs: 1_000 })
  await log.end()
  report()
  process.disconnect()
  process.exit(0)
})

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
