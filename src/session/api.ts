import type { ApiFailure, User } from '../machines/session/ports.js'

/** What became of a call: the answer, or why there is none. */
export type ApiResult<T> =
  | {
      readonly ok: true
      readonly value: T
      /** When the server answered, by its own clock, in milliseconds since the epoch. */
      readonly serverTime?: number
    }
  | { readonly ok: false; readonly failure: ApiFailure }

/** What a server shows of a device to whoever is asked to confirm it. */
export interface DeviceDescription {
  readonly deviceName: string
  /** For example `web`, `macOS`. */
  readonly platform: string
  readonly appVersion: string
}

/** What a code is asked for with. */
export interface LinkRequest extends DeviceDescription {
  readonly deviceId: string
}

/** A code that the user is to confirm elsewhere. */
export interface LinkCode {
  readonly code: string
  /** By the server's clock, in milliseconds since the epoch. */
  readonly expiresAt: number
  /** `http:` or `https:`, so that it can be shown as a link. */
  readonly verificationUrl: string
}

/** What a sign-in gives. Never logged, never in an error. */
export interface IssuedTokens {
  readonly accessToken: string
  readonly refreshToken: string
  /** How long the access token lasts, in seconds. */
  readonly expiresIn: number
  readonly user: User
}

/** Whether a code was confirmed. The tokens are given once. */
export type LinkState =
  | { readonly status: 'pending' }
  | { readonly status: 'expired' }
  | { readonly status: 'approved'; readonly tokens: IssuedTokens }

/** What a renewal gives; a new refresh token only where the server rotates them. */
export interface RenewedToken {
  readonly accessToken: string
  readonly expiresIn: number
  readonly refreshToken?: string
}

/** Options of every call. */
export interface CallOptions {
  /** Gives the call up. */
  readonly signal?: AbortSignal
}

/**
 * What a session asks of a server. `createApi` is the product's; implement it to sign in against
 * a server of your own. Failures are data; what it throws all the same counts as a failed call.
 */
export interface SessionApi {
  /** Asks for a code for this device. */
  requestLink(request: LinkRequest, options?: CallOptions): Promise<ApiResult<LinkCode>>
  /** Asks whether a code was confirmed. */
  checkLink(code: string, options?: CallOptions): Promise<ApiResult<LinkState>>
  /** Asks for a fresh access token; refused with status 401 where the refresh token is not good any more. */
  renew(
    request: { readonly refreshToken: string; readonly deviceId: string },
    options?: CallOptions,
  ): Promise<ApiResult<RenewedToken>>
  /** Says that the tokens are not used any more. */
  revoke(accessToken: string, options?: CallOptions): Promise<ApiResult<undefined>>
}
