import type { Clock } from '../base/clock.js'
import type { ClearScope, Grant, User } from '../machines/session/ports.js'
import { createValidate } from '../schemas/schema.js'
import type { KeyValueStore } from '../storage/store.js'
import { storedSession, toUser } from '../kull/answers.js'
import type { IssuedTokens, RenewedToken } from './api.js'

/** The tokens in hand. Leaves this folder only inside a request. */
export interface Tokens extends Grant {
  readonly accessToken: string
  readonly refreshToken: string
}

/** How what is stored compares with what is in hand. */
export type Comparison =
  | { readonly kind: 'same' }
  /** Newer tokens of the same user; they are in hand now. */
  | { readonly kind: 'replaced'; readonly grant: Grant }
  | { readonly kind: 'vanished' }
  /** Another user's, or any where none were in hand. They are left where they are. */
  | { readonly kind: 'foreign' }

/**
 * The one place that knows tokens: in memory while they are used, and in the store between runs.
 * What is kept there is the two tokens, when the access token was issued and ends, and the user.
 */
export interface Vault {
  /** The tokens in hand. */
  current(): Tokens | undefined
  /** Takes stored tokens in hand. */
  restore(signal: AbortSignal): Promise<Grant | undefined>
  /** Holds what a sign-in gave until {@link Vault.adopt}. `askedAt` is when it was asked for. */
  hold(issued: IssuedTokens, askedAt: number): void
  /** Takes what is held in hand, and stores it. */
  adopt(): Promise<Grant | undefined>
  /** Takes a renewed access token in hand and stores it, unless either has other tokens by now. */
  renewed(from: Tokens, renewed: RenewedToken, askedAt: number): Promise<Comparison>
  /** Compares with the store, in which another tab or process may have written. */
  compare(): Promise<Comparison>
  clear(scope: ClearScope): Promise<void>
  /** The access token that `clear` took away last, once. */
  takeDeparted(): string | undefined
}

const KEY = 'session'

const readStored = createValidate(storedSession)

interface Stored {
  readonly accessToken: string
  readonly refreshToken: string
  readonly issuedAt: number
  readonly expiresAt: number
  readonly user: User
}

/** Makes a vault on a store whose methods never reject. */
export function createVault({
  store,
  clock,
}: {
  readonly store: KeyValueStore
  readonly clock: Clock
}): Vault {
  let tokens: Tokens | undefined
  let held: { readonly issued: IssuedTokens; readonly askedAt: number } | undefined
  let departed: string | undefined
  let generations = 0

  function take(fresh: Omit<Tokens, 'generation'>): Grant {
    generations += 1
    tokens = { ...fresh, generation: generations }
    return toGrant(tokens)
  }

  // Durations are monotonic; between runs only the calendar is there to go by. A calendar that
  // has been set back tells nothing of a token's age, so it counts as over.
  function takeStored(stored: Stored): Grant {
    const age = clock.epoch() - stored.issuedAt
    const life = stored.expiresAt - stored.issuedAt
    const obtainedAt = clock.now() - (age >= 0 ? age : life)
    const { accessToken, refreshToken, user } = stored
    return take({ accessToken, refreshToken, user, obtainedAt, expiresAt: obtainedAt + life })
  }

  function toStored({ accessToken, refreshToken, user, ...times }: Tokens): Stored {
    const offset = clock.epoch() - clock.now()
    const issuedAt = Math.round(times.obtainedAt + offset)
    const expiresAt = Math.round(times.expiresAt + offset)
    return { accessToken, refreshToken, issuedAt, expiresAt, user }
  }

  // What was issued in the future was issued before the calendar was set back.
  function isOlder(stored: Stored, than: Stored): boolean {
    return stored.expiresAt < than.expiresAt || stored.issuedAt > clock.epoch()
  }

  function compareWith(text: string | undefined): Comparison {
    const stored = parse(text)
    if (stored === undefined) return { kind: tokens === undefined ? 'same' : 'vanished' }
    if (tokens?.user.id !== stored.user.id) return { kind: 'foreign' }
    if (tokens.refreshToken === stored.refreshToken) {
      if (tokens.accessToken === stored.accessToken) return { kind: 'same' }
      // An old renewal that came late to another tab is no reason to give up a fresh token.
      if (isOlder(stored, toStored(tokens))) return { kind: 'same' }
    }
    return { kind: 'replaced', grant: takeStored(stored) }
  }

  async function compare(): Promise<Comparison> {
    const before = generations
    const text = await store.get(KEY)
    // What was read is from before the tokens that came in hand meanwhile.
    return generations === before ? compareWith(text) : await compare()
  }

  return {
    current: () => tokens,

    async restore(signal) {
      const stored = parse(await store.get(KEY))
      if (stored === undefined || signal.aborted) return undefined
      return takeStored(stored)
    },

    hold(issued, askedAt) {
      held = { issued, askedAt }
    },

    async adopt() {
      if (held === undefined) return undefined
      const { issued, askedAt } = held
      held = undefined
      const grant = take({
        accessToken: issued.accessToken,
        refreshToken: issued.refreshToken,
        user: issued.user,
        obtainedAt: askedAt,
        expiresAt: askedAt + issued.expiresIn * 1_000,
      })
      if (tokens !== undefined) await store.set(KEY, JSON.stringify(toStored(tokens)))
      return grant
    },

    async renewed(from, renewed, askedAt) {
      // Signed out, or in anew, while the answer was on its way: it belongs to tokens of the past.
      if (tokens?.generation !== from.generation) return await compare()
      const grant = take({
        accessToken: renewed.accessToken,
        refreshToken: renewed.refreshToken ?? from.refreshToken,
        user: from.user,
        obtainedAt: askedAt,
        expiresAt: askedAt + renewed.expiresIn * 1_000,
      })
      const ours = toStored(tokens)
      const text = JSON.stringify(ours)
      const stands = await store.update(KEY, (current) => {
        const stored = parse(current)
        if (stored?.refreshToken !== from.refreshToken) return current
        return isOlder(stored, ours) || !isOlder(ours, stored) ? text : current
      })
      return stands === text ? { kind: 'replaced', grant } : compareWith(stands)
    },

    compare,

    async clear(scope) {
      const mine = tokens
      tokens = undefined
      held = undefined
      switch (scope) {
        case 'memory':
          return
        case 'ours':
          await store.update(KEY, (current) =>
            parse(current)?.refreshToken === mine?.refreshToken ? undefined : current,
          )
          return
        case 'everything':
          departed = mine?.accessToken ?? parse(await store.get(KEY))?.accessToken
          await store.delete(KEY)
          return
        default:
          return scope satisfies never
      }
    },

    takeDeparted() {
      const token = departed
      departed = undefined
      return token
    },
  }
}

function toGrant({ generation, user, obtainedAt, expiresAt }: Tokens): Grant {
  return { generation, user, obtainedAt, expiresAt }
}

/** What is stored, if it is a session; anything else is as good as nothing. */
function parse(text: string | undefined): Stored | undefined {
  if (text === undefined) return undefined
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  const read = readStored(value)
  return read.ok ? { ...read.value, user: toUser(read.value.user) } : undefined
}
