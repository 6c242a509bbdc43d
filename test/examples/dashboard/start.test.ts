import { join } from 'node:path'
import { createSyncClient } from 'statewire'
import { kull } from 'statewire/kull'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Summary } from '../../../examples/dashboard/once/once.js'
import { generatePictures } from '../../../examples/dashboard/photos/index.js'
import { temporaryFolder } from '../photos/temporary-folder.js'
import { startDemo } from './demo-process.js'

function shoots(folder: string, counts: Record<string, number>) {
  return Object.fromEntries(
    Object.entries(counts).map(([shoot, count]) => [
      [folder, shoot].join('/'),
      { status: 'completed', processedCount: count, totalCount: count },
    ]),
  )
}

describe('npm start -- --once', () => {
  it('[DEMO-20] [DEMO-21] processes a folder of the user, and sums up in JSON', async () => {
    const folder = await temporaryFolder()
    await generatePictures({ folder, seed: 'once', count: 16 })
    const demo = await startDemo(onTestFinished, '--once', folder)
    expect(await demo.ended).toBe(0)
    const summary = JSON.parse(demo.output) as Summary
    const name = folder.split('/').at(-1) ?? ''
    const seen = { shoots: shoots(name, { harbour: 8, 'old-town': 8 }), creditBalance: 484 }
    expect(summary).toEqual({
      folder,
      imagesProcessed: 16,
      durationMs: expect.any(Number) as number,
      worker: { ...seen, reportsNotSent: 0 },
      devices: ['studio-mac', 'travel-ipad'].map((deviceId) => ({
        deviceId,
        ...seen,
        messagesIn: expect.any(Number) as number,
      })),
      differences: [],
    })
    expect(summary.durationMs).toBeGreaterThan(0)
    // The charge of each photo, and begin and end of each shoot; progress may speak for another.
    for (const { messagesIn } of summary.devices) expect(messagesIn).toBeGreaterThan(20)
    expect(await demo.leftovers()).toEqual([])
  })

  it('[DEMO-37] [DEMO-38] loses the connection for half of the run, and all agree at the end', async () => {
    const demo = await startDemo(onTestFinished, '--once', '--offline', '--pictures', '24')
    expect(await demo.ended).toBe(0)
    const summary = JSON.parse(demo.output) as Summary
    const seen = {
      shoots: shoots('photos', { harbour: 8, 'old-town': 8, orchard: 8 }),
      creditBalance: 476,
    }
    expect(summary).toMatchObject({ imagesProcessed: 24, worker: seen, differences: [] })
    for (const device of summary.devices) expect(device).toMatchObject(seen)
    const { offline } = summary
    expect(offline).toEqual({
      brokeAfterImages: 6,
      mendedAfterImages: 18,
      queuedAtMost: expect.any(Number) as number,
      resumes: expect.any(Number) as number,
      resets: expect.any(Number) as number,
      retransmissions: expect.any(Number) as number,
    })
    // Reports of at least the shoots that it got to meanwhile waited, and one was lost on its way.
    expect(offline?.queuedAtMost).toBeGreaterThan(1)
    expect(offline?.resumes).toBeGreaterThan(0)
    expect(offline?.retransmissions).toBeGreaterThan(0)
    expect(await demo.leftovers()).toEqual([])
  })

  it.each([
    ['[DEMO-21]', []],
    ['[DEMO-37]', ['--offline']],
  ])('%s exits with 1 where a device saw what the worker never said', async (_rule, options) => {
    const demo = await startDemo(
      onTestFinished,
      ...['--once', '--pictures', '6', '--pace', '200'],
      ...options,
    )
    const url = await demo.prints(/ws:\S+(?=,)/)
    const intruder = createSyncClient(kull, {
      url,
      credentials: { userId: 'ada', deviceId: 'intruder' },
    })
    onTestFinished(() => intruder.dispose())
    // Both devices are connected by the time that the worker says something.
    const stop = intruder.on('SHOOT_PROGRESS', () => {
      stop()
      intruder.send('UPDATE_PROGRESS', { shootId: 'ghost', status: 'completed' })
    })
    intruder.start()
    expect(await demo.ended).toBe(1)
    const summary = JSON.parse(demo.output) as Summary
    const differences = ['studio-mac', 'travel-ipad'].map(
      (device) => `${device} saw ghost as completed ?/?, the worker left it as nothing`,
    )
    expect(summary).toMatchObject({
      imagesProcessed: 6,
      worker: { shoots: shoots('photos', { harbour: 6 }) },
      differences,
    })
    for (const difference of differences) expect(demo.errors).toContain(difference)
    expect(await demo.leftovers()).toEqual([])
  })

  it('[DEMO-23] is ended in the middle, exits with 1 and leaves nothing', async () => {
    const demo = await startDemo(onTestFinished, '--once', '--pictures', '9', '--pace', '60000')
    await demo.prints(/ws:\S+/)
    demo.terminate()
    expect(await demo.ended).toBe(1)
    expect(demo.output).toBe('')
    expect(demo.errors).toContain('Stopped by SIGTERM')
    expect(await demo.leftovers()).toEqual([])
  })

  it('[DEMO-22] exits with 2 and says why, where it is asked for what makes no sense', async () => {
    const folder = await temporaryFolder()
    for (const [args, message] of [
      [[folder], `${folder} holds no photos`],
      [[join(folder, 'missing')], `There is no folder ${folder}/missing`],
      [['--twice'], "'--twice'"],
    ] as const) {
      const demo = await startDemo(onTestFinished, '--once', ...args)
      expect(await demo.ended).toBe(2)
      expect(demo.errors).toContain(message)
      expect(demo.output).toBe('')
      expect(await demo.leftovers()).toEqual([])
    }
  })
})

describe('npm start', () => {
  it('[DEMO-23] ends with Ctrl-C in the middle of the work, and leaves nothing', async () => {
    const demo = await startDemo(onTestFinished, '--pictures', '9', '--pace', '60000')
    const page = await demo.prints(/http:\S+(?=\/\?device)/)
    const url = await demo.prints(/ws:\S+/)
    const device = createSyncClient(kull, { url, credentials: { userId: 'ada', deviceId: 'mac' } })
    onTestFinished(() => device.dispose())
    // The worker begins when the first device connects.
    const hasBegun = new Promise<void>((resolve) => {
      device.on('SHOOT_PROGRESS', () => resolve())
    })
    device.start()
    await hasBegun
    expect(await (await fetch(`${page}/demo/status`)).json()).toMatchObject({
      worker: { state: 'working', environment: 'development' },
    })

    demo.interrupt()
    expect(await demo.ended).toBe(0)
    expect(await demo.leftovers()).toEqual([])
    await expect(fetch(page)).rejects.toThrow()
  })
})
