import * as z from 'zod/mini'
import { receive, send } from '../schemas/kull.js'
import type { BackoffPolicy } from '../schemas/policy.js'
import {
  type ConnectRequest,
  defineProtocol,
  type Authentication,
  type UpgradeRequest,
} from '../schemas/protocol.js'
import { coordinator } from './state.js'

/** Who connects. Without a device id it is a web session, and the server makes an id for it. */
export type KullCredentials = z.output<typeof credentials>

const credentials = z.object({
  /** Not empty, and without a colon, at which the server splits the token. */
  userId: z.string().check(matches(/^[^:]+$/, 'must not be empty or contain a colon')),
  deviceId: z.optional(z.string().check(matches(/./s, 'must not be empty'))),
})

// zod's `regex` and `minLength` would add 0.5 kB to a browser bundle.
function matches(pattern: RegExp, message: string): z.core.CheckFn<string> {
  return ({ value, issues }) => {
    if (!pattern.test(value)) issues.push({ code: 'custom', input: value, message })
  }
}

const closeCode = { noToken: 4001, invalidToken: 4002 } as const

const backoff: BackoffPolicy = {
  stepsMs: [1, 2, 4, 8, 16, 32, 60, 60, 60, 60].map((seconds) => seconds * 1_000),
  jitter: 'none',
  maxAttempts: 10,
}

/** The Kull sync protocol, as its deployed server speaks it. */
export const kull = defineProtocol({
  receive,
  send,
  credentials: { schema: credentials, apply: applyCredentials },
  closeCodes: (code) =>
    code === closeCode.noToken || code === closeCode.invalidToken
      ? { next: 'fail', why: 'policy' }
      : undefined,
  backoff,
  coordinator,
  // Only the newest progress of a shoot is worth sending.
  outbox: { UPDATE_PROGRESS: { keepLatestBy: ({ shootId }) => shootId } },
  server: {
    authenticate,
    presence: {
      connected: 'DEVICE_CONNECTED',
      disconnected: 'DEVICE_DISCONNECTED',
      data: ({ deviceId }, timestamp) => ({ deviceId, timestamp }),
    },
    relay: { UPDATE_PROGRESS: 'SHOOT_PROGRESS' },
  },
})

function applyCredentials({ url }: ConnectRequest, { userId, deviceId }: KullCredentials): void {
  const token = deviceId === undefined ? userId : `${userId}:${deviceId}`
  url.searchParams.delete('token')
  // The colon is not escaped, in case a server looks for it before it decodes the URL.
  const parameter = new URLSearchParams({ token }).toString().replaceAll('%3A', ':')
  url.search = url.search === '' ? parameter : `${url.search}&${parameter}`
}

function authenticate(
  request: UpgradeRequest,
  makeId: () => string,
  epochMs: number,
): Authentication {
  const token = tokenOf(request)
  if (token === undefined) {
    return { ok: false, closeCode: closeCode.noToken, reason: 'No token provided' }
  }
  const colon = token.indexOf(':')
  const userId = colon < 0 ? token : token.slice(0, colon)
  if (userId === '') {
    return { ok: false, closeCode: closeCode.invalidToken, reason: 'Invalid token' }
  }
  const deviceId = colon < 0 ? '' : token.slice(colon + 1)
  return { ok: true, userId, deviceId: deviceId === '' ? `web-${epochMs}-${makeId()}` : deviceId }
}

function tokenOf({ url, headers }: UpgradeRequest): string | undefined {
  const parameter = url.searchParams.get('token')
  if (parameter !== null && parameter !== '') return parameter
  const header = headers['authorization']
  const bearer = typeof header === 'string' ? /^Bearer +(\S+) *$/i.exec(header) : null
  return bearer?.[1]
}
