import { basename, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { createSyncClient, type SyncError } from 'statewire'
import { createDelivery } from 'statewire/delivery'
import { kull, type ShootProgress } from 'statewire/kull'
import { createSqliteDatabase } from 'statewire/storage/sqlite'
import { analyzePhoto, cullShoot, findShoots, type Shoot } from '../photos/index.js'
import { openAccount } from './account.js'
import type { JobProgress, WorkerJob, WorkerReport } from './job.js'
import { createReports } from './reports.js'

/** How long a stopped worker waits until the server has its last reports, in ms. */
const farewellMs = 1_500

// Nobody can press "Connect" for the worker, so it retries for ever. Its waits are short, since a
// user waits for the job.
const backoff = {
  stepsMs: [1_000, 2_000, 4_000],
  jitter: 'none',
  maxAttempts: Number.POSITIVE_INFINITY,
} as const

/** The listeners of a job. */
export type WorkListeners = {
  onProgress?: (progress: JobProgress) => void
  onError: (error: SyncError) => void
}

/**
 * Culls every shoot of a folder, reports the progress to the user's devices, and charges a credit
 * per photo. Rejects when aborted, when the folder has no photo, when the server refuses the worker
 * for good, and when it refuses a charge. Before that it reports the unfinished shoots as `failed`.
 */
export async function work(
  job: WorkerJob,
  { signal, onProgress, onError }: WorkListeners & { signal: AbortSignal },
): Promise<WorkerReport> {
  const startedAt = performance.now()
  const found = await findShoots(job.folder, { signal })
  if (!found.ok) throw new Error(found.message)

  const stop = new AbortController()
  const either = AbortSignal.any([signal, stop.signal])
  const { userId, deviceId } = job
  const database = createSqliteDatabase(join(job.outboxFolder, 'outbox.db'))
  const sync = createSyncClient(kull, {
    url: job.webSocketUrl,
    credentials: { userId, deviceId },
    delivery: createDelivery({ database }),
    backoff,
    onError,
  })
  sync.status$.subscribe((status) => {
    if (status.state === 'failed') stop.abort(new Error(status.error.message))
  })
  sync.start()

  const reports = createReports(sync)
  try {
    const account = await openAccount(job, {
      signal: either,
      onRefused: (error) => stop.abort(error),
    })
    for (const shoot of found.shoots) reports.send(progressOf(job, shoot, 'queued', 0))
    await reports.delivered(either)
    const imagesTotal = found.shoots.reduce((total, { photos }) => total + photos.length, 0)
    let imagesProcessed = 0
    onProgress?.({ imagesProcessed, imagesTotal })
    for (const shoot of found.shoots) {
      await cullShoot(shoot, {
        signal: either,
        analyze: async (path, options) => {
          const result = await analyzePhoto(path, options)
          await pause(job.paceMs, undefined, options)
          return result
        },
        onProgress({ processedCount, currentImage, etaSeconds }) {
          imagesProcessed++
          const now = progressOf(job, shoot, 'processing', processedCount)
          reports.send({ ...now, currentImage, eta: etaSeconds })
          account.charge(`${shoot.name}/${currentImage}`)
          onProgress?.({ imagesProcessed, imagesTotal })
        },
      })
      reports.send(progressOf(job, shoot, 'completed', shoot.photos.length))
    }
    await account.settled()
    await reports.delivered(either)
    return {
      shoots: Object.fromEntries(reports.latest),
      creditBalance: account.balance,
      imagesProcessed,
      durationMs: Math.round(performance.now() - startedAt),
      reportsNotSent: reports.notSentCount,
      delivery: reports.delivery,
    }
  } catch (error) {
    // No other process will report that these shoots have ended.
    for (const progress of [...reports.latest.values()]) {
      if (progress.status === 'completed') continue
      const { currentImage: _image, eta: _eta, ...rest } = progress
      reports.send({ ...rest, status: 'failed', errorMessage: 'The worker was stopped' })
    }
    // The reports stay in the outbox, but perhaps no later worker sends them.
    await reports.delivered(AbortSignal.timeout(farewellMs)).catch(() => undefined)
    // The aborted operation may have thrown an error of its own.
    throw either.aborted ? either.reason : error
  } finally {
    sync.dispose()
    await sync.disposed
    await database.close()
  }
}

function progressOf(
  { folder }: WorkerJob,
  shoot: Shoot,
  status: ShootProgress['status'],
  processedCount: number,
): ShootProgress {
  const parts = [basename(folder), shoot.id].filter((part) => part !== '.')
  return {
    shootId: parts.join('/'),
    status,
    processedCount,
    totalCount: shoot.photos.length,
    provider: 'statewire-dashboard',
  }
}
