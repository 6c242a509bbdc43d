import { SyncError } from '../base/errors.js'
import type { MessageSchemas } from '../schemas/schema.js'
import type { Authentication, UpgradeRequest } from '../schemas/protocol.js'
import { askUserCode } from './ask.js'
import { isSendableCloseCode } from './close-code.js'
import type { ServerContext } from './options.js'

const notAuthenticated: Authentication = { ok: false, closeCode: 1008, reason: 'Not authenticated' }
// Clients treat 1011 as the server's fault: they try again.
const failed: Authentication = { ok: false, closeCode: 1011, reason: 'Authentication failed' }

/**
 * Asks who connects, and calls `decided` once: before it returns where `authenticate` gives no
 * promise. Every failure of `authenticate` is reported and refuses the client.
 *
 * @returns A function that abandons the question: it aborts the signal, and `decided` is not called.
 */
export function startAuthentication<R extends MessageSchemas, S extends MessageSchemas>(
  request: UpgradeRequest,
  context: ServerContext<R, S>,
  decided: (answer: Authentication) => void,
): () => void {
  const { authenticate, authenticateTimeoutMs, clock, makeId, protocol, reporting } = context
  const controller = new AbortController()

  function byProtocol(): Authentication {
    return protocol.server?.authenticate(request, makeId, clock.epoch()) ?? notAuthenticated
  }

  function fail(what: string, cause?: unknown): void {
    reporting.report(new SyncError('authenticate-failed', `authenticate ${what}.`, { cause }))
    controller.abort()
    decided(failed)
  }

  const abandon = askUserCode({
    ask: () => authenticate(request, { signal: controller.signal, byProtocol }),
    clock,
    timeoutMs: authenticateTimeoutMs,
    answered(answer) {
      if (isAuthentication(answer)) decided(answer)
      else fail('gave neither an identity nor a close code that can be sent')
    },
    failed: fail,
  })
  return () => {
    if (abandon()) controller.abort()
  }
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
