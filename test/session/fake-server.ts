import type { Clock } from '../../src/base/clock.js'
import type { ApiFailure, User } from '../../src/machines/session/ports.js'
import type { ApiResult, IssuedTokens, SessionApi } from '../../src/session/api.js'

export const ada: User = { id: 'u1', email: 'ada@example.com', firstName: 'Ada' }
export const grace: User = { id: 'u2', email: 'grace@example.com' }

export const network: ApiFailure = { code: 'network', message: 'The server cannot be reached.' }

type CallName = keyof SessionApi
type Mishap = ApiFailure | 'hangs' | 'throws'

interface Link {
  readonly deviceId: string
  readonly expiresAt: number
  state: 'pending' | 'used' | User
}

/** Everything in a token that must never be seen. */
export const CANARY = 'canary'

/**
 * The product's server, as far as sign-in goes, in memory and on a clock of its own if need be. It
 * answers at once, unless it is told to take its time or to misbehave.
 */
export function createFakeServer({
  clock,
  skewMs = 0,
  tellsTime = true,
  rotates = false,
  linkLastsMs = 600_000,
}: {
  readonly clock: Clock
  readonly skewMs?: number
  readonly tellsTime?: boolean
  readonly rotates?: boolean
  readonly linkLastsMs?: number
}) {
  const links = new Map<string, Link>()
  const accessTokens = new Map<string, { readonly user: User; readonly expiresAt: number }>()
  const refreshTokens = new Map<string, User>()
  const chains = new Map<string, string>()
  const mishaps = new Map<CallName, Mishap[]>()
  const log: { readonly name: CallName; readonly at: number }[] = []
  let made = 0
  let latencyMs = 0

  const time = (): number => clock.epoch() + skewMs
  const make = (kind: string): string => {
    made += 1
    return `${CANARY}-${kind}-${made}`
  }

  function issue(user: User): string {
    const accessToken = make('access')
    accessTokens.set(accessToken, { user, expiresAt: time() + 3_600_000 })
    return accessToken
  }

  async function serve<T>(
    name: CallName,
    signal: AbortSignal | undefined,
    run: () => ApiResult<T>,
  ): Promise<ApiResult<T>> {
    log.push({ name, at: clock.now() })
    const mishap = mishaps.get(name)?.shift()
    if (mishap === 'throws') throw new Error(`${CANARY} of ${name}`)
    if (mishap === 'hangs') return await new Promise(() => undefined)
    // As a real server does: it takes effect there whether or not anybody waits for the answer.
    if (latencyMs > 0) {
      await new Promise<void>((resolve) => {
        const timer = clock.setTimeout(resolve, latencyMs)
        signal?.addEventListener('abort', () => {
          clock.clearTimeout(timer)
        })
      })
    }
    return mishap === undefined ? run() : { ok: false, failure: mishap }
  }

  function ok<T>(value: T): ApiResult<T> {
    return { ok: true, value, ...(tellsTime && { serverTime: time() }) }
  }

  function refused<T>(status: number): ApiResult<T> {
    return { ok: false, failure: { code: 'refused', status, message: 'No.' } }
  }

  const api: SessionApi = {
    requestLink: ({ deviceId }, { signal } = {}) =>
      serve('requestLink', signal, () => {
        made += 1
        const code = `C${String(made).padStart(5, '0')}`
        const expiresAt = time() + linkLastsMs
        links.set(code, { deviceId, expiresAt, state: 'pending' })
        return ok({ code, expiresAt, verificationUrl: 'https://example.com/link' })
      }),
    checkLink: (code, { signal } = {}) =>
      serve('checkLink', signal, () => {
        const link = links.get(code)
        if (link === undefined || link.state === 'used') return refused(404)
        if (link.state !== 'pending') {
          const user = link.state
          link.state = 'used'
          const refreshToken = make('refresh')
          refreshTokens.set(refreshToken, user)
          const tokens: IssuedTokens = {
            accessToken: issue(user),
            refreshToken,
            expiresIn: 3_600,
            user,
          }
          return ok({ status: 'approved', tokens })
        }
        return ok({ status: time() >= link.expiresAt ? 'expired' : 'pending' })
      }),
    renew: ({ refreshToken }, { signal } = {}) =>
      serve('renew', signal, () => {
        const user = refreshTokens.get(refreshToken)
        if (user === undefined) return refused(401)
        if (!rotates) return ok({ accessToken: issue(user), expiresIn: 3_600 })
        refreshTokens.delete(refreshToken)
        const rotated = make('refresh')
        refreshTokens.set(rotated, user)
        chains.set(rotated, chains.get(refreshToken) ?? refreshToken)
        return ok({ accessToken: issue(user), expiresIn: 3_600, refreshToken: rotated })
      }),
    revoke: (accessToken, { signal } = {}) =>
      serve('revoke', signal, () => {
        const token = accessTokens.get(accessToken)
        if (token === undefined) return refused(401)
        for (const [refreshToken, user] of refreshTokens) {
          if (user.id === token.user.id) refreshTokens.delete(refreshToken)
        }
        return ok(undefined)
      }),
  }

  return {
    api,
    log,
    count: (name: CallName) => log.filter((call) => call.name === name).length,
    /** The user confirms the newest code. */
    approve(user: User = ada) {
      const link = [...links.values()].at(-1)
      if (link?.state === 'pending') link.state = user
    },
    /** What the next calls of a name meet instead of an answer. */
    mishap(name: CallName, ...next: Mishap[]) {
      mishaps.set(name, [...(mishaps.get(name) ?? []), ...next])
    },
    /** How long answers take from now on, in milliseconds. */
    setLatency(ms: number) {
      latencyMs = ms
    },
    /** Tokens as another tab has got them. */
    issueSession(user: User) {
      const refreshToken = make('refresh')
      refreshTokens.set(refreshToken, user)
      return { accessToken: issue(user), refreshToken }
    },
    /** What tells sign-ins apart: the refresh token that a refresh token goes back to. */
    chainOf: (refreshToken: string) => chains.get(refreshToken) ?? refreshToken,
    /** Whether an access token is good, as the server of a sync would ask. */
    userOf(accessToken: string): User | undefined {
      const token = accessTokens.get(accessToken)
      return token !== undefined && time() < token.expiresAt ? token.user : undefined
    },
    /** Access tokens are not good any more; refresh tokens are. */
    forgetAccessTokens: () => {
      accessTokens.clear()
    },
    /** Nobody is known any more. */
    forgetEveryone: () => {
      accessTokens.clear()
      refreshTokens.clear()
    },
    get refreshTokensLeft() {
      return refreshTokens.size
    },
  }
}

export type FakeServer = ReturnType<typeof createFakeServer>
