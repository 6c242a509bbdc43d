import { createSyncClient } from 'statewire'
import { createDelivery } from 'statewire/delivery'
import { kull } from 'statewire/kull'
import { expect, it, onTestFinished } from 'vitest'
import { startEnvironment } from '../../../examples/dashboard/server/environment-server.js'
import { temporaryFolder } from '../photos/temporary-folder.js'
import { eventually } from '../../eventually.js'

const userId = 'ada'

/** An environment, and devices of a user on it, with delivery or without. */
async function serve(folder?: string) {
  const environment = await startEnvironment({
    name: 'development',
    port: 0,
    secret: 'open-sesame',
    isOurPage: () => false,
    ...(folder !== undefined && { folder }),
    onError: (error) => expect.unreachable(error.message),
  })
  onTestFinished(() => environment.stop())

  async function connect(deviceId: string, { isPlain = false } = {}) {
    const sync = createSyncClient(kull, {
      url: environment.webSocketUrl,
      credentials: { userId, deviceId },
      ...(!isPlain && { delivery: createDelivery() }),
      backoff: { stepsMs: [20], jitter: 'none', maxAttempts: 1_000 },
    })
    onTestFinished(() => sync.dispose())
    const heard: string[] = []
    sync.on('SHOOT_PROGRESS', ({ data }) => heard.push(`${data.shootId} ${data.processedCount}`))
    sync.on('CREDIT_UPDATE', ({ data }) => heard.push(`credits ${data.newBalance}`))
    sync.start()
    await eventually(() => {
      expect(sync.isConnected).toBe(true)
      if (!isPlain) expect(sync.outbox.status.delivery).toBe('live')
    })
    const report = (processedCount: number) =>
      sync.send('UPDATE_PROGRESS', { shootId: 'a', status: 'processing', processedCount })
    return { sync, heard, report }
  }
  return { environment, connect }
}

it.each([
  ['in files', true],
  ['in memory', false],
])('[DEMO-33] keeps what it acknowledged over a restart, %s', async (_where, isInFiles) => {
  const folder = isInFiles ? await temporaryFolder() : undefined
  const { environment, connect } = await serve(folder)
  const mac = await connect('mac')
  const ipad = await connect('ipad')
  expect(await mac.report(1).settled).toEqual({ outcome: 'delivered' })
  await eventually(() => expect(ipad.heard).toEqual(['a 1']))
  const { reset } = ipad.sync.outbox.counts()

  ipad.sync.disconnect()
  environment.addCredits(userId, 100)
  await eventually(() => expect(mac.heard).toEqual(['a 1', 'credits 600']))
  await environment.stop()
  const waiting = mac.report(2)
  await environment.start()
  expect(await waiting.settled).toEqual({ outcome: 'delivered' })
  ipad.sync.connect()
  await eventually(() => expect(ipad.heard).toEqual(['a 1', 'credits 600', 'a 2']))
  expect(ipad.sync.outbox.counts()).toMatchObject({ reset, gaps: 0 })
  expect(mac.heard).toEqual(['a 1', 'credits 600', 'a 2'])
})

it('[DEMO-33] is a server as before to a device without delivery', async () => {
  const { environment, connect } = await serve(await temporaryFolder())
  const plain = await connect('old', { isPlain: true })
  const mac = await connect('mac')
  expect(await plain.report(1).settled).toEqual({ outcome: 'sent' })
  await eventually(() => expect(mac.heard).toEqual(['a 1']))
  await mac.report(2).settled
  environment.addCredits(userId, 100)
  await eventually(() => expect(plain.heard).toEqual(['a 1', 'a 2', 'credits 600']))
  await environment.stop()
  await environment.start()
  await eventually(() => expect(plain.sync.isConnected).toBe(true))
  expect(plain.heard).toHaveLength(3)
  const types: string[] = []
  plain.sync.unknown$.subscribe(({ type }) => types.push(type))
  await mac.report(3).settled
  await eventually(() => expect(plain.heard).toContain('a 3'))
  expect(types).toEqual([])
})

it('[DEMO-35] refuses the progress of a shoot without a name, and nobody hears of it', async () => {
  const { connect } = await serve()
  const mac = await connect('mac')
  const nameless = mac.sync.send('UPDATE_PROGRESS', { shootId: '', status: 'queued' })
  expect(await nameless.settled).toEqual({ outcome: 'refused', code: 'no-shoot-id' })
  await mac.report(1).settled
  await eventually(() => expect(mac.heard).toEqual(['a 1']))
})
