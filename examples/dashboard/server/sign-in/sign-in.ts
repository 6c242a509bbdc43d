import { randomBytes, randomInt, randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { ada } from '../../accounts.js'
import { sendJson } from '../json.js'
import type { OwnAddress } from '../own-address.js'
import { createApprovalRoute } from './approval-route.js'
import { createGate, type Gate } from './gate.js'
import { createLinks } from './links.js'
import { createDeviceAuthRoutes, type Route } from './routes.js'
import { createSignIns, type SignIns } from './sign-ins.js'
import { createTokens } from './tokens.js'

/** Options, for tests and for impatient users. */
export type SignInOptions = {
  /** How long access tokens are valid, in ms. Default 1 hour. */
  accessLifeMs?: number
  /** Milliseconds since 1970. Default: the system's clock. */
  now?: () => number
  /** Makes the codes. Default: six random characters. */
  makeCode?: () => string
}

/** Sign-in by device link for one environment: its routes, its page, and its gate. */
export type SignIn = Gate & Pick<SignIns, 'expireDevice' | 'revokeDevice'> & { route: Route }

// Characters that cannot be confused with others on a screen.
const characters = 'ABCDEFGHJKMNPQRSTUVWXYZ23456789'

/** Makes the sign-in of an environment, with a signing key of its own. */
export function createSignIn(
  options: SignInOptions & {
    environment: string
    isOurPage: (origin: string) => boolean
    own: () => OwnAddress
    onRefused: (device: { userId: string; deviceId: string }) => void
  },
): SignIn {
  const { environment, isOurPage, own, onRefused } = options
  const { accessLifeMs = 3_600_000, now = Date.now, makeCode = randomCode } = options
  const tokens = createTokens({ issuer: `kull-${environment}`, key: randomBytes(32), now })
  const links = createLinks({ now, makeCode })
  const signIns = createSignIns({ tokens, makeId: randomUUID, accessLifeMs, onRefused })
  const page = createApprovalRoute({ links, user: ada, environment, own })
  const deviceAuth = createDeviceAuthRoutes({
    links,
    signIns,
    user: ada,
    verificationUrl: (code) => `${own().url}/link?code=${code}`,
  })

  // Only the demo's page may call these routes: another page could use up a device's codes.
  function isWelcome(request: IncomingMessage): boolean {
    const { origin } = request.headers
    return own().isUnderOwnName(request) && (origin === undefined || isOurPage(origin))
  }

  return {
    ...createGate(signIns),
    expireDevice: (...device) => signIns.expireDevice(...device),
    revokeDevice: (...device) => signIns.revokeDevice(...device),
    async route(request, response) {
      if (await page(request, response)) return true
      if (request.url?.startsWith('/api/device-auth/') !== true) return false
      if (isWelcome(request)) return deviceAuth(request, response)
      sendJson(response, 403, { error: 'For the page of this demo only' })
      return true
    },
  }
}

function randomCode(): string {
  return Array.from({ length: 6 }, () => characters[randomInt(characters.length)]).join('')
}
