import { assertDuration } from '../base/options.js'
import { type Clock, createSystemClock } from '../base/clock.js'
import { SyncError } from '../base/errors.js'
import { createValidate } from '../schemas/schema.js'
import {
  anything,
  creditSummary,
  linkCode,
  linkState,
  renewedToken,
  serviceStatus,
  toUser,
} from './answers.js'
import type { ApiResult, CallOptions, LinkCode, LinkState, SessionApi } from '../session/api.js'
import { callHttp, type Fetch, type HttpOptions } from '../session/http.js'

/** Options of {@link createApi}. */
export interface ApiOptions {
  /** Where the server is: `http:` or `https:`; a function is asked at each call. */
  readonly baseUrl: string | URL | (() => string | URL)
  /** Default: the platform's. */
  readonly fetch?: Fetch
  readonly clock?: Clock
  /** How long a call may take, in milliseconds. Default 10,000. */
  readonly timeoutMs?: number
}

/** The product's HTTP interface, as far as an app uses it. */
export interface Api extends SessionApi {
  /** The balance, for the sync's `loadSnapshot`. */
  creditSummary(
    accessToken: string,
    options?: CallOptions,
  ): Promise<ApiResult<{ readonly balance: number }>>
  /** Whether the sync service is up. */
  serviceStatus(options?: CallOptions): Promise<ApiResult<{ readonly status: string }>>
}

// An answer of this interface is a kilobyte or two.
const MAX_BYTES = 262_144

const readLinkCode = createValidate(linkCode)
const readLinkState = createValidate(linkState)
const readRenewedToken = createValidate(renewedToken)
const readAnything = createValidate(anything)
const readCreditSummary = createValidate(creditSummary)
const readServiceStatus = createValidate(serviceStatus)

/**
 * Makes a client of the product's HTTP interface. Each answer is checked against a schema, each
 * call has a bound, and what goes wrong is data: see `ApiFailure`.
 *
 * @throws SyncError `option-invalid` where an option makes no sense; the message names it.
 *
 * @example
 * const api = createApi({ baseUrl: 'https://kullai.com' })
 */
export function createApi(options: ApiOptions): Api {
  const http = resolveOptions(options)
  return {
    async requestLink(request, { signal } = {}) {
      const { deviceId, deviceName, platform, appVersion } = request
      const body = { deviceId, deviceName, platform, appVersion }
      const path = 'api/device-auth/request'
      const result = await callHttp(http, {
        method: 'POST',
        path,
        body,
        signal,
        read: readLinkCode,
      })
      return map(result, (code): LinkCode => ({ ...code, expiresAt: Date.parse(code.expiresAt) }))
    },
    async checkLink(code, { signal } = {}) {
      const path = `api/device-auth/status/${encodeURIComponent(code)}`
      const result = await callHttp(http, { method: 'GET', path, signal, read: readLinkState })
      return map(result, (state): LinkState => {
        if (state.status !== 'approved') return state
        return { ...state, tokens: { ...state.tokens, user: toUser(state.tokens.user) } }
      })
    },
    async renew({ refreshToken, deviceId }, { signal } = {}) {
      const body = { refreshToken, deviceId }
      const path = 'api/device-auth/refresh'
      const result = await callHttp(http, {
        method: 'POST',
        path,
        body,
        signal,
        read: readRenewedToken,
      })
      return map(result, ({ refreshToken: rotated, ...token }) =>
        rotated === undefined ? token : { ...token, refreshToken: rotated },
      )
    },
    async revoke(accessToken, { signal } = {}) {
      const result = await callHttp(http, {
        method: 'POST',
        path: 'api/device-auth/revoke',
        accessToken,
        signal,
        keepalive: true,
        read: readAnything,
      })
      return map(result, () => undefined)
    },
    creditSummary: (accessToken, { signal } = {}) =>
      callHttp(http, {
        method: 'GET',
        path: 'api/kull/credits/summary',
        accessToken,
        signal,
        read: readCreditSummary,
      }),
    serviceStatus: ({ signal } = {}) =>
      callHttp(http, { method: 'GET', path: 'api/sync/status', signal, read: readServiceStatus }),
  }
}

function map<T, U>(result: ApiResult<T>, to: (value: T) => U): ApiResult<U> {
  return result.ok ? { ...result, value: to(result.value) } : result
}

function resolveOptions(options: ApiOptions): HttpOptions {
  const { baseUrl, clock = createSystemClock(), timeoutMs = 10_000 } = options
  assertDuration('timeoutMs', timeoutMs)
  const isUsable = typeof baseUrl === 'function' || isWebAddress(baseUrl)
  if (!isUsable) {
    throw new SyncError('option-invalid', 'baseUrl must be an http: or https: address')
  }
  return {
    baseUrl: typeof baseUrl === 'function' ? baseUrl : () => baseUrl,
    fetch: options.fetch ?? platformFetch,
    clock,
    timeoutMs,
    maxBytes: MAX_BYTES,
  }
}

function isWebAddress(address: unknown): boolean {
  return (
    (typeof address === 'string' || address instanceof URL) && /^https?:\/\//i.test(String(address))
  )
}

// Looked up at each call, so that a `fetch` that was replaced later (by a test, by a tracer) is met.
function platformFetch(...call: Parameters<Fetch>): ReturnType<Fetch> {
  const { fetch } = globalThis as unknown as { readonly fetch: Fetch }
  return fetch(...call)
}
