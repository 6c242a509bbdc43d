import { type Child, startChild } from './child.js'
import type { Role } from './cast.js'
import { openProxy, type Proxy } from './proxy.js'
import type { ClientReport, ServerPlan, ServerReport } from './reports.js'
import type { Scripts } from './bundle.js'
import { createTally, type Tally } from './tally.js'

/** The server over all its processes. */
export interface ServerActor {
  readonly child: Child<ServerReport> | undefined
  /** What all its processes counted; what a killed one counted last is missing. */
  readonly counts: Tally
  readonly port: number
  readonly isDone: boolean
  start(): void
}

/** A client over all its processes. */
export interface ClientActor {
  readonly role: Role
  readonly proxy: Proxy
  readonly child: Child<ClientReport> | undefined
  /** The last report of the process that runs; `undefined` before it said anything. */
  readonly report: ClientReport | undefined
  readonly counts: Tally
  /** The last of each run's messages that was known to survive a crash. */
  readonly durable: ReadonlyMap<number, number>
  /** What is left to be accepted. */
  readonly left: number
  start(): void
}

/** What actors are made with. */
export interface ActorOptions {
  readonly scripts: Scripts
  /** Hears of what is wrong. */
  readonly problem: (what: string) => void
}

/** Makes the server; it does not run yet. */
export function createServerActor(plan: ServerPlan, options: ActorOptions): ServerActor {
  const counts = createTally()
  let child: Child<ServerReport> | undefined
  let port = 1
  let isDone = false
  return {
    counts,
    get child() {
      return child
    },
    get port() {
      return port
    },
    get isDone() {
      return isDone
    },
    start() {
      counts.begin()
      child = startChild<ServerReport>(
        options.scripts.server,
        plan,
        (report) => {
          if (report.kind === 'listening') {
            port = report.port
            return
          }
          isDone = report.isDone
          counts.put({ ...report.counts })
          for (const problem of report.problems) options.problem(`server: ${problem}`)
        },
        (what) => options.problem(`server: ${what}`),
      )
    },
  }
}

/** Makes a client behind a proxy of its own; it does not run yet. */
export async function createClientActor(
  role: Role,
  serverPort: () => number,
  options: ActorOptions,
): Promise<ClientActor> {
  const proxy = await openProxy(serverPort)
  const counts = createTally()
  const durable = new Map<number, number>()
  let child: Child<ClientReport> | undefined
  let report: ClientReport | undefined
  let run = 0

  const left = (): number => {
    let kept = 0
    for (const n of durable.values()) kept += n
    return Math.max(0, role.count - kept)
  }

  return {
    role,
    proxy,
    counts,
    durable,
    get child() {
      return child
    },
    get report() {
      return report
    },
    get left() {
      return left()
    },
    start() {
      run += 1
      report = undefined
      counts.begin()
      const ofRun = run
      const { stays: _, ...rest } = role
      const plan = { ...rest, url: `ws://127.0.0.1:${proxy.port}/ws`, run, count: left() }
      child = startChild<ClientReport>(
        options.scripts.client,
        // One who has accepted all may still have something to hand over.
        { ...plan, directory: role.directory },
        (heard) => {
          if (ofRun !== run) return
          report = heard
          if (heard.durable > 0) durable.set(ofRun, heard.durable)
          counts.put({
            ...heard.counts,
            ...prefixed('heard', { ...heard.heard }),
            ...prefixed('outcome', heard.outcomes),
            possibleDuplicates: heard.possibleDuplicates,
          })
          for (const problem of heard.problems) options.problem(`${role.name}: ${problem}`)
        },
        (what) => options.problem(`${role.name}: ${what}`),
      )
    },
  }
}

function prefixed(prefix: string, counts: Readonly<Record<string, number>>) {
  return Object.fromEntries(Object.entries(counts).map(([name, n]) => [`${prefix}.${name}`, n]))
}
