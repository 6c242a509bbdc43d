import type { Observable } from 'rxjs'
import { type Actor, createActor } from 'xstate'
import { SyncError } from '../base/errors.js'
import { createSessionMachine, type SessionMachine } from '../machines/session/machine.js'
import { getSessionStatus, type SessionStatus } from '../machines/session/status.js'
import { createValueStream, subscribe } from '../streams/streams.js'
import type { ApiResult } from './api.js'
import {
  CredentialProvider,
  type CredentialsRequest,
  type SessionCredentials,
} from './credential-provider.js'
import { resolveSessionOptions, type SessionOptions } from './options.js'
import { ApiSessionPorts } from './session-ports.js'
import { SyncDriver } from './sync-driver.js'
import { SESSION_KEY, Vault } from './vault.js'

/**
 * Who is signed in on this device: it links the device, renews the tokens, and starts and stops
 * the sync.
 *
 * It is a store too: `subscribe` and `getSnapshot` fit React's `useSyncExternalStore` and
 * Svelte's store contract.
 */
export interface Session {
  readonly status: SessionStatus
  /** Emits the current status, then each change. */
  readonly status$: Observable<SessionStatus>
  getSnapshot(): SessionStatus
  /** Calls a listener with the current status, then with each change. */
  subscribe(listener: (status: SessionStatus) => void): () => void

  /** Looks for a stored session. A second call does nothing. */
  start(): void
  /** Asks for a code to show. Does nothing unless signed out. */
  signIn(): void
  /** Gives the code up. Does nothing unless there is a code, or a request for one. */
  cancel(): void
  /**
   * Stops the sync, then removes tokens and user, then tells the server, if it can be reached.
   * Resolves once they are removed from this device. Never rejects.
   */
  signOut(): Promise<void>

  /**
   * Gives fresh credentials: for the option `credentials` of `createSyncClient`, one client per
   * session. After a refusal it renews them first. Any number of callers cause one request.
   *
   * Rejects with a SyncError: `not-signed-in`, or `token-unavailable` if the renewal failed.
   */
  readonly credentials: (request?: CredentialsRequest) => Promise<SessionCredentials>
  /**
   * Makes a call with a fresh access token. If the server answers 401, it makes the call once
   * more with a renewed token. A second 401 ends the session.
   */
  readonly authorized: <T>(
    call: (accessToken: string) => Promise<ApiResult<T>>,
  ) => Promise<ApiResult<T>>

  /** Stops the sync and the session for good. The user stays signed in for the next run. */
  dispose(): void
  [Symbol.dispose](): void
}

/**
 * Makes a session. Nothing happens until `start()`.
 *
 * @throws SyncError `option-invalid` for an option that makes no sense; the message names it.
 *
 * @example
 * const session = createSession({ api, store, device, sync })
 * session.status$.subscribe((status) => draw(status))
 * session.start()
 */
export function createSession(options: SessionOptions): Session {
  return new ActorSession(options)
}

/** A session that runs its machine as an actor. */
class ActorSession implements Session {
  readonly #actor: Actor<SessionMachine>
  readonly #vault: Vault
  readonly #driver: SyncDriver
  readonly #provider: CredentialProvider
  readonly #statuses: ReturnType<typeof createValueStream<SessionStatus>>
  readonly #signal: AbortSignal | undefined
  readonly #unwatch: () => void
  #status: SessionStatus = { state: 'loading' }
  #isDisposed = false

  constructor(options: SessionOptions) {
    const resolved = resolveSessionOptions(options)
    const { clock, random, report, store } = resolved
    this.#signal = options.signal
    this.#vault = new Vault(store, clock)
    this.#driver = new SyncDriver(options.sync, report)
    this.#statuses = createValueStream(this.#status, report)
    const parts = { ...resolved, vault: this.#vault, driver: this.#driver }
    this.#actor = createActor(createSessionMachine(), {
      clock,
      ...(resolved.inspect && { inspect: resolved.inspect }),
      input: { ports: new ApiSessionPorts(parts), clock, random },
    })
    this.#provider = new CredentialProvider(this.#actor, parts)

    this.#actor.subscribe((snapshot) => this.#publish(getSessionStatus(snapshot)))
    this.#actor.start()
    const unwatchSync = this.#driver.watch(() => this.#provider.noteRefusal())
    const unwatchStore = store.watch?.((key) => {
      if (key === undefined || key === SESSION_KEY) void this.#compareWithStore()
    })
    this.#unwatch = () => {
      unwatchStore?.()
      unwatchSync()
    }
    if (this.#signal?.aborted === true) this.dispose()
    else this.#signal?.addEventListener('abort', this.dispose, { once: true })
  }

  get status(): SessionStatus {
    return this.#status
  }

  get status$(): Observable<SessionStatus> {
    return this.#statuses.observable
  }

  readonly getSnapshot = (): SessionStatus => this.#status

  readonly subscribe = (listener: (status: SessionStatus) => void): (() => void) =>
    subscribe(this.#statuses.observable, listener)

  readonly start = (): void => {
    this.#assertLive()
    this.#actor.send({ type: 'start' })
  }

  readonly signIn = (): void => {
    this.#assertLive()
    this.#actor.send({ type: 'link' })
  }

  readonly cancel = (): void => {
    if (!this.#isDisposed) this.#actor.send({ type: 'cancel' })
  }

  readonly signOut = async (): Promise<void> => {
    if (this.#isDisposed) return
    this.#actor.send({ type: 'signOut' })
    await this.#provider.waitFor((now) => now.matches('signedOut') || now.matches('idle'))
  }

  readonly credentials = (request?: CredentialsRequest): Promise<SessionCredentials> =>
    this.#provider.forSync(request)

  readonly authorized = <T>(
    call: (accessToken: string) => Promise<ApiResult<T>>,
  ): Promise<ApiResult<T>> => this.#provider.authorized(call)

  readonly dispose = (): void => {
    if (this.#isDisposed) return
    this.#isDisposed = true
    this.#signal?.removeEventListener('abort', this.dispose)
    this.#unwatch()
    this.#driver.stop()
    this.#actor.stop()
    this.#statuses.complete()
  };

  [Symbol.dispose](): void {
    this.dispose()
  }

  #publish(status: SessionStatus): void {
    if (JSON.stringify(this.#status) === JSON.stringify(status)) return
    this.#status = status
    this.#statuses.next(status)
  }

  /** Tells the machine what another tab or process wrote to the store. */
  async #compareWithStore(): Promise<void> {
    const comparison = await this.#vault.compare()
    if (this.#isDisposed) return
    switch (comparison.kind) {
      case 'same':
        return
      case 'replaced':
        this.#actor.send({ type: 'store.replaced', grant: comparison.grant })
        return
      case 'vanished':
      case 'foreign':
        this.#actor.send({ type: `store.${comparison.kind}` })
        return
      default:
        comparison satisfies never
    }
  }

  #assertLive(): void {
    if (this.#isDisposed) throw new SyncError('disposed', 'The session has been disposed.')
  }
}
