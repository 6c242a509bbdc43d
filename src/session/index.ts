/**
 * `statewire/session`: who is signed in on this device, and everything that keeps it so. Where it
 * is kept: `statewire/storage`.
 *
 * @module
 */
export type { Ending, SignedOutReason } from '../machines/session/endings.js'
export type { SessionCommand, SessionEvent } from '../machines/session/events.js'
export { createSessionMachine, type SessionMachine } from '../machines/session/machine.js'
export type {
  ApiFailure,
  ClearScope,
  Grant,
  LinkOffer,
  OfferOutcome,
  PollOutcome,
  RenewOutcome,
  RestoreOutcome,
  SessionPorts,
  User,
} from '../machines/session/ports.js'
export type { SessionParts } from '../machines/session/setup.js'
export { getSessionStatus, type SessionStatus } from '../machines/session/status.js'
export {
  createSessionTiming,
  type SessionTiming,
  standardSessionTiming,
} from '../machines/session/timing.js'
export type {
  ApiResult,
  CallOptions,
  DeviceDescription,
  IssuedTokens,
  LinkCode,
  LinkRequest,
  LinkState,
  RenewedToken,
  SessionApi,
} from './api.js'
export { type Api, type ApiOptions, createApi } from '../kull/create-api.js'
export type { CredentialsRequest, SessionCredentials } from './credentials.js'
export { createDeviceId, type DeviceId, type DeviceIdOptions } from './device-id.js'
export type { Fetch, FetchInit, FetchResponse } from './http.js'
export type { SessionInspector, SessionOptions } from './options.js'
export { createSession, type Session } from './session.js'
export type { SessionSync, SyncStatus } from './sync-driver.js'
