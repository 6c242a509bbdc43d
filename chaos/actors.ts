import type { Scripts } from './bundle.js'
import type { Role } from './cast.js'
import { type Child, startChild } from './child.js'
import { openProxy, type TcpProxy } from './proxy.js'
import type { ClientReport, ServerPlan, ServerReport } from './reports.js'
import { Tally } from './tally.js'

/** What actors are made with. */
export interface ActorOptions {
  readonly scripts: Scripts
  /** The Node that clients run on. Default: this process's. */
  readonly node?: string
  /** Hears each problem, in words. */
  readonly problem: (what: string) => void
}

/** The server: one process after the other. */
export class ServerActor {
  /** The counts of all its processes, without what a killed one had not reported. */
  readonly counts = new Tally()
  readonly #plan: ServerPlan
  readonly #options: ActorOptions
  #child: Child<ServerReport> | undefined
  #port = 1
  #isDone = false

  constructor(plan: ServerPlan, options: ActorOptions) {
    this.#plan = plan
    this.#options = options
  }

  /** The newest process. */
  get child(): Child<ServerReport> | undefined {
    return this.#child
  }

  get port(): number {
    return this.#port
  }

  /** Whether it has sent all its own messages. */
  get isDone(): boolean {
    return this.#isDone
  }

  /** Starts a process. The one before must have ended. */
  start(): void {
    this.counts.begin()
    this.#child = startChild<ServerReport>(
      { script: this.#options.scripts.server },
      this.#plan,
      (report) => this.#hear(report),
      (what) => this.#options.problem(`server: ${what}`),
    )
  }

  #hear(report: ServerReport): void {
    if (report.kind === 'listening') {
      this.#port = report.port
      return
    }
    this.#isDone = report.isDone
    this.counts.put({ ...report.counts })
    for (const problem of report.problems) this.#options.problem(`server: ${problem}`)
  }
}

/** A client behind a proxy of its own: one process after the other. */
export class ClientActor {
  readonly role: Role
  readonly proxy: TcpProxy
  readonly counts = new Tally()
  /** How many messages of each run are certain to survive a crash: the first so many. */
  readonly durable = new Map<number, number>()
  readonly #options: ActorOptions
  #child: Child<ClientReport> | undefined
  #report: ClientReport | undefined
  /** Counts the processes. */
  #run = 0

  constructor(role: Role, proxy: TcpProxy, options: ActorOptions) {
    this.role = role
    this.proxy = proxy
    this.#options = options
  }

  /** The newest process. */
  get child(): Child<ClientReport> | undefined {
    return this.#child
  }

  /** The last report of the newest process; `undefined` before its first. */
  get report(): ClientReport | undefined {
    return this.#report
  }

  /** How many messages it has still to send: those that no run has made durable. */
  get left(): number {
    let durable = 0
    for (const n of this.durable.values()) durable += n
    return Math.max(0, this.role.count - durable)
  }

  /** Starts a process. The one before must have ended. */
  start(): void {
    this.#run += 1
    this.#report = undefined
    this.counts.begin()
    const run = this.#run
    const { stays: _, ...plan } = this.role
    const { node, scripts } = this.#options
    this.#child = startChild<ClientReport>(
      { script: scripts.client, ...(node !== undefined && { node }) },
      // With no messages left to accept, the outbox may still have some to transmit.
      { ...plan, url: `ws://127.0.0.1:${this.proxy.port}/ws`, run, count: this.left },
      (report) => {
        if (run === this.#run) this.#hear(report)
      },
      (what) => this.#options.problem(`${this.role.name}: ${what}`),
    )
  }

  #hear(report: ClientReport): void {
    this.#report = report
    if (report.durable > 0) this.durable.set(this.#run, report.durable)
    this.counts.put({
      ...report.counts,
      ...prefixed('heard', { ...report.heard }),
      ...prefixed('outcome', report.outcomes),
      possibleDuplicates: report.possibleDuplicates,
    })
    for (const problem of report.problems) this.#options.problem(`${this.role.name}: ${problem}`)
  }
}

/** Makes a client, which does not run yet, behind a proxy. */
export async function createClientActor(
  role: Role,
  serverPort: () => number,
  options: ActorOptions,
): Promise<ClientActor> {
  return new ClientActor(role, await openProxy(serverPort), options)
}

function prefixed(prefix: string, counts: Readonly<Record<string, number>>) {
  return Object.fromEntries(Object.entries(counts).map(([name, n]) => [`${prefix}.${name}`, n]))
}
