import type { Actor, SnapshotFrom } from 'xstate'
import { SyncError } from '../base/errors.js'
import type { SessionMachine } from '../machines/session/machine.js'
import type { ApiResult } from './api.js'
import type { SessionParts } from './session-ports.js'
import type { Tokens } from './vault.js'

/** Who connects, and the token that proves it. */
export interface SessionCredentials {
  readonly userId: string
  readonly deviceId: string
  /** A secret: do not log it or put it into a URL. */
  readonly accessToken: string
}

/** What a client says of the attempt that it needs credentials for, as `createSyncClient` does. */
export interface CredentialsRequest {
  /** The server refused the credentials of the attempt before. */
  readonly refused?: boolean
  /** Aborts when the attempt no longer waits for the credentials. */
  readonly signal?: AbortSignal
}

type SessionSnapshot = SnapshotFrom<SessionMachine>

// A token that expires on its way to the server is useless.
const LONGEST_LEEWAY_MS = 10_000

/** Gives out valid tokens, and asks the session's machine to renew the others. */
export class CredentialProvider {
  readonly #actor: Actor<SessionMachine>
  readonly #parts: SessionParts
  /** The generation of the tokens that the sync got last. */
  #given: number | undefined
  /** The generation of the tokens that the server refused the sync. */
  #refused: number | undefined

  constructor(actor: Actor<SessionMachine>, parts: SessionParts) {
    this.#actor = actor
    this.#parts = parts
  }

  /** Gives credentials for one attempt of the sync to connect. */
  async forSync(request: CredentialsRequest = {}): Promise<SessionCredentials> {
    // A refusal is told on every attempt until a connection is stable. The first telling fixes the
    // unwanted generation: the newest at that moment, because there is no third attempt.
    this.#refused =
      request.refused === true
        ? (this.#refused ?? this.#parts.vault.current?.generation)
        : undefined
    const deviceId = await this.#parts.deviceId()
    const { accessToken, generation, user } = await this.#obtain(this.#refused, request.signal)
    this.#given = generation
    return { userId: user.id, deviceId, accessToken }
  }

  /** Makes a call with a token; after an answer with status 401 once more, with a newer token. */
  async authorized<T>(call: (accessToken: string) => Promise<ApiResult<T>>): Promise<ApiResult<T>> {
    const first = await this.#obtain(undefined)
    const result = await call(first.accessToken)
    if (!isRefused(result)) return result
    const second = await this.#obtain(first.generation)
    const again = await call(second.accessToken)
    if (isRefused(again)) {
      this.#actor.send({ type: 'credentials.refused', generation: second.generation })
    }
    return again
  }

  /** To be called when the sync failed because the server refused its credentials twice in a row. */
  noteRefusal(): void {
    if (this.#given === undefined) return
    if (this.#given === this.#parts.vault.current?.generation) {
      this.#actor.send({ type: 'credentials.refused', generation: this.#given })
    } else {
      // The session has newer tokens than those that the server refused.
      this.#parts.driver.reconnect()
    }
  }

  /** Waits for a snapshot of a kind. Ends early if the signal aborts or the session is disposed. */
  waitFor(
    isWanted: (snapshot: SessionSnapshot) => boolean,
    signal?: AbortSignal,
  ): Promise<SessionSnapshot> {
    const actor = this.#actor
    return new Promise((resolve) => {
      const finish = (): void => {
        signal?.removeEventListener('abort', finish)
        subscription.unsubscribe()
        resolve(actor.getSnapshot())
      }
      const subscription = actor.subscribe({
        next(snapshot) {
          if (isWanted(snapshot)) finish()
        },
        complete: finish,
      })
      signal?.addEventListener('abort', finish, { once: true })
      const now = actor.getSnapshot()
      if (isWanted(now) || now.status !== 'active' || signal?.aborted === true) finish()
    })
  }

  /** Gives valid tokens of another generation than `unwanted`, after a renewal if necessary. */
  async #obtain(unwanted: number | undefined, signal?: AbortSignal): Promise<Tokens> {
    await this.waitFor((snapshot) => !snapshot.matches('loading'), signal)
    const before = this.#current()
    if (this.#isUsable(before, unwanted)) return before
    this.#actor.send({ type: 'renew', generation: before.generation })
    await this.waitFor((snapshot) => !snapshot.matches({ signedIn: 'renewing' }), signal)
    const after = this.#current()
    if (this.#isUsable(after, unwanted)) return after
    throw new SyncError('token-unavailable', 'The session could not get a fresh access token.')
  }

  #current(): Tokens {
    const tokens = this.#parts.vault.current
    // The vault gets tokens before the machine is signed in, and may have them after it left.
    const snapshot = this.#actor.getSnapshot()
    const isSignedIn = snapshot.status === 'active' && snapshot.matches('signedIn')
    if (tokens !== undefined && isSignedIn) return tokens
    throw new SyncError('not-signed-in', 'Nobody is signed in.')
  }

  #isUsable({ generation, expiresAt, obtainedAt }: Tokens, unwanted: number | undefined): boolean {
    const leewayMs = Math.min(LONGEST_LEEWAY_MS, (expiresAt - obtainedAt) / 10)
    return generation !== unwanted && this.#parts.clock.now() < expiresAt - leewayMs
  }
}

function isRefused<T>(result: ApiResult<T>): boolean {
  return !result.ok && result.failure.code === 'refused' && result.failure.status === 401
}
