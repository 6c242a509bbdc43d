/** A device that asks to be signed in, as it describes itself. */
export type LinkingDevice = {
  deviceId: string
  deviceName: string
  platform: string
  appVersion: string
}

/** A code, and the device that shows it. Times are milliseconds since the epoch. */
export type Link = {
  readonly code: string
  readonly device: LinkingDevice
  readonly expiresAt: number
}

/** What whoever is asked to confirm a code says. */
export type Decision = 'approve' | 'deny'

/** Codes that wait to be confirmed. */
export type Links = {
  /** Makes a code for a device, or says how long to wait before another may be asked for. */
  request(
    device: LinkingDevice,
  ):
    | { readonly ok: true; readonly link: Link }
    | { readonly ok: false; readonly retryAfterMs: number }
  /** A code that can still be confirmed. */
  pending(code: string): Link | undefined
  /** Notes what was decided about a code; false where there is nothing to decide any more. */
  decide(code: string, decision: Decision): boolean
  /** How a code stands, for the device that shows it. That it was approved is told once. */
  collect(
    code: string,
  ):
    | { readonly status: 'pending' | 'expired' | 'unknown' }
    | { readonly status: 'approved'; readonly link: Link }
}

const lifeMs = 600_000
const mostPerDevice = 5
const limitMs = 3_600_000

/** Makes an empty {@link Links}. */
export function createLinks(options: {
  now: () => number
  /** Six characters that people can read off a screen. */
  makeCode: () => string
}): Links {
  const { now, makeCode } = options
  const links = new Map<string, Link & { state: 'pending' | 'approved' | 'over' }>()
  /** When each device asked within the last hour, the oldest first. */
  const requests = new Map<string, readonly number[]>()

  // What was asked for long ago is of no use to anybody.
  function forgetOld(): void {
    for (const [code, { expiresAt }] of links) {
      if (expiresAt < now() - limitMs) links.delete(code)
    }
    for (const [device, times] of requests) {
      const recent = times.filter((time) => time > now() - limitMs)
      if (recent.length === 0) requests.delete(device)
      else requests.set(device, recent)
    }
  }

  function pending(code: string) {
    const link = links.get(code)
    return link?.state === 'pending' && now() < link.expiresAt ? link : undefined
  }

  function freshCode(): string {
    let code = makeCode()
    while (links.has(code)) code = makeCode()
    return code
  }

  return {
    request(device) {
      forgetOld()
      const times = requests.get(device.deviceId) ?? []
      const [oldest] = times
      if (oldest !== undefined && times.length >= mostPerDevice) {
        return { ok: false, retryAfterMs: oldest + limitMs - now() }
      }
      requests.set(device.deviceId, [...times, now()])
      const link = { code: freshCode(), device, expiresAt: now() + lifeMs }
      links.set(link.code, { ...link, state: 'pending' })
      return { ok: true, link }
    },
    pending,
    decide(code, decision) {
      const link = pending(code)
      if (link === undefined) return false
      // There is no word for "denied" on the wire: to the device, such a code has expired.
      link.state = decision === 'approve' ? 'approved' : 'over'
      return true
    },
    collect(code) {
      const link = links.get(code)
      if (link === undefined) return { status: 'unknown' }
      if (link.state === 'approved') {
        link.state = 'over'
        return { status: 'approved', link }
      }
      return { status: pending(code) === undefined ? 'expired' : 'pending' }
    },
  }
}
