import { join } from 'node:path'
import { createSyncClient } from 'statewire'
import { createDelivery } from 'statewire/delivery'
import { kull, type ShootProgress } from 'statewire/kull'
import { createSqliteDatabase } from 'statewire/storage/sqlite'
import { expect, it, onTestFinished } from 'vitest'
import { openBreakableProxy } from '../../../examples/dashboard/once/breakable-proxy.js'
import { startEnvironment } from '../../../examples/dashboard/server/environment-server.js'
import { createReports } from '../../../examples/dashboard/worker/reports.js'
import { temporaryFolder } from '../photos/temporary-folder.js'
import { eventually } from '../../eventually.js'

const userId = 'ada'
const deviceId = 'photo-worker'

function progress(shootId: string, processedCount: number): ShootProgress {
  return { shootId, status: 'processing', processedCount, totalCount: 9 }
}

/** A worker's client, a proxy in front of a server with delivery, and a device that receives. */
async function createBench() {
  const environment = await startEnvironment({
    name: 'development',
    port: 0,
    secret: 'open-sesame',
    isOurPage: () => false,
    onError: (error) => expect.unreachable(error.message),
  })
  onTestFinished(() => environment.stop())
  const proxy = await openBreakableProxy(environment.port)
  onTestFinished(() => proxy[Symbol.asyncDispose]())
  const path = join(await temporaryFolder(), 'outbox.db')
  /** A run of the worker, on the outbox of the runs before. */
  function run() {
    const database = createSqliteDatabase(path)
    const sync = createSyncClient(kull, {
      url: `ws://127.0.0.1:${proxy.port}/ws`,
      credentials: { userId, deviceId },
      delivery: createDelivery({ database }),
      backoff: { stepsMs: [20], jitter: 'none', maxAttempts: 1_000 },
    })
    onTestFinished(async () => {
      sync.dispose()
      await sync.disposed
      await database.close()
    })
    return { sync, reports: createReports(sync) }
  }
  const arrived: string[] = []
  const listener = createSyncClient(kull, {
    url: environment.webSocketUrl,
    credentials: { userId, deviceId: 'mac' },
  })
  onTestFinished(() => listener.dispose())
  listener.on('SHOOT_PROGRESS', ({ data }) => {
    arrived.push(`${data.shootId} ${data.processedCount}`)
  })
  listener.start()
  await eventually(() => expect(listener.isConnected).toBe(true))
  return { arrived, proxy, run, ...run() }
}

const patience = () => AbortSignal.timeout(30_000)

it('[DEMO-10] sends progress as it comes, and is done when the server has it', async () => {
  const { arrived, reports, sync } = await createBench()
  sync.start()
  await eventually(() => expect(sync.outbox.status.delivery).toBe('live'))
  for (const [shoot, count] of [
    ['a', 1],
    ['a', 2],
    ['b', 1],
  ] as const) {
    reports.send(progress(shoot, count))
    await reports.delivered(patience())
  }
  expect(sync.outbox.status.depth).toBe(0)
  await eventually(() => expect(arrived).toEqual(['a 1', 'a 2', 'b 1']))
  expect([...reports.latest.values()]).toEqual([progress('a', 2), progress('b', 1)])
  expect(reports.notSentCount).toBe(0)
})

it('[DEMO-10] sends the latest of each shoot once connected, and no older one', async () => {
  const { arrived, reports, sync } = await createBench()
  await eventually(() => expect(sync.outbox.status.isOwner).toBe(true))
  for (const count of [1, 2, 3]) reports.send(progress('a', count))
  reports.send(progress('b', 1))
  const soon = reports.delivered(AbortSignal.timeout(20))
  await expect(soon).rejects.toThrow()
  expect(reports.delivery).toEqual({ queuedAtMost: 2, resumes: 0, resets: 0, retransmissions: 0 })
  sync.start()
  await reports.delivered(patience())
  await eventually(() => expect(arrived).toEqual(['a 3', 'b 1']))
  expect(reports.notSentCount).toBe(2)
})

it('[DEMO-10] sends again what went into a connection that was dead already', async () => {
  const { arrived, proxy, reports, sync } = await createBench()
  sync.start()
  reports.send(progress('a', 1))
  await reports.delivered(patience())
  proxy.break()
  reports.send(progress('a', 2))
  await eventually(() => expect(sync.isConnected).toBe(false))
  expect(sync.outbox.counts().transmitted).toBe(2)
  reports.send(progress('b', 1))
  proxy.mend()
  await reports.delivered(patience())
  expect(reports.delivery).toMatchObject({ queuedAtMost: 2, retransmissions: 1 })
  expect(reports.delivery.resumes).toBeGreaterThan(0)
  await eventually(() => expect(arrived).toEqual(['a 1', 'a 2', 'b 1']))
})

it('[DEMO-10] keeps what it could not send, and the next run sends it', async () => {
  const { arrived, reports, run, sync } = await createBench()
  await eventually(() => expect(sync.outbox.status.isOwner).toBe(true))
  const receipt = sync.send('UPDATE_PROGRESS', progress('a', 4))
  expect(await receipt.durable).toBe(true)
  reports.send(progress('b', 5))
  sync.dispose()
  const next = run()
  next.sync.start()
  await eventually(() => expect(arrived).toEqual(['a 4', 'b 5']))
})

it('[DEMO-10] rejects where the server will never have a progress', async () => {
  const { reports, sync } = await createBench()
  sync.start()
  reports.send({ ...progress('', 1) })
  await expect(reports.delivered(patience())).rejects.toThrow('refused, no-shoot-id')
})

it('gives up waiting when told to, at once where it was told before', async () => {
  const { reports } = await createBench()
  reports.send(progress('a', 1))
  const reason = new Error('enough')
  const controller = new AbortController()
  const delivered = reports.delivered(controller.signal)
  controller.abort(reason)
  await expect(delivered).rejects.toBe(reason)
  await expect(reports.delivered(AbortSignal.abort(reason))).rejects.toBe(reason)
})

it('throws what is no progress back at once, connected or not', async () => {
  const { reports, sync } = await createBench()
  sync.start()
  expect(() => reports.send({ ...progress('a', 1), eta: Number.NaN })).toThrow(TypeError)
})
