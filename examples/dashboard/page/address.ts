/** What the page's address asks for, beside the page. */
export type PageQuery = {
  /** As which device to connect; `undefined`: as this browser. */
  deviceId: string | undefined
  /** Durations of the client, in milliseconds, to see a silent server found out sooner. */
  timing: { pingIntervalMs?: number; pongTimeoutMs?: number }
}

/** Reads `?device=…&ping=…&pong=…`; what makes no sense is left out. */
export function readQuery(search: string): PageQuery {
  const query = new URLSearchParams(search)
  const device = query.get('device')?.trim() ?? ''
  const pingIntervalMs = toMs(query.get('ping'))
  const pongTimeoutMs = toMs(query.get('pong'))
  return {
    // A token is split at its colon.
    deviceId: device === '' || device.includes(':') ? undefined : device,
    timing: {
      ...(pingIntervalMs !== undefined && { pingIntervalMs }),
      ...(pongTimeoutMs !== undefined && { pongTimeoutMs }),
    },
  }
}

function toMs(text: string | null): number | undefined {
  const ms = Number(text)
  return Number.isInteger(ms) && ms >= 50 && ms <= 600_000 ? ms : undefined
}
