import type { Actor, SnapshotFrom } from 'xstate'
import type { Clock } from '../base/clock.js'
import { SyncError } from '../base/errors.js'
import type { SessionMachine } from '../machines/session/machine.js'
import type { ApiResult } from './api.js'
import type { SyncDriver } from './sync-driver.js'
import type { Tokens, Vault } from './vault.js'

/** Who connects, and with what right. */
export interface SessionCredentials {
  readonly userId: string
  readonly deviceId: string
  /** Never to be logged, nor put where others read it. */
  readonly accessToken: string
}

/** What is known of the attempt that credentials are for; what `createSyncClient` passes fits. */
export interface CredentialsRequest {
  /** The server refused the credentials of the attempt before. */
  readonly refused?: boolean
  /** Nobody waits any more. */
  readonly signal?: AbortSignal
}

/** Where tokens are given out. */
export interface Credentials {
  /** Waits for a snapshot; resolves at once where it is there, or the session is disposed of. */
  readonly settled: (
    isSettled: (snapshot: SessionSnapshot) => boolean,
    signal?: AbortSignal,
  ) => Promise<SessionSnapshot>
  readonly forSync: (request?: CredentialsRequest) => Promise<SessionCredentials>
  readonly authorized: <T>(
    call: (accessToken: string) => Promise<ApiResult<T>>,
  ) => Promise<ApiResult<T>>
  /** The sync was refused twice in a row, and has given up. */
  readonly noteRefusal: () => void
}

type SessionSnapshot = SnapshotFrom<SessionMachine>

// A token that ends while it is on its way is of no use.
const LONGEST_LEEWAY_MS = 10_000

/** Gives out tokens, each still good; asks the machine for others where they are not. */
export function createCredentials({
  actor,
  vault,
  driver,
  deviceId,
  clock,
}: {
  readonly actor: Actor<SessionMachine>
  readonly vault: Vault
  readonly driver: SyncDriver
  readonly deviceId: () => Promise<string>
  readonly clock: Clock
}): Credentials {
  // The generation that the sync was given last, and the one that the server refused it.
  let given: number | undefined
  let refused: number | undefined

  function settled(
    isSettled: (snapshot: SessionSnapshot) => boolean,
    signal?: AbortSignal,
  ): Promise<SessionSnapshot> {
    return new Promise((resolve) => {
      const finish = (): void => {
        signal?.removeEventListener('abort', finish)
        subscription.unsubscribe()
        resolve(actor.getSnapshot())
      }
      const subscription = actor.subscribe({
        next(snapshot) {
          if (isSettled(snapshot)) finish()
        },
        complete: finish,
      })
      signal?.addEventListener('abort', finish, { once: true })
      const now = actor.getSnapshot()
      if (isSettled(now) || now.status !== 'active' || signal?.aborted === true) finish()
    })
  }

  function isGood({ expiresAt, obtainedAt }: Tokens): boolean {
    const leewayMs = Math.min(LONGEST_LEEWAY_MS, (expiresAt - obtainedAt) / 10)
    return clock.now() < expiresAt - leewayMs
  }

  /** Tokens that are good, and not of the generation that is `unwanted`. */
  async function obtain(unwanted: number | undefined, signal?: AbortSignal): Promise<Tokens> {
    await settled((snapshot) => !snapshot.matches('loading'), signal)
    const before = usable(unwanted)
    if (before.tokens !== undefined) return before.tokens
    actor.send({ type: 'renew', generation: before.generation })
    await settled((snapshot) => !snapshot.matches({ signedIn: 'renewing' }), signal)
    const after = usable(unwanted)
    if (after.tokens !== undefined) return after.tokens
    throw new SyncError('token-unavailable', 'No fresh access token could be had.')
  }

  function usable(unwanted: number | undefined): {
    readonly generation: number
    readonly tokens: Tokens | undefined
  } {
    const tokens = vault.current()
    // The vault may still hold, or hold already, what the machine has let go of.
    const snapshot = actor.getSnapshot()
    const isSignedIn = snapshot.status === 'active' && snapshot.matches('signedIn')
    if (tokens === undefined || !isSignedIn) {
      throw new SyncError('not-signed-in', 'Nobody is signed in.')
    }
    const { generation } = tokens
    return { generation, tokens: generation !== unwanted && isGood(tokens) ? tokens : undefined }
  }

  return {
    settled,

    async forSync(request = {}) {
      // Told of each attempt until one has lasted: the same refusal is not taken for a second. What
      // was renewed since the connection was made is as old to a server that takes none of before,
      // and there is no third attempt; so nothing that is held now will do.
      refused = request.refused === true ? (refused ?? vault.current()?.generation) : undefined
      const id = await deviceId()
      const { accessToken, generation, user } = await obtain(refused, request.signal)
      given = generation
      return { userId: user.id, deviceId: id, accessToken }
    },

    async authorized(call) {
      const first = await obtain(undefined)
      const result = await call(first.accessToken)
      if (!isRefused(result)) return result
      const second = await obtain(first.generation)
      const again = await call(second.accessToken)
      if (isRefused(again)) {
        actor.send({ type: 'credentials.refused', generation: second.generation })
      }
      return again
    },

    noteRefusal() {
      if (given === undefined) return
      if (given === vault.current()?.generation) {
        actor.send({ type: 'credentials.refused', generation: given })
      } else {
        // What was refused has been replaced meanwhile.
        driver.reconnect()
      }
    },
  }
}

function isRefused<T>(result: ApiResult<T>): boolean {
  return !result.ok && result.failure.code === 'refused' && result.failure.status === 401
}
