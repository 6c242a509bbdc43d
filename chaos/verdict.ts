import type { Audit } from './audit.js'
import { describeAudit, runKey } from './audit.js'
import type { ClientActor, ServerActor } from './actors.js'
import type { StormCounts } from './storm.js'

/** The result of a run. */
export interface Verdict {
  readonly seed: number
  readonly seconds: number
  /** How many messages the server's logs have, over all users. */
  readonly messages: number
  readonly lost: number
  readonly duplicated: number
  readonly disordered: number
  /** The devices whose state differs from that of the server's log. */
  readonly differing: readonly string[]
  readonly possibleDuplicates: number
  readonly problems: readonly string[]
  readonly witnesses: Readonly<Record<string, number>>
  readonly isGood: boolean
}

/** What {@link judge} needs. */
export interface Evidence {
  readonly seed: number
  readonly seconds: number
  readonly audits: ReadonlyMap<string, Audit>
  readonly server: ServerActor
  readonly clients: readonly ClientActor[]
  readonly storm: StormCounts
  readonly takeovers: number
  readonly problems: readonly string[]
}

/** Counts the faults in the logs, on the devices, and against the receipts of the senders. */
export function judge(evidence: Evidence): Verdict {
  const { audits, clients, server, storm, problems } = evidence
  const sum = (pick: (audit: Audit) => number): number =>
    [...audits.values()].reduce((total, audit) => total + pick(audit), 0)
  const over = (name: string): number =>
    clients.reduce((total, { counts }) => total + counts.of(name), 0)
  const found = [...problems]
  for (const [user, { notes }] of audits) {
    found.push(...notes.map((note) => `log of ${user}: ${note}`))
  }

  let lost = sum((audit) => audit.lost) + over('heard.lost')
  for (const { role, durable } of clients) {
    const audit = audits.get(role.user)
    for (const [run, n] of durable) {
      const end = audit?.ends.get(runKey({ from: role.name, run })) ?? 0
      if (end >= n) continue
      lost += n - end
      found.push(`${role.name}, run ${run}: ${n} were durable, ${end} are in the log`)
    }
  }
  const duplicated = sum((audit) => audit.duplicated) + over('heard.duplicated')
  const disordered = sum((audit) => audit.disordered) + over('heard.disordered')
  const differing = clients
    .filter(({ role, report }) => {
      const audit = audits.get(role.user)
      return audit === undefined || report?.state !== describeAudit(audit)
    })
    .map(({ role }) => role.name)
  const possibleDuplicates = over('possibleDuplicates')
  for (const outcome of ['refused', 'notSent', 'unknown', 'sent']) {
    const count = over(`outcome.${outcome}`)
    if (count > 0) found.push(`${count} receipts settled as ${outcome}`)
  }
  return {
    ...{ seed: evidence.seed, seconds: evidence.seconds },
    messages: sum((audit) => audit.count),
    ...{ lost, duplicated, disordered, differing, possibleDuplicates, problems: found },
    witnesses: {
      ...storm,
      takeovers: evidence.takeovers,
      connections: clients.reduce((total, { proxy }) => total + proxy.connections, 0),
      heard: over('heard.count'),
      delivered: over('outcome.delivered'),
      retransmitted: over('retransmitted'),
      clientResumed: over('resumed'),
      clientReset: over('reset'),
      clientDuplicates: over('duplicates'),
      clientGaps: over('gaps'),
      serverTaken: server.counts.of('taken'),
      serverDuplicates: server.counts.of('duplicates'),
      serverGaps: server.counts.of('gaps'),
      serverFenced: server.counts.of('fenced'),
      serverReplayed: server.counts.of('replayed'),
      serverResets: server.counts.of('resets'),
      serverLogFailures: server.counts.of('logFailures'),
    },
    isGood:
      lost + duplicated + disordered + differing.length + possibleDuplicates + found.length === 0,
  }
}
