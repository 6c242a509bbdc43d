import {
  type Acknowledging,
  type Connect,
  connectRaw,
  connectSocketIo,
  connectStatewire,
} from './delivery-clients.js'
import { startServers } from './delivery-worker.js'
import { median } from './statistics.js'

/** Acknowledged messages by one client, as shares of raw ws request and response in the same round. */
export interface AcknowledgedResult {
  readonly variant: string
  /** Throughput with many on their way; 1 is raw ws. */
  readonly ratio: number
  readonly lowest: number
  readonly highest: number
  /** Median messages per second. */
  readonly perSecond: number
  /** Median of a round trip with one message on its way, in microseconds; and its ratio to raw ws. */
  readonly roundTripUs: number
  readonly roundTripRatio: number
  readonly rounds: number
}

/** How much is measured. */
export interface AcknowledgedPlan {
  readonly messages: number
  readonly roundTrips: number
  readonly rounds: number
}

const variants: Readonly<Record<string, { connect: Connect; server: 'raw' | 'io' | 'sync' }>> = {
  'floor again': { connect: connectRaw, server: 'raw' },
  'socket.io': { connect: connectSocketIo, server: 'io' },
  statewire: { connect: connectStatewire, server: 'sync' },
}

// As many as the library itself has on their way.
const WINDOW = 256

/** Measures acknowledged messages, each variant alternating with the floor. */
export async function measureAcknowledged(plan: AcknowledgedPlan): Promise<AcknowledgedResult[]> {
  const servers = await startServers()
  const measured = new Map<string, Round[]>()
  for (let round = -1; round < plan.rounds; round += 1) {
    for (const [name, { connect, server }] of Object.entries(variants)) {
      const floorFirst = round % 2 === 0
      const before = floorFirst ? await measure(connectRaw, servers.ports.raw, plan) : undefined
      const own = await measure(connect, servers.ports[server], plan)
      const floor = before ?? (await measure(connectRaw, servers.ports.raw, plan))
      // The first round warms up.
      if (round >= 0) measured.set(name, [...(measured.get(name) ?? []), { own, floor }])
    }
  }
  servers.stop()
  return Array.from(measured, ([variant, rounds]) => {
    const ratios = rounds.map(({ own, floor }) => floor.totalMs / own.totalMs)
    return {
      variant,
      ratio: median(ratios),
      lowest: Math.min(...ratios),
      highest: Math.max(...ratios),
      perSecond: Math.round((plan.messages / median(rounds.map(({ own }) => own.totalMs))) * 1_000),
      roundTripUs: Math.round(median(rounds.map(({ own }) => own.roundTripMs)) * 1_000),
      roundTripRatio: median(rounds.map(({ own, floor }) => own.roundTripMs / floor.roundTripMs)),
      rounds: rounds.length,
    }
  })
}

interface Measured {
  readonly totalMs: number
  /** Median of one round trip. */
  readonly roundTripMs: number
}

interface Round {
  readonly own: Measured
  readonly floor: Measured
}

async function measure(connect: Connect, port: number, plan: AcknowledgedPlan): Promise<Measured> {
  const connection = await connect(port)
  const roundTrips: number[] = []
  for (let at = 0; at < plan.roundTrips; at += 1) {
    const begunAt = performance.now()
    await connection.send(`round trip ${at}`)
    roundTrips.push(performance.now() - begunAt)
  }
  const begunAt = performance.now()
  await sendMany(connection, plan.messages)
  const totalMs = performance.now() - begunAt
  connection.close()
  return { totalMs, roundTripMs: median(roundTrips) }
}

/** Keeps a window of messages on their way until all are acknowledged. */
async function sendMany(connection: Acknowledging, count: number): Promise<void> {
  let next = 0
  async function sendOneByOne(): Promise<void> {
    while (next < count) {
      next += 1
      await connection.send(`a message of the usual length, number ${next}`)
    }
  }
  await Promise.all(Array.from({ length: WINDOW }, sendOneByOne))
}
