import { join } from 'node:path'
import { createSeededRandom } from 'statewire/testing'
import { expect, it, onTestFinished } from 'vitest'
import { type ClientActor, createClientActor } from '../../chaos/actors.js'
import { runKey } from '../../chaos/audit.js'
import { until } from '../compliance/real-time.js'
import { findNode } from '../database/node-versions.js'
import { serveAudited } from './audited-server.js'

const ROUNDS = 6
const PATIENCE_MS = 60_000

/** Processes that share an outbox, and a server that audits what arrives. */
async function createSenders(names: readonly string[], node: string) {
  const served = await serveAudited()
  const { audit, directory, port, problems, scripts } = served
  const shared = { user: 'ada', device: 'camera', stays: false, leaseMs: 1_000 }
  const senders = await Promise.all(
    names.map((name) =>
      createClientActor(
        { ...shared, name, directory: join(directory, 'outbox'), count: 100_000, rate: 300 },
        () => port,
        { scripts, node, problem: (what) => problems.push(what) },
      ),
    ),
  )
  onTestFinished(async () => {
    for (const { child, proxy } of senders) {
      await child?.kill()
      await proxy.close()
    }
  })
  return { audit, expectClean: served.expectClean, senders }
}

it.each([
  [20, ['one', 'two']],
  [22, ['one', 'two', 'three']],
  [24, ['one', 'two', 'three']],
] as const)(
  '[OUT-16] [KEEP-4] of processes of Node %i loses and repeats nothing, killed and stopped',
  { timeout: 180_000 },
  async (version, names) => {
    const node = await findNode(version)
    const { audit, expectClean, senders } = await createSenders(names, node)
    const random = createSeededRandom(version)
    for (const sender of senders) sender.start()
    const findOwner = (but?: ClientActor) =>
      senders.find((sender) => sender !== but && sender.report?.isOwner === true)
    for (let round = 0; round < ROUNDS; round += 1) {
      await until(() => senders.every(({ report }) => (report?.durable ?? 0) >= 20), PATIENCE_MS)
      await until(() => findOwner() !== undefined, PATIENCE_MS)
      const owner = findOwner()
      await new Promise((resolve) => setTimeout(resolve, random() * 60))
      // By turns the owner is killed, and stopped for longer than its lease. Within a transaction
      // it holds up all others as long as it is stopped.
      const isKilled = round % 2 === 0
      if (isKilled) await owner?.child?.kill()
      else owner?.child?.stop()
      const isPassedOn = until(() => findOwner(owner) !== undefined, PATIENCE_MS)
      isPassedOn.catch(() => undefined)
      if (isKilled) await isPassedOn
      else await Promise.race([isPassedOn, new Promise((resolve) => setTimeout(resolve, 6_000))])
      if (isKilled) owner?.start()
      else owner?.child?.go()
    }
    const isDelivered = (from: string, [run, n]: readonly [number, number]): boolean =>
      (audit.ends.get(runKey({ from, run })) ?? 0) >= n
    const goals = senders.map(({ role, durable }) => [role.name, [...durable]] as const)
    await until(
      () => goals.every(([from, runs]) => runs.every((run) => isDelivered(from, run))),
      PATIENCE_MS,
    )
    expectClean()
    for (const { counts } of senders) expect(counts.of('possibleDuplicates')).toBe(0)
  },
)
