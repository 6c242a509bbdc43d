/**
 * Reads a `Retry-After` header: seconds, or an HTTP date (RFC 9110, 10.2.3). Gives milliseconds, or
 * `undefined` if the header is absent or says nothing. A date is compared with `now`, which is best
 * the server's own time: the client's clock may be wrong.
 */
export function parseRetryAfter(header: unknown, now: number): number | undefined {
  if (typeof header !== 'string' || header === '') return undefined
  const seconds = Number(header)
  if (seconds < 0) return undefined
  const waitMs = Number.isFinite(seconds) ? seconds * 1_000 : Date.parse(header) - now
  return Number.isFinite(waitMs) ? Math.max(waitMs, 0) : undefined
}
