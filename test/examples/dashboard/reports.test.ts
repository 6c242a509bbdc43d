import { createSyncClient } from 'statewire'
import { kull, type ShootProgress } from 'statewire/kull'
import { createFakeTransport, createManualClock } from 'statewire/testing'
import { expect, it, onTestFinished } from 'vitest'
import { createReports } from '../../../examples/dashboard/worker/reports.js'

const deviceId = 'photo-worker'

function progress(shootId: string, processedCount: number): ShootProgress {
  return { shootId, status: 'processing', processedCount, totalCount: 9 }
}

/** A worker's client on a fake network whose server echoes progress, or does not. */
function createBench({ echoes = true } = {}) {
  const clock = createManualClock()
  const network = createFakeTransport({ clock, protocol: kull })
  const sync = createSyncClient(kull, {
    url: 'ws://server.test/ws',
    credentials: { userId: 'ada', deviceId },
    transport: network,
    clock,
  })
  onTestFinished(() => sync.dispose())
  const reports = createReports(sync, deviceId)

  function echo(data: ShootProgress, from = deviceId): void {
    network.peer.sendsRaw(JSON.stringify({ type: 'SHOOT_PROGRESS', data, deviceId: from }))
  }
  const echoing = { on: echoes }
  network.peer.answers('UPDATE_PROGRESS', ({ data }) => {
    if (echoing.on) echo(data)
  })
  const connect = () => {
    sync.start()
    clock.advance(0)
  }
  /** Shoot and count of each progress that reached the server. */
  const arrived = () =>
    network.peer.messages.map(({ data }) => {
      const { shootId, processedCount } = data as ShootProgress
      return `${shootId} ${processedCount}`
    })
  return { clock, network, reports, connect, arrived, echo, echoing }
}

/** Whether everything was heard by now. */
async function isHeard(reports: ReturnType<typeof createReports>): Promise<boolean> {
  const soon = new AbortController()
  const heard = reports.heard(soon.signal).then(
    () => true,
    () => false,
  )
  await new Promise(setImmediate)
  soon.abort()
  return heard
}

it('[DEMO-10] sends progress as it comes, and is done when the server has echoed it', async () => {
  const { clock, reports, connect, arrived } = createBench()
  connect()
  reports.send(progress('a', 1))
  reports.send(progress('a', 2))
  reports.send(progress('b', 1))
  clock.advance(0)
  expect(arrived()).toEqual(['a 1', 'a 2', 'b 1'])
  expect(await isHeard(reports)).toBe(true)
  expect([...reports.latest.values()]).toEqual([progress('a', 2), progress('b', 1)])
  expect(reports.notSentCount).toBe(0)
})

it('[DEMO-10] sends the latest of each shoot once connected, and no older one', async () => {
  const { clock, reports, connect, arrived } = createBench()
  for (const count of [1, 2, 3]) reports.send(progress('a', count))
  reports.send(progress('b', 1))
  expect(await isHeard(reports)).toBe(false)
  expect(reports.notSentCount).toBe(4)
  connect()
  clock.advance(0)
  expect(arrived()).toEqual(['a 3', 'b 1'])
  expect(await isHeard(reports)).toBe(true)
})

it('[DEMO-10] sends again what went into a connection that was dead already', async () => {
  const { clock, network, reports, connect, arrived, echoing } = createBench()
  connect()
  reports.send(progress('a', 1))
  clock.advance(0)
  echoing.on = false
  reports.send(progress('a', 2))
  clock.advance(0)
  expect(reports.notSentCount).toBe(0)
  expect(await isHeard(reports)).toBe(false)

  network.peer.drops()
  echoing.on = true
  clock.advance(1_000)
  clock.advance(0)
  expect(arrived()).toEqual(['a 1', 'a 2', 'a 2'])
  expect(await isHeard(reports)).toBe(true)

  network.peer.drops()
  clock.advance(1_000)
  expect(arrived()).toHaveLength(3)
})

it('[DEMO-10] takes neither an older echo nor another device for its own', async () => {
  const { clock, reports, connect, echo } = createBench({ echoes: false })
  connect()
  reports.send(progress('a', 1))
  reports.send(progress('a', 2))
  clock.advance(0)
  echo(progress('a', 1))
  echo(progress('a', 2), 'another-worker')
  echo({ ...progress('a', 2), status: 'failed' })
  echo(progress('b', 2))
  expect(await isHeard(reports)).toBe(false)
  echo(progress('a', 2))
  expect(await isHeard(reports)).toBe(true)
})

it('gives up waiting when told to, at once where it was told before', async () => {
  const { reports } = createBench()
  reports.send(progress('a', 1))
  const reason = new Error('enough')
  const controller = new AbortController()
  const heard = reports.heard(controller.signal)
  controller.abort(reason)
  await expect(heard).rejects.toBe(reason)
  await expect(reports.heard(AbortSignal.abort(reason))).rejects.toBe(reason)
})

it('throws what is no progress back at once, connected or not', () => {
  const { reports, connect } = createBench()
  connect()
  expect(() => reports.send({ ...progress('a', 1), eta: Number.NaN })).toThrow(TypeError)
})
