import { join } from 'node:path'
import { createSeededRandom } from 'statewire/testing'
import { expect, it, onTestFinished } from 'vitest'
import { createClientActor } from '../../chaos/actors.js'
import { runKey } from '../../chaos/audit.js'
import { until } from '../compliance/real-time.js'
import { serveAudited } from './audited-server.js'

const ROUNDS = 8
const PATIENCE_MS = 30_000

it('[OUT-14] [DLV-11] has everything that was durable delivered once and in order, however often it is killed', async () => {
  const { audit, directory, expectClean, port, problems, scripts, server } = await serveAudited()
  const role = {
    ...{ name: 'sender', user: 'ada', device: 'camera', stays: false },
    ...{ directory: join(directory, 'outbox'), leaseMs: 2_000, count: 100_000, rate: 1_500 },
  }
  const sender = await createClientActor(role, () => port, {
    scripts,
    problem: (what) => problems.push(what),
  })
  onTestFinished(async () => {
    await sender.child?.kill()
    await sender.proxy.close()
  })

  const random = createSeededRandom(7)
  let leftWaiting = 0
  for (let round = 1; round <= ROUNDS; round += 1) {
    sender.start()
    const isAway = round % 2 === 0
    if (isAway) sender.proxy.blackhole()
    // Somewhere in the middle of writing, numbering, sending or forgetting.
    const enough = 20 + Math.floor(random() * 150)
    await until(() => (sender.report?.durable ?? 0) >= enough, PATIENCE_MS)
    await new Promise((resolve) => setTimeout(resolve, random() * 60))
    await sender.child?.kill()
    const durable = sender.durable.get(round) ?? 0
    if ((audit.ends.get(runKey({ from: 'sender', run: round })) ?? 0) < durable) leftWaiting += 1
    sender.proxy.cut()
    sender.proxy.heal()
  }
  // One more run, which has only to hand over what the others left.
  sender.start()
  const isDelivered = ([run, n]: readonly [number, number]): boolean =>
    (audit.ends.get(runKey({ from: 'sender', run })) ?? 0) >= n
  await until(
    () => [...sender.durable].filter(([run]) => run <= ROUNDS).every(isDelivered),
    PATIENCE_MS,
  )

  expectClean()
  expect(sender.counts.of('possibleDuplicates')).toBe(0)
  // Witnesses: messages were there when the process was killed, and each run had some.
  expect(leftWaiting).toBeGreaterThanOrEqual(ROUNDS / 2)
  expect(sender.durable.size).toBeGreaterThanOrEqual(ROUNDS)
  expect(server.stats().delivery?.taken).toBeGreaterThan(ROUNDS * 20)
})
