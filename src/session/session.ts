import type { Observable } from 'rxjs'
import { createActor } from 'xstate'
import { SyncError } from '../base/errors.js'
import { createSessionMachine } from '../machines/session/machine.js'
import { getSessionStatus, type SessionStatus } from '../machines/session/status.js'
import { createValueStream } from '../streams/streams.js'
import type { ApiResult } from './api.js'
import {
  createCredentials,
  type SessionCredentials,
  type CredentialsRequest,
} from './credentials.js'
import { resolveSessionOptions, type SessionOptions } from './options.js'
import { createSessionPorts } from './session-ports.js'
import { createSyncDriver } from './sync-driver.js'
import { createVault } from './vault.js'

/**
 * Who is signed in on this device, and everything that keeps it so.
 *
 * It is a store, too: `subscribe` and `getSnapshot` fit React's `useSyncExternalStore` and
 * Svelte's store contract.
 */
export interface Session {
  readonly status: SessionStatus
  /** Where the session stands; the current status first. */
  readonly status$: Observable<SessionStatus>
  getSnapshot(): SessionStatus
  /** Calls a listener with the current status and with each later one. */
  subscribe(listener: (status: SessionStatus) => void): () => void

  /** Looks for a stored session. Harmless when repeated. */
  start(): void
  /** Asks for a code to show; nothing unless signed out. */
  signIn(): void
  /** Gives the code up; nothing unless there is one, or one is asked for. */
  cancel(): void
  /**
   * Stops the sync, then removes tokens and user, then tells the server, if it can be reached.
   * Settles once they are removed here; never rejects.
   */
  signOut(): Promise<void>

  /**
   * Gives fresh credentials: for `credentials` of `createSyncClient`, one client per session.
   * After a refusal it gets others first. Any number of callers cause one request.
   *
   * Rejects with a SyncError `not-signed-in`, or `token-unavailable` where none could be had.
   */
  readonly credentials: (request?: CredentialsRequest) => Promise<SessionCredentials>
  /**
   * Makes a call with a fresh access token, and once more with another if the server answers 401.
   * A second 401 ends the session.
   */
  readonly authorized: <T>(
    call: (accessToken: string) => Promise<ApiResult<T>>,
  ) => Promise<ApiResult<T>>

  /** Stops the sync and everything else for good, without signing out. */
  dispose(): void
  [Symbol.dispose](): void
}

/**
 * Makes a session. Nothing happens until `start()`.
 *
 * @throws SyncError `option-invalid` where an option makes no sense; the message names it.
 *
 * @example
 * const session = createSession({ api, store, device, sync })
 * session.status$.subscribe((status) => draw(status))
 * session.start()
 */
export function createSession(options: SessionOptions): Session {
  const resolved = resolveSessionOptions(options)
  const { clock, random, report, store, timing } = resolved
  const vault = createVault({ store, clock })
  const driver = createSyncDriver(options.sync, report)
  const ports = createSessionPorts({ ...resolved, vault, driver })
  const actor = createActor(createSessionMachine({ ports, clock, random, timing }), {
    clock,
    ...(resolved.inspect && { inspect: resolved.inspect }),
  })
  let latest: SessionStatus = { state: 'loading' }
  const statuses = createValueStream<SessionStatus>(latest, report)
  const credentials = createCredentials({
    actor,
    vault,
    driver,
    deviceId: resolved.deviceId,
    clock,
  })
  let isDisposed = false

  actor.subscribe((snapshot) => {
    const status = getSessionStatus(snapshot)
    if (isSameStatus(latest, status)) return
    latest = status
    statuses.next(status)
  })
  actor.start()

  const unwatchSync = driver.watch(credentials.noteRefusal)
  const unwatchStore = store.watch?.((key) => {
    if (key === undefined || key === 'session') void compareWithStore()
  })

  async function compareWithStore(): Promise<void> {
    const comparison = await vault.compare()
    if (isDisposed) return
    switch (comparison.kind) {
      case 'same':
        return
      case 'replaced':
        actor.send({ type: 'store.replaced', grant: comparison.grant })
        return
      case 'vanished':
        actor.send({ type: 'store.vanished' })
        return
      case 'foreign':
        actor.send({ type: 'store.foreign' })
        return
      default:
        comparison satisfies never
    }
  }

  function assertLive(): void {
    if (isDisposed) throw new SyncError('disposed', 'The session has been disposed.')
  }

  function dispose(): void {
    if (isDisposed) return
    isDisposed = true
    options.signal?.removeEventListener('abort', dispose)
    unwatchStore?.()
    unwatchSync()
    driver.stop()
    actor.stop()
    statuses.complete()
  }

  const session: Session = {
    get status() {
      return latest
    },
    status$: statuses.observable,
    getSnapshot: () => latest,
    subscribe(listener) {
      const subscription = statuses.observable.subscribe(listener)
      return () => {
        subscription.unsubscribe()
      }
    },
    start() {
      assertLive()
      actor.send({ type: 'start' })
    },
    signIn() {
      assertLive()
      actor.send({ type: 'link' })
    },
    cancel() {
      if (!isDisposed) actor.send({ type: 'cancel' })
    },
    async signOut() {
      if (isDisposed) return
      actor.send({ type: 'signOut' })
      await credentials.settled(
        (snapshot) => snapshot.matches('signedOut') || snapshot.matches('idle'),
      )
    },
    credentials: credentials.forSync,
    authorized: credentials.authorized,
    dispose,
    [Symbol.dispose]: dispose,
  }
  if (options.signal?.aborted === true) dispose()
  else options.signal?.addEventListener('abort', dispose, { once: true })
  return session
}

function isSameStatus(left: SessionStatus, right: SessionStatus): boolean {
  return JSON.stringify(left) === JSON.stringify(right)
}
