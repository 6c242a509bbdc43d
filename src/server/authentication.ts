import type { Clock } from '../base/clock.js'
import { type ReportError, SyncError } from '../base/errors.js'
import type { Authentication, UpgradeRequest } from '../schemas/server-behaviour.js'
import { isSendableCloseCode } from './close-code.js'
import { isThenable } from './reporting.js'

/** What an `authenticate` function is given beside the request. */
export interface AuthenticationContext {
  /** Aborted when the answer is no longer wanted: the client left, the time is up, or we close. */
  readonly signal: AbortSignal
  /** What the protocol itself makes of the request: to extend it rather than replace it. */
  readonly byProtocol: () => Authentication
}

/** Says who connects, or with which close code it is sent away. */
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
  /** Hears the answer, once, and at once where `authenticate` gives it at once. */
  readonly decided: (answer: Authentication) => void
}

const failed: Authentication = { ok: false, closeCode: 1011, reason: 'Authentication failed' }

/**
 * Asks who connects. Whatever goes wrong in `authenticate` is reported and becomes a refusal with
 * 1011, which clients take for our fault and not for theirs.
 *
 * @returns The function that gives up: aborts, and decides nothing.
 */
export function startAuthentication(attempt: AuthenticationAttempt): () => void {
  const { clock } = attempt
  const controller = new AbortController()
  let isOver = false
  const timer = clock.setTimeout(() => {
    fail(`gave no answer within ${attempt.timeoutMs} ms`)
  }, attempt.timeoutMs)

  function end(): boolean {
    if (isOver) return false
    isOver = true
    clock.clearTimeout(timer)
    return true
  }

  function fail(what: string, cause?: unknown): void {
    if (!end()) return
    attempt.report(new SyncError('authenticate-failed', `authenticate ${what}.`, { cause }))
    controller.abort()
    attempt.decided(failed)
  }

  function decide(answer: unknown): void {
    if (!isAuthentication(answer)) {
      fail('gave neither an identity nor a close code that can be sent')
    } else if (end()) {
      attempt.decided(answer)
    }
  }

  try {
    const answer = attempt.authenticate(attempt.request, {
      signal: controller.signal,
      byProtocol: attempt.byProtocol,
    })
    if (isThenable(answer)) {
      answer.then(decide, (cause: unknown) => {
        fail('rejected', cause)
      })
    } else {
      decide(answer)
    }
  } catch (cause) {
    fail('threw', cause)
  }

  return () => {
    if (end()) controller.abort()
  }
}

// The answer may come from code that no compiler looked at.
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
