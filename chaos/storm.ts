import type { Random } from 'statewire'
import type { ClientActor, ServerActor } from './actors.js'

/** What the storm did, by the name of the fault. */
export type StormCounts = Readonly<Record<FaultName, number>>

type FaultName =
  | 'serverKills'
  | 'serverCloses'
  | 'serverStops'
  | 'clientKills'
  | 'clientStops'
  | 'cuts'
  | 'blackholes'
  | 'delays'

/** What {@link runStorm} needs. */
export interface StormOptions {
  readonly server: ServerActor
  readonly clients: readonly ClientActor[]
  readonly random: Random
  readonly durationMs: number
  /** The mean time between two faults. */
  readonly pauseMs: number
  readonly signal: AbortSignal
}

interface Fault {
  readonly name: FaultName
  readonly weight: number
  /** Nothing: whom it would hit has trouble enough. */
  readonly begin: () => Promise<void> | undefined
}

/**
 * Hurts processes and connections at random, several at a time, each of them by one thing at once;
 * resolves when all is well again.
 */
export async function runStorm(options: StormOptions): Promise<StormCounts> {
  const { server, clients, random, durationMs, pauseMs, signal } = options
  const hurt = new Set<object>()
  const underWay = new Set<Promise<void>>()
  const endAt = performance.now() + durationMs
  const counts: Record<FaultName, number> = {
    serverKills: 0,
    serverCloses: 0,
    serverStops: 0,
    clientKills: 0,
    clientStops: 0,
    cuts: 0,
    blackholes: 0,
    delays: 0,
  }

  const between = (least: number, most: number): number => least + random() * (most - least)
  const wait = (least: number, most: number): Promise<void> => pause(between(least, most), signal)

  /** Does something to a target that nothing else is done to meanwhile. */
  function hit<T extends object>(target: T | undefined, act: (target: T) => Promise<void>) {
    if (target === undefined || hurt.has(target)) return undefined
    hurt.add(target)
    return act(target).finally(() => hurt.delete(target))
  }

  function pick<T>(from: readonly T[]): T | undefined {
    return from[Math.floor(random() * from.length)]
  }

  const mortal = (): ClientActor | undefined => pick(clients.filter(({ role }) => !role.stays))
  const stopFor = async (child: { stop(): void; go(): void } | undefined, ms: number) => {
    child?.stop()
    await pause(ms, signal)
    child?.go()
  }

  const faults: readonly Fault[] = [
    {
      name: 'serverKills',
      weight: 3,
      begin: () =>
        hit(server, async () => {
          await server.child?.kill()
          await wait(0, 500)
          server.start()
          // Something should have happened before the next.
          await wait(500, 1_500)
        }),
    },
    {
      name: 'serverCloses',
      weight: 1,
      begin: () =>
        hit(server, async () => {
          server.child?.ask({ kind: 'close' })
          await server.child?.ended
          server.start()
          await wait(500, 1_500)
        }),
    },
    {
      name: 'serverStops',
      weight: 2,
      // Sometimes for longer than clients wait for an answer.
      begin: () => hit(server, () => stopFor(server.child, between(100, 4_500))),
    },
    {
      name: 'clientKills',
      weight: 5,
      begin: () =>
        hit(mortal(), async (client) => {
          await client.child?.kill()
          await wait(0, 800)
          client.start()
          await wait(500, 1_000)
        }),
    },
    {
      name: 'clientStops',
      weight: 4,
      // Sometimes for longer than an owner may be silent, or than the log is long.
      begin: () => hit(mortal(), ({ child }) => stopFor(child, between(100, 5_000))),
    },
    {
      name: 'cuts',
      weight: 5,
      begin: () =>
        hit(pick(clients)?.proxy, (proxy) => {
          proxy.cut()
          return Promise.resolve()
        }),
    },
    {
      name: 'blackholes',
      weight: 3,
      begin: () =>
        hit(pick(clients)?.proxy, async (proxy) => {
          proxy.blackhole()
          await wait(200, 4_000)
          if (random() < 0.5) proxy.cut()
          proxy.heal()
        }),
    },
    {
      name: 'delays',
      weight: 2,
      begin: () =>
        hit(pick(clients)?.proxy, async (proxy) => {
          proxy.delay(between(20, 400))
          await wait(500, 2_000)
          proxy.heal()
        }),
    },
  ]
  const total = faults.reduce((sum, { weight }) => sum + weight, 0)

  function draw(): Fault | undefined {
    let at = random() * total
    return faults.find(({ weight }) => (at -= weight) < 0)
  }

  // Each kind once, whatever is drawn: a short storm would leave some of them out now and then.
  const due = new Set(faults)

  function begin() {
    for (const fault of due) {
      const doing = fault.begin()
      if (doing === undefined) continue
      due.delete(fault)
      return { name: fault.name, doing }
    }
    const fault = draw()
    const doing = fault?.begin()
    return fault === undefined || doing === undefined ? undefined : { name: fault.name, doing }
  }

  while ((performance.now() < endAt || due.size > 0) && !signal.aborted) {
    await wait(pauseMs * 0.3, pauseMs * 1.7)
    const begun = begin()
    if (begun === undefined) continue
    counts[begun.name] += 1
    const tracked = begun.doing.finally(() => underWay.delete(tracked))
    underWay.add(tracked)
  }
  await Promise.all(underWay)
  return counts
}

/** Waits, or until the signal is aborted. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms)
    function done(): void {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    if (signal.aborted) done()
    else signal.addEventListener('abort', done)
  })
}
