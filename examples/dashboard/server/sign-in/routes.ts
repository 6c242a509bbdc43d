import type { IncomingMessage, ServerResponse } from 'node:http'
import * as z from 'zod'
import type { DemoUser } from '../../accounts.js'
import { readJson, sendJson } from '../json.js'
import type { Links } from './links.js'
import type { SignIns } from './sign-ins.js'

/** Answers a request and returns true, or leaves it to others and returns false. */
export type Route = (request: IncomingMessage, response: ServerResponse) => Promise<boolean>

const short = z.string().min(1).max(200)
const linkRequest = z.object({
  deviceId: short,
  deviceName: short,
  platform: short,
  appVersion: short,
})
const renewal = z.object({ refreshToken: z.string().max(4_096), deviceId: short })

type Reply = { status: number; body: unknown; headers?: Record<string, string> }

/**
 * Makes the routes that a device signs in with: `POST /api/device-auth/request`, `/refresh` and
 * `/revoke`, and `GET /api/device-auth/status/<code>`. No answer repeats text of the request.
 */
export function createDeviceAuthRoutes(options: {
  links: Links
  signIns: SignIns
  /** The user who approves, and who is then signed in. */
  user: DemoUser
  /** The address of the page that confirms codes. */
  verificationUrl: (code: string) => string
}): Route {
  const { links, signIns, user, verificationUrl } = options

  async function request(sent: IncomingMessage): Promise<Reply> {
    const device = linkRequest.safeParse(await readJson(sent))
    if (!device.success) return refuse(400, 'A device says its id, name, platform and version')
    const answer = links.request(device.data)
    if (!answer.ok) {
      const seconds = Math.max(1, Math.ceil(answer.retryAfterMs / 1_000))
      return refuse(429, 'Too many codes for this device', { 'retry-after': String(seconds) })
    }
    const { code, expiresAt } = answer.link
    const body = {
      code,
      expiresAt: new Date(expiresAt).toISOString(),
      verificationUrl: verificationUrl(code),
    }
    return { status: 200, body }
  }

  async function status(code: string): Promise<Reply> {
    const answer = links.collect(code)
    if (answer.status === 'unknown') return refuse(404, 'No such code')
    if (answer.status !== 'approved') return { status: 200, body: { status: answer.status } }
    const tokens = await signIns.begin(user.id, answer.link.device.deviceId)
    return { status: 200, body: { status: 'approved', tokens: { ...tokens, user } } }
  }

  async function refresh(sent: IncomingMessage): Promise<Reply> {
    const wanted = renewal.safeParse(await readJson(sent))
    if (!wanted.success) return refuse(400, 'A device says its refresh token and its id')
    const renewed = await signIns.renew(wanted.data.refreshToken, wanted.data.deviceId)
    return renewed === undefined ? refuse(401, 'Not signed in') : { status: 200, body: renewed }
  }

  async function revoke({ headers }: IncomingMessage): Promise<Reply> {
    const isRevoked = await signIns.revoke(bearerOf(headers.authorization) ?? '')
    return isRevoked ? { status: 200, body: { success: true } } : refuse(401, 'Not signed in')
  }

  function routeOf(
    path: string,
  ): [method: string, answer: (sent: IncomingMessage) => Promise<Reply>] {
    const [, name = '', code] = /^\/api\/device-auth\/([a-z]+)(?:\/([^/]+))?$/.exec(path) ?? []
    if (name === 'status' && code !== undefined) return ['GET', () => status(code)]
    if (code === undefined) {
      if (name === 'request') return ['POST', request]
      if (name === 'refresh') return ['POST', refresh]
      if (name === 'revoke') return ['POST', revoke]
    }
    return ['', () => Promise.resolve(refuse(404, 'Not found'))]
  }

  return async (sent, response) => {
    const path = (sent.url ?? '').split('?', 1)[0] ?? ''
    if (!path.startsWith('/api/device-auth/')) return false
    const [method, answer] = routeOf(path)
    const isWrongMethod = method !== '' && sent.method !== method
    const reply = isWrongMethod
      ? refuse(405, `Use ${method}`, { allow: method })
      : await answer(sent)
    sendJson(response, reply.status, reply.body, reply.headers)
    return true
  }
}

/** The token of an `Authorization: Bearer` header. */
export function bearerOf(header: string | undefined): string | undefined {
  return /^Bearer +(\S+) *$/i.exec(header ?? '')?.[1]
}

function refuse(status: number, error: string, headers?: Record<string, string>): Reply {
  return headers === undefined ? { status, body: { error } } : { status, body: { error }, headers }
}
