import type { ConnectionFailure } from './failure.js'

/** Node's `IncomingMessage`, as far as it is used. */
export interface UpgradeResponse {
  readonly statusCode?: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
}

/** The peer closed the connection, or the network broke it (1006). */
export function closed(closeCode: number, reason: string): ConnectionFailure {
  const message =
    closeCode === 1006
      ? 'The connection broke off without a closing handshake.'
      : `The server closed the connection with code ${closeCode}.`
  return { code: 'closed', closeCode, reason, message }
}

/** The server was not reached. */
export function network(error?: { readonly code?: unknown }): ConnectionFailure {
  const message = 'The server could not be reached.'
  const systemCode = error?.code
  if (typeof systemCode !== 'string') return { code: 'network', message }
  return {
    code: 'network',
    systemCode,
    message: `The server could not be reached (${systemCode}).`,
  }
}

/** The peer sent a message over the limit. */
export function tooLarge(limitBytes: number): ConnectionFailure {
  return {
    code: 'message-too-large',
    limitBytes,
    message: `The server sent a message of more than ${limitBytes} bytes.`,
  }
}

/** The server answered the upgrade with an HTTP response. */
export function upgradeRefused(response: UpgradeResponse): ConnectionFailure {
  const status = response.statusCode ?? 0
  const message = `The server answered the upgrade with HTTP ${status}.`
  const retryAfterMs = readRetryAfter(response.headers['retry-after'], response.headers['date'])
  return retryAfterMs === undefined
    ? { code: 'upgrade-refused', status, message }
    : { code: 'upgrade-refused', status, retryAfterMs, message }
}

// The header holds seconds or an HTTP date. A date is compared with the server's own `Date`: the
// client's clock may be wrong.
function readRetryAfter(
  header: string | string[] | undefined,
  serverDate: string | string[] | undefined,
): number | undefined {
  if (typeof header !== 'string') return undefined
  const seconds = header === '' ? Number.NaN : Number(header)
  if (Number.isFinite(seconds)) return Math.max(seconds, 0) * 1000
  const wait = Date.parse(header) - Date.parse(String(serverDate))
  return Number.isFinite(wait) ? Math.max(wait, 0) : undefined
}
