import type { ApiFailure, User } from '../machines/session/ports.js'

/** The result of a call: the answer, or why there is none. */
export type ApiResult<T> =
  | {
      readonly ok: true
      readonly value: T
      /** The time of the answer by the server's clock, in milliseconds since the epoch. */
      readonly serverTime?: number
    }
  | { readonly ok: false; readonly failure: ApiFailure }

/** The result of a call that failed. */
export function failedCall(failure: ApiFailure): {
  readonly ok: false
  readonly failure: ApiFailure
} {
  return { ok: false, failure }
}

/** What the server shows of this device to the user who confirms the sign-in. */
export interface DeviceDescription {
  readonly deviceName: string
  /** For example `web`, `macOS`. */
  readonly platform: string
  readonly appVersion: string
}

/** A request for a code. */
export interface LinkRequest extends DeviceDescription {
  readonly deviceId: string
}

/** A code that the user confirms on another device. */
export interface LinkCode {
  readonly code: string
  /** By the server's clock, in milliseconds since the epoch. */
  readonly expiresAt: number
  /** An `http:` or `https:` address, which is safe to show as a link. */
  readonly verificationUrl: string
}

/** The tokens of a sign-in. The library never logs them or puts them into an error. */
export interface IssuedTokens {
  readonly accessToken: string
  readonly refreshToken: string
  /** How long the access token is valid, in seconds. */
  readonly expiresIn: number
  readonly user: User
}

/** Whether a code was confirmed. The server gives the tokens once. */
export type LinkState =
  | { readonly status: 'pending' }
  | { readonly status: 'expired' }
  | { readonly status: 'approved'; readonly tokens: IssuedTokens }

/** The result of a renewal. It has a refresh token if the server replaces them at each renewal. */
export interface RenewedToken {
  readonly accessToken: string
  readonly expiresIn: number
  readonly refreshToken?: string
}

/** Options of every call. */
export interface CallOptions {
  /** Cancels the call. */
  readonly signal?: AbortSignal
}

/**
 * The server as a session sees it. Implement it to sign in with a server of your own; `createApi`
 * of `statewire/kull` is the one for Kull. Failures are data. An exception counts as a failed call.
 */
export interface SessionApi {
  /** Asks for a code for this device. */
  requestLink(request: LinkRequest, options?: CallOptions): Promise<ApiResult<LinkCode>>
  /** Asks whether a code was confirmed. */
  checkLink(code: string, options?: CallOptions): Promise<ApiResult<LinkState>>
  /** Asks for a fresh access token. Status 401 means that the refresh token is not valid any more. */
  renew(
    request: { readonly refreshToken: string; readonly deviceId: string },
    options?: CallOptions,
  ): Promise<ApiResult<RenewedToken>>
  /** Tells the server that the tokens are not used any more. */
  revoke(accessToken: string, options?: CallOptions): Promise<ApiResult<undefined>>
}
