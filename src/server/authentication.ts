import { withDeadline } from '../base/deadline.js'
import type { MessageSchemas } from '../schemas/schema.js'
import type { Authentication, UpgradeRequest } from '../schemas/protocol.js'
import { isSendableCloseCode } from './close-code.js'
import type { ServerContext } from './options.js'

const notAuthenticated: Authentication = { ok: false, closeCode: 1008, reason: 'Not authenticated' }
// Clients treat 1011 as the server's fault: they try again.
const failed: Authentication = { ok: false, closeCode: 1011, reason: 'Authentication failed' }

/**
 * Asks who connects. Every failure of `authenticate` is reported and refuses the client. When the
 * signal aborts, the answer is no longer needed.
 */
export async function authenticateClient<R extends MessageSchemas, S extends MessageSchemas>(
  request: UpgradeRequest,
  context: ServerContext<R, S>,
  signal: AbortSignal,
): Promise<Authentication> {
  const { authenticate, clock, makeId, protocol, reporting } = context
  const limitMs = context.authenticateTimeoutMs
  const byProtocol = () =>
    protocol.server?.authenticate(request, makeId, clock.epoch()) ?? notAuthenticated
  const asked = await withDeadline({ clock, limitMs, signal }, (unwanted) =>
    authenticate(request, { signal: unwanted, byProtocol }),
  )
  if (asked.kind === 'aborted') return failed
  if (asked.kind === 'value' && isAuthentication(asked.value)) return asked.value
  const wrong = 'gave neither an identity nor a close code that can be sent'
  reporting.reportNoAnswer('authenticate-failed', 'authenticate', asked, wrong)
  return failed
}

// The answer may come from code that no compiler checked.
function isAuthentication(value: unknown): value is Authentication {
  if (typeof value !== 'object' || value === null || !('ok' in value)) return false
  const answer = value as Partial<Record<string, unknown>>
  if (answer['ok'] === true) {
    return typeof answer['userId'] === 'string' && typeof answer['deviceId'] === 'string'
  }
  return (
    answer['ok'] === false &&
    typeof answer['closeCode'] === 'number' &&
    isSendableCloseCode(answer['closeCode']) &&
    typeof answer['reason'] === 'string'
  )
}
