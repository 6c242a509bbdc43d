import type { ApiResult, IssuedTokens, LinkState, SessionApi } from '../../src/session/api.js'
import type { ManualClock } from '../../src/testing/clock.js'

/** Where the model has the session: the four states of the product, told apart by what is open. */
export type Phase =
  | { readonly name: 'out' }
  | { readonly name: 'asking'; readonly failures: number }
  | { readonly name: 'linking'; readonly endsAt: number }
  | { readonly name: 'in'; readonly token: string }

export type CallName = keyof SessionApi
export type Answer = 'good' | 'network' | 'refused'

interface OpenCall {
  readonly name: CallName
  readonly answer: (answer: Answer) => void
}

const lastsMs = 60_000
const network = { ok: false, failure: { code: 'network', message: 'No.' } } as const
const refused = { ok: false, failure: { code: 'refused', status: 401, message: 'No.' } } as const

/**
 * What a session must be, told from outside: from what the user did and what answers came, with
 * no knowledge of the machine. It also is the server, whose every answer waits to be given.
 */
export function createModel(clock: ManualClock) {
  let phase: Phase = { name: 'out' }
  let approved = false
  let made = 0
  const open: OpenCall[] = []
  const witnesses = { linked: 0, expired: 0, renewed: 0, revoked: 0, givenUp: 0 }

  /** A call that is answered when the test says so, or never, if it is given up. */
  function call<T>(
    name: CallName,
    signal: AbortSignal | undefined,
    good: () => ApiResult<T>,
    take: (answer: Answer, result: ApiResult<T>) => void,
  ): Promise<ApiResult<T>> {
    const busy = open.filter((other) => other.name === name).length
    if (busy > 0 && name !== 'revoke') throw new Error(`two of ${name} at once`)
    return new Promise((resolve) => {
      const close = (): boolean => {
        const at = open.indexOf(entry)
        if (at >= 0) open.splice(at, 1)
        return at >= 0
      }
      const entry: OpenCall = {
        name,
        answer(answer) {
          if (!close()) return
          const result = answer === 'good' ? good() : answer === 'network' ? network : refused
          take(answer, result)
          resolve(result)
        },
      }
      open.push(entry)
      signal?.addEventListener('abort', () => {
        if (!close()) return
        // Given up: by the user, of which the model knows already, or because it took too long.
        witnesses.givenUp += 1
        take('network', network)
        // A careless server answers all the same.
        resolve(good())
      })
    })
  }

  const token = (kind: string): string => {
    made += 1
    return `${kind}-${made}`
  }

  const api: SessionApi = {
    requestLink: (_, { signal } = {}) =>
      call(
        'requestLink',
        signal,
        () => ({
          ok: true,
          value: {
            code: 'CODE',
            expiresAt: clock.epoch() + lastsMs,
            verificationUrl: 'https://example.com',
          },
          serverTime: clock.epoch(),
        }),
        (answer) => {
          if (phase.name !== 'asking') return
          if (answer === 'good') {
            approved = false
            phase = { name: 'linking', endsAt: clock.now() + lastsMs }
          } else if (answer === 'refused' || phase.failures === 2) {
            phase = { name: 'out' }
          } else {
            phase = { name: 'asking', failures: phase.failures + 1 }
          }
        },
      ),
    checkLink: (_, { signal } = {}) =>
      call<LinkState>(
        'checkLink',
        signal,
        () => {
          if (!approved) return { ok: true, value: { status: 'pending' } }
          approved = false
          const tokens: IssuedTokens = {
            accessToken: token('access'),
            refreshToken: token('refresh'),
            expiresIn: 3_600,
            user: { id: 'u1', email: 'ada@example.com' },
          }
          return { ok: true, value: { status: 'approved', tokens } }
        },
        (answer, result) => {
          if (phase.name !== 'linking') return
          if (result.ok && result.value.status === 'approved') {
            witnesses.linked += 1
            phase = { name: 'in', token: result.value.tokens.accessToken }
          } else if (answer === 'refused' || clock.now() >= phase.endsAt) {
            if (answer !== 'refused') witnesses.expired += 1
            phase = { name: 'out' }
          }
        },
      ),
    renew: (_, { signal } = {}) =>
      call(
        'renew',
        signal,
        () => ({
          ok: true,
          value: { accessToken: token('access'), expiresIn: 3_600, refreshToken: token('refresh') },
        }),
        (answer, result) => {
          if (phase.name !== 'in') return
          if (answer === 'refused') {
            witnesses.revoked += 1
            phase = { name: 'out' }
          } else if (result.ok) {
            witnesses.renewed += 1
            phase = { name: 'in', token: result.value.accessToken }
          }
        },
      ),
    revoke: (_, { signal } = {}) =>
      call(
        'revoke',
        signal,
        () => ({ ok: true, value: undefined }),
        () => undefined,
      ),
  }

  return {
    api,
    witnesses,
    get phase() {
      return phase
    },
    get openCalls() {
      return open.length
    },
    /** Answers one of the open calls. */
    answer(which: number, answer: Answer) {
      if (open.length > 0) open[which % open.length]?.answer(answer)
    },
    approve() {
      approved = phase.name === 'linking'
    },
    signIn() {
      if (phase.name === 'out') phase = { name: 'asking', failures: 0 }
    },
    cancel() {
      if (phase.name === 'asking' || phase.name === 'linking') phase = { name: 'out' }
    },
    signOut() {
      phase = { name: 'out' }
    },
    restart() {
      if (phase.name !== 'in') phase = { name: 'out' }
    },
  }
}
