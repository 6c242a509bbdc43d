import { type Draft, PersistentMap } from 'statewire'

/** Where a message comes from: it is the `n`th of a run of a source. Each run counts from 1. */
export interface Origin {
  readonly from: string
  readonly run: number
  readonly n: number
}

/** What can be wrong with a message, compared with the one before it from the same source. */
export type MessageFault = 'lost' | 'duplicated' | 'disordered'

/** The last message of a source. */
export interface Mark {
  readonly run: number
  readonly n: number
}

/**
 * Counts messages and their faults. Its size does not grow with the number of messages: it has the
 * last message of each run of each source. The server's checkpoint, each device and the final count
 * use the same audit.
 */
export interface Audit {
  /** The last message of each run, by source and run. */
  ends: PersistentMap<number>
  /** The newest run of each source. */
  runs: PersistentMap<number>
  count: number
  /** A hash of all messages in their order: another order gives another hash. */
  hash: number
  lost: number
  duplicated: number
  disordered: number
  isEnded: boolean
  /** The first faults, in words. */
  notes: string[]
}

/** The audit of no messages. */
export const emptyAudit: Audit = {
  ends: PersistentMap.empty<number>(),
  runs: PersistentMap.empty<number>(),
  count: 0,
  hash: 0,
  lost: 0,
  duplicated: 0,
  disordered: 0,
  isEnded: false,
  notes: [],
}

/** The key of a source's run in {@link Audit.ends}. */
export function runKey({ from, run }: Omit<Origin, 'n'>): string {
  return `${from}/${run}`
}

/** What is wrong with a message, given the one before it from the same source. */
export function faultAfter(before: Mark | undefined, { run, n }: Omit<Origin, 'from'>) {
  const { run: lastRun, n: lastN } = before ?? { run: 0, n: 0 }
  // A process that was killed loses the messages that were not durable, so any run may end early.
  if (run > lastRun) return n === 1 ? undefined : 'lost'
  if (run < lastRun) return 'disordered'
  if (n <= lastN) return 'duplicated'
  return n === lastN + 1 ? undefined : 'lost'
}

const MAX_NOTES = 20

/** A fault in words. */
export function noteOf(
  fault: MessageFault,
  before: Mark | undefined,
  { from, run, n }: Origin,
): string {
  return `${fault}: ${from}/${run}/${n} after ${before?.run ?? 0}/${before?.n ?? 0}`
}

/** Adds a message to an audit. */
export function addTo(audit: Draft<Audit>, origin: Origin): void {
  const { from, run, n } = origin
  const newest = audit.runs.get(from)
  const before =
    newest === undefined
      ? undefined
      : { run: newest, n: audit.ends.get(runKey({ from, run: newest })) ?? 0 }
  const fault: MessageFault | undefined = faultAfter(before, origin)
  if (fault !== undefined) {
    audit[fault] += 1
    audit.notes = [...audit.notes, noteOf(fault, before, origin)].slice(0, MAX_NOTES)
  }
  audit.count += 1
  audit.hash = mix(audit.hash, `${from}/${run}/${n}`)
  if (fault === undefined || fault === 'lost') {
    audit.runs = audit.runs.set(from, run)
    audit.ends = audit.ends.set(runKey(origin), n)
  }
}

// FNV-1a, continued over all messages.
function mix(hash: number, text: string): number {
  let mixed = hash
  for (let at = 0; at < text.length; at += 1) {
    mixed = Math.imul(mixed ^ text.charCodeAt(at), 16_777_619)
  }
  return mixed >>> 0
}

/** An audit in the form that JSON can hold. */
export interface WrittenAudit extends Omit<Audit, 'ends' | 'runs'> {
  readonly ends: [string, number][]
  readonly runs: [string, number][]
}

/** Writes an audit in the form that JSON can hold. */
export function writeAudit(audit: Readonly<Audit>): WrittenAudit {
  const { count, hash, lost, duplicated, disordered, isEnded, notes } = audit
  return {
    ends: [...audit.ends],
    runs: [...audit.runs],
    ...{ count, hash, lost, duplicated, disordered, isEnded, notes },
  }
}

/** Restores an audit from what was written. */
export function restoreAudit(audit: Draft<Audit>, written: WrittenAudit): void {
  Object.assign(audit, written)
  audit.ends = PersistentMap.from(written.ends)
  audit.runs = PersistentMap.from(written.runs)
}

/** Writes an audit on one line. Equal audits give equal lines. */
export function describeAudit(audit: Readonly<Audit>): string {
  const { ends, runs, ...rest } = writeAudit(audit)
  const sorted = [...ends].sort(([left], [right]) => (left < right ? -1 : 1))
  return JSON.stringify({ ...rest, ends: sorted, runs: runs.length })
}
