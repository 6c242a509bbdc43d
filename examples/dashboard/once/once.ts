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

/** What `npm start -- --once` prints. */
export type Summary = {
  folder: string
  imagesProcessed: number
  durationMs: number
  worker: { shoots: Record<string, ShootSummary>; creditBalance: number; reportsNotSent: number }
  devices: readonly DeviceSummary[]
  /** With `--offline`: what became of what the worker could not say. */
  offline?: OutageSummary
  /** What a device saw differently from the worker, a sentence each. */
  differences: readonly string[]
}

/** What one device saw. */
export type DeviceSummary = {
  deviceId: string
  /** The last progress of each shoot before it left the device's list. */
  shoots: Record<string, ShootSummary>
  creditBalance: number
  messagesIn: number
}

type ShootSummary = Pick<Shoot, 'status' | 'processedCount' | 'totalCount'>

const userId = ada.id
/** One with delivery, and one as apps are that have never heard of it. */
const devices = [
  { userId, deviceId: 'studio-mac', isPlain: false },
  { userId, deviceId: 'travel-ipad', isPlain: true },
] as const

/** The server has the last messages by then, but they may still be on their way to the devices. */
const settleMs = 5_000
/** A finished shoot leaves a device's list after 5 s. */
const leaveMs = 10_000

/**
 * Does the main job headless: a server, a worker in a process of its own, and two devices that watch.
 * Rejects when the worker fails, and when aborted; nothing is left behind either way.
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
