import { type Draft, PersistentMap } from 'statewire'

/** Where a message comes from: the `n`th of a run of a source, each run counting from 1. */
export interface Origin {
  readonly from: string
  readonly run: number
  readonly n: number
}

/** What can be wrong with a message that came after others of its source. */
export type Fault = 'lost' | 'duplicated' | 'disordered'

/** How far a source has come. */
export interface Mark {
  readonly run: number
  readonly n: number
}

/**
 * What messages come to, small whatever their number: how far each run of each source has come,
 * and what was wrong. The same in the server's checkpoint, on each device and in the final count.
 */
export interface Audit {
  /** The last message of each run, by source and run. */
  ends: PersistentMap<number>
  /** The newest run of each source. */
  runs: PersistentMap<number>
  count: number
  /** Of all messages in their order, so that two orders show as two hashes. */
  hash: number
  lost: number
  duplicated: number
  disordered: number
  isEnded: boolean
  /** The first faults, in words. */
  notes: string[]
}

/** Nothing has come yet. */
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

/** What is wrong with a message after the one before it of the same source. */
export function faultAfter(before: Mark | undefined, { run, n }: Omit<Origin, 'from'>) {
  const { run: lastRun, n: lastN } = before ?? { run: 0, n: 0 }
  // What a killed process had not been told to be kept may end its run early.
  if (run > lastRun) return n === 1 ? undefined : 'lost'
  if (run < lastRun) return 'disordered'
  if (n <= lastN) return 'duplicated'
  return n === lastN + 1 ? undefined : 'lost'
}

const MOST_NOTES = 20

/** A fault in words. */
export function noteOf(fault: Fault, before: Mark | undefined, { from, run, n }: Origin): string {
  return `${fault}: ${from}/${run}/${n} after ${before?.run ?? 0}/${before?.n ?? 0}`
}

/** Takes a message up. */
export function addTo(audit: Draft<Audit>, origin: Origin): void {
  const { from, run, n } = origin
  const newest = audit.runs.get(from)
  const before =
    newest === undefined
      ? undefined
      : { run: newest, n: audit.ends.get(runKey({ from, run: newest })) ?? 0 }
  const fault: Fault | undefined = faultAfter(before, origin)
  if (fault !== undefined) {
    audit[fault] += 1
    audit.notes = [...audit.notes, noteOf(fault, before, origin)].slice(0, MOST_NOTES)
  }
  audit.count += 1
  audit.hash = mix(audit.hash, `${from}/${run}/${n}`)
  if (fault === undefined || fault === 'lost') {
    audit.runs = audit.runs.set(from, run)
    audit.ends = audit.ends.set(runKey(origin), n)
  }
}

// FNV-1a, carried on over all messages.
function mix(hash: number, text: string): number {
  let mixed = hash
  for (let at = 0; at < text.length; at += 1) {
    mixed = Math.imul(mixed ^ text.charCodeAt(at), 16_777_619)
  }
  return mixed >>> 0
}

/** An audit as JSON. */
export interface WrittenAudit extends Omit<Audit, 'ends' | 'runs'> {
  readonly ends: [string, number][]
  readonly runs: [string, number][]
}

/** An audit as JSON holds it. */
export function writeAudit(audit: Readonly<Audit>): WrittenAudit {
  const { count, hash, lost, duplicated, disordered, isEnded, notes } = audit
  return {
    ends: [...audit.ends],
    runs: [...audit.runs],
    ...{ count, hash, lost, duplicated, disordered, isEnded, notes },
  }
}

/** Makes an audit into the one that was written. */
export function restoreAudit(audit: Draft<Audit>, written: WrittenAudit): void {
  Object.assign(audit, written)
  audit.ends = PersistentMap.from(written.ends)
  audit.runs = PersistentMap.from(written.runs)
}

/** An audit on one line: equal lines are equal audits. */
export function describeAudit(audit: Readonly<Audit>): string {
  const { ends, runs, ...rest } = writeAudit(audit)
  const sorted = [...ends].sort(([left], [right]) => (left < right ? -1 : 1))
  return JSON.stringify({ ...rest, ends: sorted, runs: runs.length })
}
