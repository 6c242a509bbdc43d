import type { InspectionEvent } from 'xstate'
import { type Clock, createSystemClock, type Random } from '../base/clock.js'
import { type ReportError, SyncError } from '../base/errors.js'
import { assertDuration, guardInspector, guardReport } from '../base/options.js'
import { createSessionTiming, type SessionTiming } from '../machines/session/timing.js'
import { createResilientStore, type ResilientStore } from '../storage/resilient.js'
import type { KeyValueStore } from '../storage/store.js'
import type { DeviceDescription, SessionApi } from './api.js'
import { createDeviceId } from './device-id.js'
import type { SessionSync } from './sync-driver.js'

/** An XState inspector: a function, or an object with `next`, as Stately's gives it. */
export type SessionInspector =
  | ((event: InspectionEvent) => void)
  | { readonly next?: (event: InspectionEvent) => void }

/** Options of `createSession`. */
export interface SessionOptions {
  readonly api: SessionApi
  /** Where tokens and user are kept between runs; backed by memory where it fails. */
  readonly store: KeyValueStore
  /** What is shown of this device where a sign-in is confirmed. */
  readonly device: DeviceDescription
  /** Gives the device's id. Default: one that is kept in `store`. */
  readonly deviceId?: () => Promise<string>
  /** Started once someone is signed in, and stopped before the tokens go. */
  readonly sync?: SessionSync
  readonly clock?: Clock
  readonly random?: Random
  readonly timing?: Partial<SessionTiming>
  /** How long a call of the API may take, whatever bound it has itself, in milliseconds. Default 15,000. */
  readonly callTimeoutMs?: number
  /** How long an operation of the store may take, in milliseconds. Default 3,000. */
  readonly storeTimeoutMs?: number
  /** Told what goes wrong beside the way: `storage-failed`, `api-threw`, `sync-threw`. No token is in it. */
  readonly onError?: ReportError
  /** Watches the session's machine; it is shown no token. */
  readonly inspect?: SessionInspector
  /** Disposes of the session. */
  readonly signal?: AbortSignal
}

/** Options, completed. */
export interface ResolvedSessionOptions {
  readonly api: SessionApi
  readonly store: ResilientStore
  readonly device: DeviceDescription
  readonly deviceId: () => Promise<string>
  readonly clock: Clock
  readonly random: Random
  readonly timing: SessionTiming
  readonly callTimeoutMs: number
  readonly report: ReportError
  readonly inspect: ((event: InspectionEvent) => void) | undefined
}

/** Completes and checks the options of a session. */
export function resolveSessionOptions(options: SessionOptions): ResolvedSessionOptions {
  const { clock = createSystemClock(), callTimeoutMs = 15_000, storeTimeoutMs = 3_000 } = options
  assertDuration('callTimeoutMs', callTimeoutMs)
  assertDuration('storeTimeoutMs', storeTimeoutMs)
  for (const name of ['deviceName', 'platform', 'appVersion'] as const) {
    if (typeof options.device[name] !== 'string') {
      throw new SyncError('option-invalid', `device.${name} must be a string`)
    }
  }
  const report = guardReport(options.onError)
  const store = createResilientStore(options.store, {
    clock,
    timeoutMs: storeTimeoutMs,
    onError: report,
  })
  return {
    api: options.api,
    store,
    device: options.device,
    deviceId: options.deviceId ?? createDeviceId({ store }).get,
    clock,
    random: options.random ?? Math.random,
    timing: createSessionTiming(options.timing),
    callTimeoutMs,
    report,
    inspect: guardInspector(options.inspect),
  }
}
