/** A device that asks to be signed in. The device gives these details itself. */
export type LinkingDevice = {
  deviceId: string
  deviceName: string
  platform: string
  appVersion: string
}

/** A code, and the device that shows it. Times are ms since 1970. */
export type Link = {
  readonly code: string
  readonly device: LinkingDevice
  readonly expiresAt: number
}

/** The user's decision about a code. */
export type Decision = 'approve' | 'deny'

/** The codes that wait for a decision. */
export type Links = {
  /** Makes a code for a device, or says how long the device must wait before it may ask again. */
  request(
    device: LinkingDevice,
  ):
    | { readonly ok: true; readonly link: Link }
    | { readonly ok: false; readonly retryAfterMs: number }
  /** Finds a code that can still be confirmed. */
  pending(code: string): Link | undefined
  /** Stores the decision about a code. Returns false if the code is unknown, expired or decided. */
  decide(code: string, decision: Decision): boolean
  /** The state of a code, for the device that shows it. An approval is reported once. */
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
  /** Makes a code of six characters that are easy to read. */
  makeCode: () => string
}): Links {
  const { now, makeCode } = options
  const links = new Map<string, Link & { state: 'pending' | 'approved' | 'over' }>()
  /** When each device asked within the last hour, oldest first. */
  const requests = new Map<string, readonly number[]>()

  // Deletes expired codes and old requests.
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
      // The protocol has no "denied": to the device, a denied code has expired.
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
