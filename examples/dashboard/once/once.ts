import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import type { Shoot } from 'statewire/kull'
import { ada } from '../accounts.js'
import { createCleanUp } from '../clean-up.js'
import { providePictures } from '../picture-folder.js'
import { startEnvironment } from '../server/environment-server.js'
import { createTemporaryFolder } from '../temporary-folder.js'
import { startWorker } from '../worker/worker-process.js'
import { findDifferences } from './compare.js'
import { createOutage, type OutageSummary } from './outage.js'
import { until } from './until.js'
import { createWatcher } from './watcher.js'

/** The result that `npm start -- --once` prints. */
export type Summary = {
  folder: string
  imagesProcessed: number
  durationMs: number
  worker: { shoots: Record<string, ShootSummary>; creditBalance: number; reportsNotSent: number }
  devices: readonly DeviceSummary[]
  /** With `--offline`: what happened to the messages that the worker sent while offline. */
  offline?: OutageSummary
  /** The differences between the devices and the worker, one sentence each. */
  differences: readonly string[]
}

/** The result of one device. */
export type DeviceSummary = {
  deviceId: string
  /** The last progress of each shoot before it was removed from the device's list. */
  shoots: Record<string, ShootSummary>
  creditBalance: number
  messagesIn: number
}

type ShootSummary = Pick<Shoot, 'status' | 'processedCount' | 'totalCount'>

const userId = ada.id
/** One client has delivery, the other has not. */
const devices = [
  { userId, deviceId: 'studio-mac', isPlain: false },
  { userId, deviceId: 'travel-ipad', isPlain: true },
] as const

/** How long the last messages may take from the server to the devices. */
const settleMs = 5_000
/** How long a finished shoot may stay in a device's list: it is removed after 5 s. */
const leaveMs = 10_000

/**
 * Runs the main job without a page: a server, a worker in its own process, and two devices that
 * watch. Rejects if the worker fails, or when aborted. It leaves nothing behind in either case.
 */
export async function runOnce(
  wanted: {
    folder: string | undefined
    pictures: number
    seed: string
    paceMs: number
    isOffline: boolean
  },
  signal: AbortSignal,
): Promise<Summary> {
  const onError = (error: Error) => console.error(error.message, error.cause ?? '')
  await using temporary = await createTemporaryFolder()
  const folder = await providePictures(wanted, temporary.path, signal)
  const secret = randomUUID()
  await using cleanUp = createCleanUp()
  const environment = await startEnvironment({
    name: 'development',
    port: 0,
    secret,
    isOurPage: () => false,
    folder: join(temporary.path, 'log'),
    onError,
  })
  cleanUp.defer(() => environment.stop())
  console.error(`${environment.name} is at ${environment.webSocketUrl}, the photos in ${folder}`)
  const watchers = devices.map((device) => createWatcher(environment, device, onError))
  for (const watcher of watchers) cleanUp.defer(() => watcher[Symbol.dispose]())
  for (const watcher of watchers) await watcher.connected(signal)

  const outage = wanted.isOffline ? await createOutage(environment) : undefined
  if (outage !== undefined) cleanUp.defer(() => outage[Symbol.asyncDispose]())
  const { webSocketUrl, httpUrl } = outage ?? environment
  const job = {
    folder,
    userId,
    deviceId: 'photo-worker',
    webSocketUrl,
    httpUrl,
    secret,
    outboxFolder: join(temporary.path, 'worker-outbox'),
    paceMs: wanted.paceMs,
  }
  const worker = startWorker(job, (progress) => outage?.hear(progress))
  cleanUp.defer(() => worker.stop())
  const stopWorker = () => void worker.stop()
  signal.addEventListener('abort', stopWorker)
  const outcome = await worker.outcome
  signal.removeEventListener('abort', stopWorker)
  signal.throwIfAborted()
  if (!outcome.ok) throw new Error(outcome.message)

  const { report } = outcome
  const compare = () =>
    watchers.flatMap(({ deviceId, view }) => findDifferences(report, { deviceId, ...view() }))
  await until(() => compare().length === 0, watchers, { withinMs: settleMs, signal })
  const hasLeft = () => watchers.every(({ activeShoots }) => activeShoots === 0)
  await until(hasLeft, watchers, { withinMs: leaveMs, signal })

  return {
    folder,
    imagesProcessed: report.imagesProcessed,
    durationMs: report.durationMs,
    worker: {
      shoots: summarise(report.shoots),
      creditBalance: report.creditBalance,
      reportsNotSent: report.reportsNotSent,
    },
    devices: watchers.map((watcher) => {
      const { shoots, creditBalance } = watcher.view()
      const { deviceId, messagesIn } = watcher
      return { deviceId, shoots: summarise(shoots), creditBalance, messagesIn }
    }),
    ...(outage !== undefined && { offline: outage.summarise(report.delivery) }),
    differences: compare(),
  }
}

function summarise(
  shoots: Record<string, Partial<Omit<ShootSummary, 'status'>> & Pick<Shoot, 'status'>>,
): Record<string, ShootSummary> {
  return Object.fromEntries(
    Object.entries(shoots).map(([shootId, { status, processedCount, totalCount }]) => [
      shootId,
      { status, processedCount, totalCount },
    ]),
  )
}
