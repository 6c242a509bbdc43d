import { basename } from 'node:path'
import { createSyncClient } from 'statewire'
import { kull } from 'statewire/kull'
import { expect, it, onTestFinished } from 'vitest'
import { generatePictures } from '../../../examples/dashboard/photos/index.js'
import { startEnvironment } from '../../../examples/dashboard/server/environment-server.js'
import { work } from '../../../examples/dashboard/worker/work.js'
import { temporaryFolder } from '../photos/temporary-folder.js'
import { eventually } from '../../eventually.js'

const userId = 'ada'
const workerId = 'photo-worker'

/** A worker's job on three small shoots, a server for it, and a device that watches. */
async function prepare({ count = 24, paceMs = 0 } = {}) {
  const folder = await temporaryFolder()
  await generatePictures({ folder, seed: 'work', count })
  const errors: Error[] = []
  const onError = (error: Error) => errors.push(error)
  const environment = await startEnvironment({
    name: 'development',
    port: 0,
    secret: 'open-sesame',
    isOurPage: () => false,
    onError,
  })
  onTestFinished(() => environment.stop())
  const { webSocketUrl, httpUrl } = environment
  const watcher = createSyncClient(kull, {
    url: webSocketUrl,
    credentials: { userId, deviceId: 'mac' },
    // Back sooner than the worker: what is said while nobody is there is not said again.
    backoff: { stepsMs: [20], jitter: 'none', maxAttempts: 1_000 },
  })
  onTestFinished(() => watcher.dispose())
  const seen: string[] = []
  watcher.on('SHOOT_PROGRESS', ({ data }) => {
    const { shootId, status, processedCount } = data
    seen.push(`${shootId.replace(`${basename(folder)}/`, '')} ${status} ${processedCount}`)
  })
  watcher.start()
  await eventually(() => expect(watcher.isConnected).toBe(true))

  const job = {
    folder,
    userId,
    deviceId: workerId,
    webSocketUrl,
    httpUrl,
    secret: 'open-sesame',
    outboxFolder: await temporaryFolder(),
    paceMs,
  }
  return { environment, errors, onError, job, seen, watcher }
}

it('[DEMO-9] reports each photo and charges for it', async () => {
  const { errors, job, onError, seen, watcher } = await prepare()
  const report = await work(job, { signal: new AbortController().signal, onError })
  expect(report).toMatchObject({ imagesProcessed: 24, creditBalance: 476, reportsNotSent: 0 })
  expect(Object.values(report.shoots).map(({ status }) => status)).toEqual([
    'completed',
    'completed',
    'completed',
  ])
  await eventually(() => expect(watcher.state.creditBalance).toBe(476))
  await eventually(() => expect(seen).toContain('orchard completed 8'))
  // Of two photos that are done at once, the later one may speak for both.
  const counts = new Map<string, number[]>()
  for (const line of seen) {
    const [shoot = '', status = '', count] = line.split(' ')
    if (status === 'queued') expect(line).toBe(`${shoot} queued 0`)
    else counts.set(shoot, [...(counts.get(shoot) ?? []), Number(count)])
  }
  expect([...counts.keys()]).toEqual(['harbour', 'old-town', 'orchard'])
  for (const [shoot, reported] of counts) {
    expect(reported).toEqual([...reported].sort((one, other) => one - other))
    expect(seen.filter((line) => line.startsWith(shoot)).at(-1)).toBe(`${shoot} completed 8`)
  }
  expect(errors).toEqual([])
})

it('[DEMO-10] [DEMO-11] goes on through a cut and a stopped server, and all agree at the end', async () => {
  const { environment, job, onError, seen } = await prepare({ paceMs: 150 })
  const controller = new AbortController()
  onTestFinished(() => controller.abort())
  const working = work(job, { signal: controller.signal, onError })
  await eventually(() => expect(seen).toContain('harbour processing 2'))
  environment.cut(userId, workerId)
  const isBack = () => seen.some((line) => line.startsWith('old-town processing'))
  await eventually(() => expect(isBack()).toBe(true))
  await environment.stop()
  await environment.start()

  const report = await working
  expect(report).toMatchObject({ imagesProcessed: 24, creditBalance: 476 })
  expect(report.delivery.queuedAtMost).toBeGreaterThan(0)
  expect(report.delivery.resumes).toBeGreaterThan(1)
  await eventually(() => expect(seen).toContain('orchard completed 8'))
})

it('[DEMO-12] says of the shoots it leaves undone that they failed', async () => {
  const { job, onError, seen } = await prepare({ paceMs: 50 })
  const controller = new AbortController()
  const working = work(job, { signal: controller.signal, onError })
  await eventually(() => expect(seen).toContain('harbour processing 2'))
  const reason = new Error('enough')
  controller.abort(reason)
  await expect(working).rejects.toBe(reason)
  await eventually(() => expect(seen).toContain('orchard failed 0'))
  expect(seen).toContain('old-town failed 0')
  expect(seen.some((line) => line.startsWith('harbour failed'))).toBe(true)
})

it('[DEMO-12] ends where the server will have nothing of it', async () => {
  const { job, onError, seen } = await prepare()
  const { signal } = new AbortController()
  await expect(work({ ...job, userId: '' }, { signal, onError })).rejects.toThrow()
  await expect(work({ ...job, secret: 'guess' }, { signal, onError })).rejects.toThrow('403')
  await eventually(() => expect(seen).toContain('orchard failed 0'))
})

it('[DEMO-22] refuses a folder without photos', async () => {
  const { job, onError } = await prepare({ count: 1 })
  const folder = await temporaryFolder()
  const { signal } = new AbortController()
  await expect(work({ ...job, folder }, { signal, onError })).rejects.toThrow('holds no photos')
})
