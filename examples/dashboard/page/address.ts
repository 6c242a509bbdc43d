/** The options in the page's address. */
export type PageQuery = {
  /** The id of the device to connect as; `undefined`: the id of this browser. */
  deviceId: string | undefined
  /**
   * The client's ping interval and pong bound, in ms. Shorter ones detect a silent server sooner.
   */
  timing: { pingIntervalMs?: number; pongTimeoutMs?: number }
}

/** Reads `?device=…&ping=…&pong=…`. Invalid values are ignored. */
export function readQuery(search: string): PageQuery {
  const query = new URLSearchParams(search)
  const device = query.get('device')?.trim() ?? ''
  const pingIntervalMs = toMs(query.get('ping'))
  const pongTimeoutMs = toMs(query.get('pong'))
  return {
    // A plain token is `userId:deviceId`, so a device id cannot contain a colon.
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
