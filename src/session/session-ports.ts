import type { Clock } from '../base/clock.js'
import { nameThrown, withDeadline } from '../base/deadline.js'
import { type ReportError, SyncError } from '../base/errors.js'
import type {
  ApiFailure,
  LinkOffer,
  PollOutcome,
  RenewOutcome,
  SessionPorts,
} from '../machines/session/ports.js'
import type { ApiResult, DeviceDescription, LinkCode, SessionApi } from './api.js'
import type { SyncDriver } from './sync-driver.js'
import type { Comparison, Vault } from './vault.js'

/** What {@link createSessionPorts} is made of. */
export interface SessionPortsOptions {
  readonly api: SessionApi
  readonly vault: Vault
  readonly driver: SyncDriver
  readonly device: DeviceDescription
  readonly deviceId: () => Promise<string>
  readonly clock: Clock
  /** How long any call of the API may take, whatever bound it has itself, in milliseconds. */
  readonly callTimeoutMs: number
  readonly report: ReportError
}

// A code that lasts no time, or for ever, tells of two clocks that disagree, not of the code.
const SHORTEST_LINK_MS = 30_000
const LONGEST_LINK_MS = 3_600_000
const USUAL_LINK_MS = 600_000

/** Makes what a session machine has done for it, of an API, a vault and a sync. */
export function createSessionPorts(options: SessionPortsOptions): SessionPorts {
  const { api, vault, driver, device, clock, report } = options

  async function call<T>(
    name: keyof SessionApi,
    signal: AbortSignal,
    run: (signal: AbortSignal) => Promise<ApiResult<T>>,
  ): Promise<ApiResult<T>> {
    const { callTimeoutMs: limitMs } = options
    const settled = await withDeadline({ clock, limitMs, signal }, run)
    switch (settled.kind) {
      case 'value':
        return settled.value
      case 'late':
        return failed({ code: 'timeout', message: 'The server did not answer in time.' })
      case 'aborted':
        return failed({ code: 'aborted', message: 'The request was given up.' })
      case 'threw':
        // Without the cause: what an API throws may repeat the tokens that it was given.
        report(
          new SyncError('api-threw', `The API's ${name} threw (${nameThrown(settled.error)}).`),
        )
        return failed({ code: 'network', message: 'The request failed.' })
      default:
        return settled satisfies never
    }
  }

  return {
    async restore(signal) {
      const grant = await vault.restore(signal)
      return grant === undefined ? { kind: 'none' } : { kind: 'granted', grant }
    },

    async requestLink(signal) {
      const result = await call('requestLink', signal, async (signal) =>
        api.requestLink({ ...device, deviceId: await options.deviceId() }, { signal }),
      )
      if (!result.ok) return { kind: 'failed', failure: result.failure }
      return { kind: 'offered', offer: toOffer(result.value, result.serverTime, clock) }
    },

    async checkLink(code, signal) {
      const askedAt = clock.now()
      const result = await call('checkLink', signal, (signal) => api.checkLink(code, { signal }))
      if (!result.ok) return takeFailedPoll(result.failure)
      const state = result.value
      if (state.status !== 'approved') return { kind: state.status }
      vault.hold(state.tokens, askedAt)
      return { kind: 'approved' }
    },

    async adopt() {
      const grant = await vault.adopt()
      return grant === undefined ? { kind: 'none' } : { kind: 'granted', grant }
    },

    async renew(signal) {
      // Another tab may have done it already, or have signed out.
      const before = await vault.compare()
      if (before.kind !== 'same' || signal.aborted) return toRenewal(before)
      const tokens = vault.current()
      if (tokens === undefined) return { kind: 'vanished' }
      const askedAt = clock.now()
      const { refreshToken } = tokens
      const result = await call('renew', signal, async (signal) =>
        api.renew({ refreshToken, deviceId: await options.deviceId() }, { signal }),
      )
      if (result.ok) return toRenewal(await vault.renewed(tokens, result.value, askedAt))
      if (result.failure.code !== 'refused' || result.failure.status !== 401) {
        return { kind: 'failed', failure: result.failure }
      }
      // A server that rotates tokens refuses the one that another tab has just used up.
      const after = await vault.compare()
      return after.kind === 'same' ? { kind: 'revoked' } : toRenewal(after)
    },

    clear: (scope) => vault.clear(scope),

    async revoke(signal) {
      const accessToken = vault.takeDeparted()
      if (accessToken === undefined) return
      await call('revoke', signal, (signal) => api.revoke(accessToken, { signal }))
    },

    startSync() {
      driver.start()
    },
    stopSync() {
      driver.stop()
    },
  }
}

const aborted: RenewOutcome = {
  kind: 'failed',
  failure: { code: 'aborted', message: 'The request was given up.' },
}

function failed(failure: ApiFailure): { readonly ok: false; readonly failure: ApiFailure } {
  return { ok: false, failure }
}

// Servers differ in how they say that a code is over: in the answer, or by not knowing it.
function takeFailedPoll(failure: ApiFailure): PollOutcome {
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
      return aborted
    default:
      return comparison satisfies never
  }
}

/**
 * The end of a code is told by the server's clock. How long it lasts is read off that clock where
 * the answer told the time, and otherwise off ours, unless that makes no sense.
 */
function toOffer(
  { code, expiresAt, verificationUrl }: LinkCode,
  serverTime: number | undefined,
  clock: Clock,
): LinkOffer {
  // Servers tell the time in whole seconds, rounded down.
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
