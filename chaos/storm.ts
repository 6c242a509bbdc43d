import type { Random } from 'statewire'
import type { ClientActor, ServerActor } from './actors.js'

const faultNames = [
  'serverKills',
  'serverCloses',
  'serverStops',
  'clientKills',
  'clientStops',
  'cuts',
  'blackholes',
  'delays',
] as const

type FaultName = (typeof faultNames)[number]

/** How often the storm caused each fault. */
export type StormCounts = Readonly<Record<FaultName, number>>

/** What {@link runStorm} needs. */
export interface StormOptions {
  readonly server: ServerActor
  readonly clients: readonly ClientActor[]
  readonly random: Random
  readonly durationMs: number
  /** The mean time between two faults. */
  readonly pauseMs: number
  /** Ends the storm early. */
  readonly signal: AbortSignal
}

/** How probable a fault is, and what it does. */
interface StormFault {
  readonly weight: number
  /** Gives `undefined`, and does nothing, if another fault is hurting the target. */
  readonly begin: () => Promise<void> | undefined
}

/** A fault that has begun. */
interface BegunFault {
  readonly name: FaultName
  readonly doing: Promise<void>
}

/**
 * Hurts processes and connections at random. Several faults may last at the same time, but each
 * target has at most one. Resolves when all faults have ended.
 */
export function runStorm(options: StormOptions): Promise<StormCounts> {
  return new Storm(options).run()
}

class Storm {
  readonly #options: StormOptions
  readonly #faults: Readonly<Record<FaultName, StormFault>>
  readonly #counts: Record<FaultName, number> = {
    serverKills: 0,
    serverCloses: 0,
    serverStops: 0,
    clientKills: 0,
    clientStops: 0,
    cuts: 0,
    blackholes: 0,
    delays: 0,
  }
  /** The targets of the faults that have begun and not ended. */
  readonly #hurt = new Set<object>()
  readonly #underWay = new Set<Promise<void>>()
  /** The faults that have not happened yet: they come first, so that a short storm has every kind. */
  readonly #due = new Set<FaultName>(faultNames)

  constructor(options: StormOptions) {
    this.#options = options
    this.#faults = {
      serverKills: { weight: 3, begin: () => this.#killServer() },
      serverCloses: { weight: 1, begin: () => this.#closeServer() },
      serverStops: { weight: 2, begin: () => this.#stopServer() },
      clientKills: { weight: 5, begin: () => this.#killClient() },
      clientStops: { weight: 4, begin: () => this.#stopClient() },
      cuts: { weight: 5, begin: () => this.#cut() },
      blackholes: { weight: 3, begin: () => this.#blackhole() },
      delays: { weight: 2, begin: () => this.#delay() },
    }
  }

  async run(): Promise<StormCounts> {
    const { durationMs, pauseMs, signal } = this.#options
    const endAt = performance.now() + durationMs
    while ((performance.now() < endAt || this.#due.size > 0) && !signal.aborted) {
      await this.#pause(pauseMs * 0.3, pauseMs * 1.7)
      const begun = this.#begin()
      if (begun === undefined) continue
      this.#counts[begun.name] += 1
      const tracked = begun.doing.finally(() => this.#underWay.delete(tracked))
      this.#underWay.add(tracked)
    }
    await Promise.all(this.#underWay)
    return this.#counts
  }

  #begin(): BegunFault | undefined {
    for (const name of this.#due) {
      const doing = this.#faults[name].begin()
      if (doing === undefined) continue
      this.#due.delete(name)
      return { name, doing }
    }
    const name = this.#drawFault()
    if (name === undefined) return undefined
    const doing = this.#faults[name].begin()
    return doing && { name, doing }
  }

  #drawFault(): FaultName | undefined {
    const weights = Object.values(this.#faults).map(({ weight }) => weight)
    const total = weights.reduce((sum, weight) => sum + weight, 0)
    let at = this.#options.random() * total
    return faultNames.find((name) => (at -= this.#faults[name].weight) < 0)
  }

  #killServer(): Promise<void> | undefined {
    return this.#hit(this.#options.server, async (server) => {
      await server.child?.kill()
      await this.#pause(0, 500)
      server.start()
      // The server should do some work before the next fault.
      await this.#pause(500, 1_500)
    })
  }

  #closeServer(): Promise<void> | undefined {
    return this.#hit(this.#options.server, async (server) => {
      server.child?.ask({ kind: 'close' })
      await server.child?.ended
      server.start()
      await this.#pause(500, 1_500)
    })
  }

  // Sometimes for longer than clients wait for an answer.
  #stopServer(): Promise<void> | undefined {
    return this.#hit(this.#options.server, ({ child }) => this.#stopFor(child, 100, 4_500))
  }

  #killClient(): Promise<void> | undefined {
    return this.#hit(this.#pickMortal(), async (client) => {
      await client.child?.kill()
      await this.#pause(0, 800)
      client.start()
      await this.#pause(500, 1_000)
    })
  }

  // Sometimes for longer than an outbox's lease, or than the server's log reaches back.
  #stopClient(): Promise<void> | undefined {
    return this.#hit(this.#pickMortal(), ({ child }) => this.#stopFor(child, 100, 5_000))
  }

  #cut(): Promise<void> | undefined {
    return this.#hit(this.#pick(this.#options.clients)?.proxy, (proxy) => {
      proxy.cut()
      return Promise.resolve()
    })
  }

  #blackhole(): Promise<void> | undefined {
    return this.#hit(this.#pick(this.#options.clients)?.proxy, async (proxy) => {
      proxy.blackhole()
      await this.#pause(200, 4_000)
      if (this.#options.random() < 0.5) proxy.cut()
      proxy.heal()
    })
  }

  #delay(): Promise<void> | undefined {
    return this.#hit(this.#pick(this.#options.clients)?.proxy, async (proxy) => {
      proxy.delay(this.#between(20, 400))
      await this.#pause(500, 2_000)
      proxy.heal()
    })
  }

  /** Hurts a target, unless another fault is hurting it. */
  #hit<T extends object>(
    target: T | undefined,
    act: (target: T) => Promise<void>,
  ): Promise<void> | undefined {
    if (target === undefined || this.#hurt.has(target)) return undefined
    this.#hurt.add(target)
    return act(target).finally(() => this.#hurt.delete(target))
  }

  async #stopFor(
    child: { stop(): void; go(): void } | undefined,
    least: number,
    most: number,
  ): Promise<void> {
    const ms = this.#between(least, most)
    child?.stop()
    await pause(ms, this.#options.signal)
    child?.go()
  }

  #pickMortal(): ClientActor | undefined {
    return this.#pick(this.#options.clients.filter(({ role }) => !role.stays))
  }

  #pick<T>(from: readonly T[]): T | undefined {
    return from[Math.floor(this.#options.random() * from.length)]
  }

  #between(least: number, most: number): number {
    return least + this.#options.random() * (most - least)
  }

  #pause(leastMs: number, mostMs: number): Promise<void> {
    return pause(this.#between(leastMs, mostMs), this.#options.signal)
  }
}

/** Waits for `ms`, or until the signal is aborted. */
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
