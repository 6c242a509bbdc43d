import type { ConnectionFailure } from '../transport/failure.js'

// The messages differ from those of the WebSocket transport on purpose: `message` is for people.
// A test on the fake shows code that reads it.

/** The peer closed the connection. */
export function peerClosed(closeCode: number, reason: string): ConnectionFailure {
  return { code: 'closed', closeCode, reason, message: `The fake peer closed with ${closeCode}.` }
}

/** The connection broke off without a closing handshake. */
export function brokenOff(): ConnectionFailure {
  return { code: 'closed', closeCode: 1006, reason: '', message: 'The fake network broke off.' }
}

/** The peer was never reached. */
export function peerUnreachable(systemCode?: string): ConnectionFailure {
  const message = 'The fake peer cannot be reached.'
  return systemCode === undefined
    ? { code: 'network', message }
    : { code: 'network', systemCode, message }
}

/** The peer answered the upgrade request with an HTTP response. */
export function upgradeAnswered({ status, retryAfterMs }: UpgradeAnswer): ConnectionFailure {
  const message = `The fake peer answered the upgrade with HTTP ${status}.`
  return retryAfterMs === undefined
    ? { code: 'upgrade-refused', status, message }
    : { code: 'upgrade-refused', status, retryAfterMs, message }
}

/** The peer sent a message above the client's limit. */
export function messageOverLimit(limitBytes: number): ConnectionFailure {
  const message = `The fake peer sent more than ${limitBytes} bytes in one message.`
  return { code: 'message-too-large', limitBytes, message }
}

/** The URL is no WebSocket URL. */
export function urlUnusable(): ConnectionFailure {
  return { code: 'url-unusable', message: 'The fake network knows no such address.' }
}

/** An HTTP response in place of a connection. */
export interface UpgradeAnswer {
  readonly status: number
  /** The value of the `Retry-After` header, in ms. Default: no header. */
  readonly retryAfterMs?: number
}
