import type { Clock } from '../base/clock.js'
import { nameThrown, withDeadline } from '../base/deadline.js'
import { SyncError } from '../base/errors.js'
import type {
  ApiFailure,
  ClearScope,
  Grant,
  LinkOffer,
  OfferOutcome,
  PollOutcome,
  RenewOutcome,
  RestoreOutcome,
  SessionPorts,
} from '../machines/session/ports.js'
import { type ApiResult, failedCall, type LinkCode, type SessionApi } from './api.js'
import type { ResolvedSessionOptions } from './options.js'
import type { SyncDriver } from './sync-driver.js'
import type { Comparison, Vault } from './vault.js'

/** What {@link ApiSessionPorts} uses. */
export interface SessionParts extends ResolvedSessionOptions {
  readonly vault: Vault
  readonly driver: SyncDriver
}

/** The ports of a session's machine: an API, a vault and a sync. */
export class ApiSessionPorts implements SessionPorts {
  readonly #parts: SessionParts

  constructor(parts: SessionParts) {
    this.#parts = parts
  }

  async restore(signal: AbortSignal): Promise<RestoreOutcome> {
    return toRestored(await this.#parts.vault.restore(signal))
  }

  async requestLink(signal: AbortSignal): Promise<OfferOutcome> {
    const { api, clock, device, deviceId } = this.#parts
    const result = await this.#call('requestLink', signal, async (signal) =>
      api.requestLink({ ...device, deviceId: await deviceId() }, { signal }),
    )
    if (!result.ok) return { kind: 'failed', failure: result.failure }
    return { kind: 'offered', offer: toOffer(result.value, result.serverTime, clock) }
  }

  async checkLink(code: string, signal: AbortSignal): Promise<PollOutcome> {
    const { api, clock, vault } = this.#parts
    const askedAt = clock.now()
    const result = await this.#call('checkLink', signal, (signal) =>
      api.checkLink(code, { signal }),
    )
    if (!result.ok) return toFailedPoll(result.failure)
    const state = result.value
    if (state.status !== 'approved') return { kind: state.status }
    vault.hold(state.tokens, askedAt)
    return { kind: 'approved' }
  }

  async adopt(): Promise<RestoreOutcome> {
    return toRestored(await this.#parts.vault.adopt())
  }

  async renew(signal: AbortSignal): Promise<RenewOutcome> {
    const { api, clock, deviceId, vault } = this.#parts
    // Another tab may have renewed the tokens or signed out.
    const before = await vault.compare()
    if (before.kind !== 'same' || signal.aborted) return toRenewal(before)
    const tokens = vault.current
    if (tokens === undefined) return { kind: 'vanished' }
    const askedAt = clock.now()
    const { refreshToken } = tokens
    const result = await this.#call('renew', signal, async (signal) =>
      api.renew({ refreshToken, deviceId: await deviceId() }, { signal }),
    )
    if (result.ok) return toRenewal(await vault.applyRenewal(tokens, result.value, askedAt))
    if (result.failure.code !== 'refused' || result.failure.status !== 401) {
      return { kind: 'failed', failure: result.failure }
    }
    // A server that rotates refresh tokens refuses one that another tab has just used.
    const after = await vault.compare()
    return after.kind === 'same' ? { kind: 'revoked' } : toRenewal(after)
  }

  clear(scope: ClearScope): Promise<void> {
    return this.#parts.vault.clear(scope)
  }

  async revoke(signal: AbortSignal): Promise<void> {
    const { api, vault } = this.#parts
    const accessToken = vault.takeRemovedToken()
    if (accessToken === undefined) return
    await this.#call('revoke', signal, (signal) => api.revoke(accessToken, { signal }))
  }

  startSync(): void {
    this.#parts.driver.start()
  }

  stopSync(): void {
    this.#parts.driver.stop()
  }

  async #call<T>(
    name: keyof SessionApi,
    signal: AbortSignal,
    run: (signal: AbortSignal) => Promise<ApiResult<T>>,
  ): Promise<ApiResult<T>> {
    const { callTimeoutMs: limitMs, clock, report } = this.#parts
    const settled = await withDeadline({ clock, limitMs, signal }, run)
    if (settled.kind === 'value') return settled.value
    if (settled.kind === 'threw') {
      // Without the cause: an exception of the API may contain the tokens that it was given.
      const message = `The API's ${name} threw (${nameThrown(settled.error)}).`
      report(new SyncError('api-threw', message))
    }
    const failures = {
      late: { code: 'timeout', message: 'The server did not answer in time.' },
      aborted,
      threw: { code: 'network', message: 'The request failed.' },
    } as const
    return failedCall(failures[settled.kind])
  }
}

const aborted: ApiFailure = { code: 'aborted', message: 'The request was cancelled.' }

function toRestored(grant: Grant | undefined): RestoreOutcome {
  return grant === undefined ? { kind: 'none' } : { kind: 'granted', grant }
}

// Some servers say in the answer that a code has expired, others do not know the code any more.
function toFailedPoll(failure: ApiFailure): PollOutcome {
  const isGone = failure.code === 'refused' && (failure.status === 404 || failure.status === 410)
  return isGone ? { kind: 'expired' } : { kind: 'failed', failure }
}

function toRenewal(comparison: Comparison): RenewOutcome {
  switch (comparison.kind) {
    case 'replaced':
      return { kind: 'granted', grant: comparison.grant }
    case 'vanished':
    case 'foreign':
      return comparison
    case 'same':
      // Nobody has renewed them, and the renewal here was aborted.
      return { kind: 'failed', failure: aborted }
    default:
      return comparison satisfies never
  }
}

// A code with a life outside these limits means that two clocks disagree.
const SHORTEST_LINK_MS = 30_000
const LONGEST_LINK_MS = 3_600_000
const USUAL_LINK_MS = 600_000

/**
 * Works out how long a code is valid. The server gives its end by the server's clock, so the life
 * is counted from the time in the same answer. Without that time it is counted from our clock. A
 * life that makes no sense is replaced by the usual one.
 */
function toOffer(
  { code, expiresAt, verificationUrl }: LinkCode,
  serverTime: number | undefined,
  clock: Clock,
): LinkOffer {
  // Servers give the time in whole seconds, rounded down.
  const lifeMs =
    serverTime === undefined
      ? expiresAt - clock.epoch()
      : Math.floor((expiresAt - serverTime) / 1_000) * 1_000
  const isSensible = lifeMs >= SHORTEST_LINK_MS && lifeMs <= LONGEST_LINK_MS
  const lastsMs = isSensible ? lifeMs : USUAL_LINK_MS
  return {
    code,
    verificationUrl,
    expiresAt: clock.epoch() + lastsMs,
    endsAt: clock.now() + lastsMs,
  }
}
