import { clampDelay } from '../base/clock.js'
import { type ReportError, SyncError } from '../base/errors.js'
import type { CloseCodes, CloseVerdict } from '../schemas/policy.js'
import type { ConnectionFailure } from './failure.js'

const RETRY: CloseVerdict = { next: 'retry' }
const REFRESH: CloseVerdict = { next: 'refresh' }
const FAIL_POLICY: CloseVerdict = { next: 'fail', why: 'policy' }
const FAIL_PROTOCOL: CloseVerdict = { next: 'fail', why: 'protocol' }

// "Try again later" means longer than the first second of a backoff.
const LATER: CloseVerdict = { next: 'retry', minWaitMs: 30_000 }
// A restarting server closes all its clients at once: their attempts are spread.
const RESTARTING: CloseVerdict = { next: 'retry', spread: true }
// Where the server's own code fails for this client, an endless series of attempts does not help.
const SERVER_ERROR: CloseVerdict = { next: 'retry', inARow: 5 }

/** The longest wait that a server can ask for, by `Retry-After` or otherwise, in milliseconds. */
const LONGEST_RETRY_AFTER_MS = 15 * 60_000

/**
 * Decides what follows a close code: by the protocol's own table, or else by RFC 6455, the IANA
 * registry, and common practice for 4401, 4403 and 4429.
 */
export function classifyCloseCode(code: number, protocol?: CloseCodes): CloseVerdict {
  return protocol?.(code) ?? standardVerdict(code)
}

function standardVerdict(code: number): CloseVerdict {
  switch (code) {
    case 1002:
    case 1003:
    case 1007:
    case 1010:
      return FAIL_PROTOCOL
    case 1008:
    case 4403:
      return FAIL_POLICY
    case 4401:
      return REFRESH
    case 1011:
      return SERVER_ERROR
    case 1012:
      return RESTARTING
    case 1013:
    case 4429:
      return LATER
    default:
      return isTerminalRange(code) ? FAIL_POLICY : RETRY
  }
}

// The registry leaves 3000-4999 to libraries and applications. Centrifuge and others use the upper
// half of each thousand for "do not reconnect".
function isTerminalRange(code: number): boolean {
  return (code >= 3500 && code <= 3999) || (code >= 4500 && code <= 4999)
}

/**
 * Makes a protocol's table safe to call inside a machine. Each code is asked for once, so that a
 * guard and an action get the same verdict. An error of the table is reported; the library's table
 * then decides.
 */
export function createCloseTable(
  protocol: CloseCodes | undefined,
  report: ReportError,
): CloseCodes | undefined {
  if (protocol === undefined) return undefined
  const verdicts = new Map<number, CloseVerdict | undefined>()
  return (code) => {
    if (verdicts.has(code)) return verdicts.get(code)
    let verdict: CloseVerdict | undefined
    try {
      verdict = protocol(code)
    } catch (cause) {
      report(new SyncError('handler-threw', 'The close codes of the protocol threw.', { cause }))
    }
    verdicts.set(code, verdict)
    return verdict
  }
}

/** Decides what follows a failure of any kind. */
export function classifyFailure(failure: ConnectionFailure, protocol?: CloseCodes): CloseVerdict {
  switch (failure.code) {
    case 'closed':
      return returnNoSooner(classifyCloseCode(failure.closeCode, protocol), failure.returnAfterMs)
    case 'upgrade-refused':
      return classifyStatus(failure.status, failure.retryAfterMs)
    case 'url-unusable':
    case 'credentials-missing':
      return FAIL_POLICY
    case 'network':
    case 'connect-timeout':
    case 'pong-timeout':
    case 'answer-timeout':
    case 'message-too-large':
    case 'provider-rejected':
      return RETRY
    default:
      return failure satisfies never
  }
}

function classifyStatus(status: number, retryAfterMs: number | undefined): CloseVerdict {
  if (status === 401) return REFRESH
  if (status === 403) return FAIL_POLICY
  return returnNoSooner(RETRY, retryAfterMs)
}

function returnNoSooner(verdict: CloseVerdict, afterMs: number | undefined): CloseVerdict {
  if (verdict.next !== 'retry' || afterMs === undefined) return verdict
  const wantedMs = Math.min(clampDelay(afterMs), LONGEST_RETRY_AFTER_MS)
  return { ...verdict, minWaitMs: Math.max(verdict.minWaitMs ?? 0, wantedMs) }
}
