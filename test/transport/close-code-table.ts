// The table of docs/spec.md (CODE-1 to CODE-9), written down without a look at the code.
type Verdict =
  | { next: 'retry'; inARow?: number; spread?: true; minWaitMs?: number }
  | { next: 'refresh' }
  | { next: 'fail'; why: 'policy' | 'protocol' }

const again: Verdict = { next: 'retry' }
const notAllowed: Verdict = { next: 'fail', why: 'policy' }
const misunderstanding: Verdict = { next: 'fail', why: 'protocol' }

const single: Readonly<Record<number, Verdict>> = {
  1002: misunderstanding,
  1003: misunderstanding,
  1007: misunderstanding,
  1008: notAllowed,
  1010: misunderstanding,
  1011: { next: 'retry', inARow: 5 },
  1012: { next: 'retry', spread: true },
  1013: { next: 'retry', minWaitMs: 30_000 },
  4401: { next: 'refresh' },
  4403: notAllowed,
  4429: { next: 'retry', minWaitMs: 30_000 },
}

const ranges: readonly (readonly [from: number, to: number, verdict: Verdict])[] = [
  [1000, 3499, again],
  [3500, 3999, notAllowed],
  [4000, 4499, again],
  [4500, 4999, notAllowed],
]

/** What a close code from 1000 to 4999 is to mean. */
export function expectedVerdict(code: number): Verdict {
  const range = ranges.find(([from, to]) => code >= from && code <= to)
  const verdict = single[code] ?? range?.[2]
  if (verdict === undefined) throw new Error(`${code} is not in the table`)
  return verdict
}
