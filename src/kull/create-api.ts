import * as z from 'zod/mini'
import { type Clock, createSystemClock } from '../base/clock.js'
import { assertOption } from '../base/errors.js'
import { assertDuration } from '../base/options.js'
import { creditSummary } from '../schemas/kull.js'
import { createValidate } from '../schemas/schema.js'
import type { ApiResult, CallOptions, LinkState, SessionApi } from '../session/api.js'
import { token, toUser, user } from '../session/stored-session.js'
import { callHttp, type Fetch, type HttpOptions } from './http.js'

/** Options of {@link createApi}. */
export interface ApiOptions {
  /** The address of the server: `http:` or `https:`. A function is called for each request. */
  readonly baseUrl: string | URL | (() => string | URL)
  /** Default: the platform's. */
  readonly fetch?: Fetch
  readonly clock?: Clock
  /** How long a call may take, in milliseconds. Default 10,000. */
  readonly timeoutMs?: number
}

/** The product's HTTP API, as far as an app uses it. */
export interface Api extends SessionApi {
  /** The balance, for the sync's `loadSnapshot`. */
  creditSummary(
    accessToken: string,
    options?: CallOptions,
  ): Promise<ApiResult<{ readonly balance: number }>>
  /** Whether the sync service is up. */
  serviceStatus(options?: CallOptions): Promise<ApiResult<{ readonly status: string }>>
}

// Shown as a link, so it must not be a `javascript:` address or the like.
const webAddress = z.string().check(
  z.maxLength(2_048),
  z.refine((text) => /^https?:\/\//i.test(text) && URL.canParse(text)),
)

/** A time in ISO 8601. */
const isoTime = z.string().check(z.refine((text) => !Number.isNaN(Date.parse(text))))

const seconds = z.number().check(z.positive(), z.maximum(2 ** 31))

// What the server answers. Fields that an app does not use are dropped.

/** `POST /api/device-auth/request`. */
const validateLinkCode = createValidate(
  z.object({
    code: z.string().check(z.minLength(1), z.maxLength(64)),
    expiresAt: isoTime,
    verificationUrl: webAddress,
  }),
)

/** `GET /api/device-auth/status/:code`. */
const validateLinkState = createValidate(
  z.discriminatedUnion('status', [
    z.object({ status: z.literal('pending') }),
    z.object({ status: z.literal('expired') }),
    z.object({
      status: z.literal('approved'),
      tokens: z.object({ accessToken: token, refreshToken: token, expiresIn: seconds, user }),
    }),
  ]),
)

/** `POST /api/device-auth/refresh`. */
const validateRenewedToken = createValidate(
  z.object({
    accessToken: token,
    expiresIn: seconds,
    refreshToken: z.optional(token),
  }),
)

// Any answer with a status of success will do.
const validateAnything = createValidate(z.unknown())

/** `GET /api/sync/status`. */
const validateServiceStatus = createValidate(z.object({ status: z.string() }))

const validateCreditSummary = createValidate(creditSummary)

/**
 * Makes a client of the product's HTTP API. Each answer is validated by a schema, each call has a
 * time limit, and failures are data: see `ApiFailure`.
 *
 * @throws SyncError `option-invalid` for an option that makes no sense; the message names it.
 *
 * @example
 * const api = createApi({ baseUrl: 'https://kullai.com' })
 */
export function createApi(options: ApiOptions): Api {
  const http = resolveApiOptions(options)
  return {
    async requestLink({ deviceId, deviceName, platform, appVersion }, { signal } = {}) {
      const path = 'api/device-auth/request'
      const body = { deviceId, deviceName, platform, appVersion }
      const validate = validateLinkCode
      const result = await callHttp(http, { method: 'POST', path, body, signal, validate })
      return mapResult(result, (code) => ({ ...code, expiresAt: Date.parse(code.expiresAt) }))
    },
    async checkLink(code, { signal } = {}) {
      const path = `api/device-auth/status/${encodeURIComponent(code)}`
      const validate = validateLinkState
      const result = await callHttp(http, { method: 'GET', path, signal, validate })
      return mapResult(result, (state): LinkState => {
        if (state.status !== 'approved') return state
        return { ...state, tokens: { ...state.tokens, user: toUser(state.tokens.user) } }
      })
    },
    async renew({ refreshToken, deviceId }, { signal } = {}) {
      const path = 'api/device-auth/refresh'
      const body = { refreshToken, deviceId }
      const validate = validateRenewedToken
      const result = await callHttp(http, { method: 'POST', path, body, signal, validate })
      return mapResult(result, ({ refreshToken: rotated, ...renewed }) =>
        rotated === undefined ? renewed : { ...renewed, refreshToken: rotated },
      )
    },
    async revoke(accessToken, { signal } = {}) {
      const path = 'api/device-auth/revoke'
      const call = { method: 'POST', path, accessToken, signal, keepalive: true } as const
      const result = await callHttp(http, { ...call, validate: validateAnything })
      return mapResult(result, () => undefined)
    },
    creditSummary(accessToken, { signal } = {}) {
      const path = 'api/kull/credits/summary'
      const validate = validateCreditSummary
      return callHttp(http, { method: 'GET', path, accessToken, signal, validate })
    },
    serviceStatus({ signal } = {}) {
      const path = 'api/sync/status'
      return callHttp(http, { method: 'GET', path, signal, validate: validateServiceStatus })
    },
  }
}

function mapResult<T, U>(result: ApiResult<T>, to: (value: T) => U): ApiResult<U> {
  return result.ok ? { ...result, value: to(result.value) } : result
}

function resolveApiOptions(options: ApiOptions): HttpOptions {
  const { baseUrl, clock = createSystemClock(), timeoutMs = 10_000 } = options
  assertDuration('timeoutMs', timeoutMs)
  const isUsable = typeof baseUrl === 'function' || isWebAddress(baseUrl)
  assertOption(isUsable, 'baseUrl must be an http: or https: address')
  return {
    baseUrl: typeof baseUrl === 'function' ? baseUrl : () => baseUrl,
    fetch: options.fetch ?? platformFetch,
    clock,
    timeoutMs,
  }
}

function isWebAddress(address: unknown): boolean {
  return (
    (typeof address === 'string' || address instanceof URL) && /^https?:\/\//i.test(String(address))
  )
}

// Reads the global at each call, so that a `fetch` replaced later (by a test, by a tracer) is used.
function platformFetch(...call: Parameters<Fetch>): ReturnType<Fetch> {
  const { fetch } = globalThis as unknown as { readonly fetch: Fetch }
  return fetch(...call)
}
