import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createSqliteLog } from 'statewire/server/sqlite'
import { createSeededRandom } from 'statewire/testing'
import { type ActorOptions, type ClientActor, createClientActor, ServerActor } from './actors.js'
import type { Audit } from './audit.js'
import { bundleScripts } from './bundle.js'
import { createCast } from './cast.js'
import { killAll } from './child.js'
import { readAudit } from './read-log.js'
import { pause, runStorm } from './storm.js'
import { judge, type Verdict } from './verdict.js'

/** Options of {@link runChaos}. */
export interface ChaosOptions {
  readonly messages: number
  /** How long the storm lasts. Messages that are left are delivered after it. */
  readonly seconds: number
  readonly seed: number
  /** The mean time between two faults, in ms. */
  readonly pauseMs: number
  /** How long each step after the storm may take, in seconds. */
  readonly patienceSeconds: number
  /** Ends the run early. */
  readonly signal?: AbortSignal
  /** Hears every 5 s how far the run has come. */
  readonly progress?: (line: string) => void
}

/**
 * Runs a server and clients as processes, and hurts them for a while. Then it waits until every
 * message is delivered, and counts. Leaves no process and no file behind. Rejects if the signal is
 * aborted.
 */
export async function runChaos(options: ChaosOptions): Promise<Verdict> {
  const { signal = new AbortController().signal } = options
  const scripts = await bundleScripts()
  const directory = await mkdtemp(join(tmpdir(), `statewire-chaos-${process.pid}-`))
  const clients: ClientActor[] = []
  process.once('exit', killAll)
  try {
    return await run({ ...options, signal }, directory, scripts, clients)
  } finally {
    killAll()
    process.off('exit', killAll)
    for (const { child } of clients) await child?.ended
    await Promise.all(clients.map(({ proxy }) => proxy.close()))
    await scripts.remove()
    // A killed process may have been creating a file.
    await rm(directory, { recursive: true, force: true, maxRetries: 5 })
  }
}

interface RunOptions extends ChaosOptions {
  readonly signal: AbortSignal
}

/** `clients` is filled with the clients of the run, so that the caller can end them. */
async function run(
  options: RunOptions,
  directory: string,
  scripts: ActorOptions['scripts'],
  clients: ClientActor[],
): Promise<Verdict> {
  const { messages, seconds, seed, signal } = options
  const startedAt = performance.now()
  const problems: string[] = []
  const actorOptions = { scripts, problem: (what: string) => problems.push(what) }
  const cast = createCast({ messages, seconds, directory })
  const server = new ServerActor(cast.server, actorOptions)
  for (const role of cast.roles) {
    clients.push(await createClientActor(role, () => server.port, actorOptions))
  }
  server.start()
  for (const client of clients) client.start()
  const takeovers = countTakeovers(clients)
  const watch = watchProgress(options, { server, clients, problems })
  try {
    const storm = await runStorm({
      ...{ server, clients, signal, pauseMs: options.pauseMs },
      random: createSeededRandom(seed),
      durationMs: seconds * 1_000,
    })
    await settle(options, { server, clients, problems })
    return judge({
      seed,
      seconds: (performance.now() - startedAt) / 1_000,
      audits: await readAudits(cast.server.directory, Object.keys(cast.server.broadcasts)),
      ...{ server, clients, storm, problems, takeovers: takeovers.stop() },
    })
  } finally {
    takeovers.stop()
    watch.stop()
  }
}

/** The processes of a run, and the list to which problems are added. */
interface Running {
  readonly server: ServerActor
  readonly clients: readonly ClientActor[]
  readonly problems: string[]
}

/** Reports the progress, and kills everything when the run takes much too long. */
function watchProgress(options: RunOptions, { server, clients, problems }: Running) {
  const mostSeconds = options.seconds + 2 * options.patienceSeconds + 30
  const force = setTimeout(() => {
    problems.push(`did not end by itself within ${mostSeconds} s`)
    killAll()
  }, mostSeconds * 1_000)
  const progress = setInterval(() => options.progress?.(describe(server, clients)), 5_000)
  return {
    stop() {
      clearInterval(progress)
      clearTimeout(force)
    },
  }
}

/** Waits until every message is delivered and heard, then closes all processes. */
async function settle(options: RunOptions, running: Running): Promise<void> {
  const { server, clients } = running
  await waitUntil('handing everything over', options, running, () => {
    return server.isDone && clients.every(({ report }) => report?.isDone === true)
  })
  server.child?.ask({ kind: 'end' })
  await waitUntil('hearing everything', options, running, () => {
    return clients.every(({ report }) => report?.isEnded === true)
  })
  if (options.signal.aborted) throw new Error('interrupted')
  for (const { child } of clients) child?.ask({ kind: 'close' })
  for (const { child } of clients) await child?.ended
  server.child?.ask({ kind: 'close' })
  await server.child?.ended
}

/** Waits for a condition. If it does not hold in time, that is a problem, and the run goes on. */
async function waitUntil(
  what: string,
  { patienceSeconds, signal }: RunOptions,
  { server, clients, problems }: Running,
  condition: () => boolean,
): Promise<void> {
  const giveUpAt = performance.now() + patienceSeconds * 1_000
  while (!condition() && !signal.aborted) {
    if (performance.now() > giveUpAt) {
      problems.push(`${what}: not within ${patienceSeconds} s`, describe(server, clients))
      return
    }
    await pause(50, signal)
  }
}

async function readAudits(directory: string, users: readonly string[]) {
  const log = await createSqliteLog(join(directory, 'log.sqlite'))
  try {
    const audits = new Map<string, Audit>()
    for (const user of users) audits.set(user, await readAudit(log, user))
    return audits
  } finally {
    await log.end()
  }
}

/** Counts how often a shared outbox has passed from one process to the other. */
function countTakeovers(clients: readonly ClientActor[]) {
  const owners = new Map<string, string>()
  let count = 0
  const timer = setInterval(() => {
    for (const { role, report, child } of clients) {
      if (report?.isOwner !== true || role.directory === '') continue
      if (child?.isRunning !== true || child.isStopped) continue
      const before = owners.get(role.directory)
      owners.set(role.directory, role.name)
      if (before !== undefined && before !== role.name) count += 1
    }
  }, 50)
  return {
    stop() {
      clearInterval(timer)
      return count
    },
  }
}

function describe(server: ServerActor, clients: readonly ClientActor[]): string {
  const each = clients.map(({ role, report, left }) => {
    const state =
      report === undefined
        ? 'starting'
        : `${report.status}, waits ${report.waiting}${report.isOwner ? ' (owner)' : ''}, unsettled ${report.unsettled.join(' ')}`
    return `${role.name}: ${state}${left > 0 ? `, ${left} left` : ''}`
  })
  return `taken ${server.counts.of('taken')}${server.isDone ? ', server done' : ''}; ${each.join('; ')}`
}
