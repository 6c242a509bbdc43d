import { createSyncClient } from 'statewire'
import { createDelivery } from 'statewire/delivery'
import { createEnvironments, kull } from 'statewire/kull'
import { createMemoryStore } from 'statewire/storage'
import { createFakeTransport, createManualClock } from 'statewire/testing'
import { expect, it } from 'vitest'

it('[ENVS-7] keeps the queues of environments apart', async () => {
  const clock = createManualClock()
  const network = createFakeTransport({ clock, protocol: kull })
  const sent: string[] = []
  network.peer.answersAnything(({ type, data }, socket) => {
    if (type !== 'UPDATE_PROGRESS') return
    const { host } = new URL(socket.request.url)
    sent.push(`${(data as { shootId: string }).shootId} to ${host}`)
  })
  const environments = await createEnvironments({
    store: createMemoryStore(),
    release: true,
    sync: { reconnect: (target) => sync.reconnect(target) },
    clock,
  })
  const sync = createSyncClient(kull, {
    url: () => environments.current.webSocketUrl,
    credentials: { userId: 'u', deviceId: 'd' },
    transport: network,
    clock,
    delivery: createDelivery({ key: () => environments.current.webSocketUrl }),
  })
  const report = (shootId: string) => sync.send('UPDATE_PROGRESS', { shootId, status: 'queued' })

  network.peer.isUnreachable()
  sync.start()
  await clock.advanceAsync(0)
  const waiting = report('production-1')
  network.peer.accepts()
  await environments.switchTo('staging')
  report('staging-1')
  await clock.advanceAsync(2_000)
  expect(sent).toEqual(['staging-1 to staging.kullai.com'])
  expect(waiting.outcome).toBeUndefined()
  await environments.switchTo('production')
  await clock.advanceAsync(2_000)
  expect(sent).toEqual(['staging-1 to staging.kullai.com', 'production-1 to kullai.com'])
  expect(waiting.outcome).toEqual({ outcome: 'sent' })
  sync.dispose()
})
