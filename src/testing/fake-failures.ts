import type { ConnectionFailure } from '../transport/failure.js'

// The words differ from the WebSocket transport's on purpose: `message` is for people, and code
// that reads it shows up here.

export function closed(closeCode: number, reason: string): ConnectionFailure {
  return { code: 'closed', closeCode, reason, message: `The fake peer closed with ${closeCode}.` }
}

export function droppedOut(): ConnectionFailure {
  return { code: 'closed', closeCode: 1006, reason: '', message: 'The fake network broke off.' }
}

export function unreachable(systemCode?: string): ConnectionFailure {
  const message = 'The fake peer cannot be reached.'
  return systemCode === undefined
    ? { code: 'network', message }
    : { code: 'network', systemCode, message }
}

export function upgradeRefused({ status, retryAfterMs }: UpgradeAnswer): ConnectionFailure {
  const message = `The fake peer answered the upgrade with HTTP ${status}.`
  return retryAfterMs === undefined
    ? { code: 'upgrade-refused', status, message }
    : { code: 'upgrade-refused', status, retryAfterMs, message }
}

export function tooLarge(limitBytes: number): ConnectionFailure {
  const message = `The fake peer sent more than ${limitBytes} bytes in one message.`
  return { code: 'message-too-large', limitBytes, message }
}

export function urlUnusable(): ConnectionFailure {
  return { code: 'url-unusable', message: 'The fake network knows no such address.' }
}

/** An HTTP answer in place of a connection. */
export interface UpgradeAnswer {
  readonly status: number
  /** What a `Retry-After` header would say, in milliseconds. */
  readonly retryAfterMs?: number
}
