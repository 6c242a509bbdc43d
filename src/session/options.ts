import type { InspectionEvent } from 'xstate'
import { type Clock, createSystemClock, type Random } from '../base/clock.js'
import { assertOption, type ReportError } from '../base/errors.js'
import { assertDuration, type EventObserver, guardInspector, guardReport } from '../base/options.js'
import { createResilientStore } from '../storage/resilient.js'
import type { KeyValueStore } from '../storage/store.js'
import type { DeviceDescription, SessionApi } from './api.js'
import { createDeviceId } from './device-id.js'
import type { SessionSync } from './sync-driver.js'

/** An XState inspector: a function, or an object with `next` as that of `@statelyai/inspect`. */
export type SessionInspector = EventObserver<InspectionEvent>

/** Options of `createSession`. */
export interface SessionOptions {
  readonly api: SessionApi
  /** Where tokens and user are stored between runs. Memory is used if it fails. */
  readonly store: KeyValueStore
  /** What the user sees of this device when confirming the sign-in. */
  readonly device: DeviceDescription
  /** Gives the device's id. Default: `createDeviceId` on `store`. */
  readonly deviceId?: () => Promise<string>
  /** The session starts it when a user is signed in, and stops it before it removes the tokens. */
  readonly sync?: SessionSync
  readonly clock?: Clock
  readonly random?: Random
  /** How long a call of the API may take, in milliseconds. Default 15,000. */
  readonly callTimeoutMs?: number
  /** Called for `storage-failed`, `api-threw` and `sync-threw`. The errors contain no token. */
  readonly onError?: ReportError
  /** Inspects the session's machine. It gets no token. */
  readonly inspect?: SessionInspector
  /** Disposes the session. */
  readonly signal?: AbortSignal
}

/** The options with defaults applied. */
export type ResolvedSessionOptions = ReturnType<typeof resolveSessionOptions>

/** Checks the options of a session and applies defaults. */
export function resolveSessionOptions(options: SessionOptions) {
  const { clock = createSystemClock(), callTimeoutMs = 15_000 } = options
  assertDuration('callTimeoutMs', callTimeoutMs)
  for (const name of ['deviceName', 'platform', 'appVersion'] as const) {
    assertOption(typeof options.device[name] === 'string', `device.${name} must be a string`)
  }
  const report = guardReport(options.onError)
  const store = createResilientStore(options.store, { clock, onError: report })
  return {
    api: options.api,
    store,
    device: options.device,
    deviceId: options.deviceId ?? createDeviceId({ store }).get,
    clock,
    random: options.random ?? Math.random,
    callTimeoutMs,
    report,
    inspect: guardInspector(options.inspect),
  }
}
