/**
 * `statewire/session`: who is signed in on this device, with tokens that are renewed in time. The
 * storages for it are in `statewire/storage`, the product's HTTP API in `statewire/kull`.
 *
 * @module
 */
export type { Ending, SignedOutReason } from '../machines/session/endings.js'
export type { SessionCommand, SessionEvent } from '../machines/session/context.js'
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
export type { SessionInput } from '../machines/session/context.js'
export { getSessionStatus, type SessionStatus } from '../machines/session/status.js'
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
export type { CredentialsRequest, SessionCredentials } from './credential-provider.js'
export { createDeviceId, type DeviceId, type DeviceIdOptions } from './device-id.js'
export type { SessionInspector, SessionOptions } from './options.js'
export { createSession, type Session } from './session.js'
export type { SessionSync, SyncStatus } from './sync-driver.js'
