import {
  type Acknowledging,
  type Connect,
  connectRaw,
  connectSocketIo,
  connectStatewire,
} from './delivery-clients.js'
import { startServers } from './delivery-worker.js'
import { median } from './statistics.js'

/**
 * The result of one variant: acknowledged messages of one client, compared with request and response
 * over raw ws in the same round.
 */
export interface AcknowledgedResult {
  readonly variant: string
  /** Throughput with many unacknowledged messages; 1 is raw ws. */
  readonly ratio: number
  readonly lowest: number
  readonly highest: number
  /** Median messages per second. */
  readonly perSecond: number
  /** Median time of one message and its acknowledgement, in microseconds, and its ratio to raw ws. */
  readonly roundTripUs: number
  readonly roundTripRatio: number
  readonly rounds: number
}

/** The size of the measurement. */
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

// The number of unacknowledged messages that the library itself allows.
const WINDOW = 256

/** Measures acknowledged messages. Each variant alternates with the floor, raw ws. */
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

/** Sends messages, with a window of unacknowledged ones, until all are acknowledged. */
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
