import type { Clock } from '../base/clock.js'
import { type ReportError, SyncError } from '../base/errors.js'
import type { Authentication, UpgradeRequest } from '../schemas/protocol.js'
import { askUserCode } from './ask.js'
import { isSendableCloseCode } from './close-code.js'

/** What an `authenticate` function is given beside the request. */
export interface AuthenticationContext {
  /** Aborted when the answer is no longer needed: the client left, time is up, or the server closes. */
  readonly signal: AbortSignal
  /** The protocol's own answer to the request, for a function that extends it. */
  readonly byProtocol: () => Authentication
}

/** Says who connects, or with which close code to refuse the client. */
export type Authenticate = (
  request: UpgradeRequest,
  context: AuthenticationContext,
) => Authentication | Promise<Authentication>

/** What {@link startAuthentication} needs. */
export interface AuthenticationAttempt {
  readonly request: UpgradeRequest
  readonly authenticate: Authenticate
  readonly byProtocol: () => Authentication
  readonly clock: Clock
  /** How long an answer may take, in milliseconds. */
  readonly timeoutMs: number
  readonly report: ReportError
  /** Receives the answer, once: before the call returns where `authenticate` gives no promise. */
  readonly decided: (answer: Authentication) => void
}

const authenticationFailed: Authentication = {
  ok: false,
  closeCode: 1011,
  reason: 'Authentication failed',
}

/**
 * Asks who connects. Every failure of `authenticate` is reported and refuses the client with 1011,
 * which clients treat as the server's fault: they try again.
 *
 * @returns A function that abandons the attempt: it aborts the signal, and `decided` is not called.
 */
export function startAuthentication(attempt: AuthenticationAttempt): () => void {
  const { authenticate, byProtocol, clock, decided, request, timeoutMs } = attempt
  const controller = new AbortController()

  function fail(what: string, cause?: unknown): void {
    attempt.report(new SyncError('authenticate-failed', `authenticate ${what}.`, { cause }))
    controller.abort()
    decided(authenticationFailed)
  }

  const abandon = askUserCode({
    ask: () => authenticate(request, { signal: controller.signal, byProtocol }),
    clock,
    timeoutMs,
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
