import type { Clock } from '../base/clock.js'
import type { ClearScope, Grant } from '../machines/session/ports.js'
import type { KeyValueStore } from '../storage/store.js'
import type { IssuedTokens, RenewedToken } from './api.js'
import { decodeSession, type StoredSession } from './stored-session.js'

/** The tokens in memory. They leave this folder only as part of a request. */
export interface Tokens extends Grant {
  readonly accessToken: string
  readonly refreshToken: string
}

/** The result of comparing the stored tokens with those in memory. */
export type Comparison =
  | { readonly kind: 'same' }
  /** The store has newer tokens of the same user. The vault uses them from now on. */
  | { readonly kind: 'replaced'; readonly grant: Grant }
  /** The store has no tokens any more. */
  | { readonly kind: 'vanished' }
  /** The store has tokens of another user, or the vault has none. The vault does not use them. */
  | { readonly kind: 'foreign' }

/** The key of the session in its store. */
export const SESSION_KEY = 'session'

/**
 * The only place that knows tokens: in memory during a run, in the store between runs. The store
 * gets both tokens, the user, and when the access token was issued and when it expires.
 *
 * The methods of the given store must never reject.
 */
export class Vault {
  readonly #store: KeyValueStore
  readonly #clock: Clock
  #tokens: Tokens | undefined
  /** Issued by a sign-in that the machine has not accepted yet. */
  #held: { readonly issued: IssuedTokens; readonly askedAt: number } | undefined
  /** The access token that `clear` removed, until `takeRemovedToken` hands it out. */
  #removedToken: string | undefined
  #generations = 0

  constructor(store: KeyValueStore, clock: Clock) {
    this.#store = store
    this.#clock = clock
  }

  /** The tokens in memory. */
  get current(): Tokens | undefined {
    return this.#tokens
  }

  /** Loads stored tokens into memory. */
  async restore(signal: AbortSignal): Promise<Grant | undefined> {
    const stored = decodeSession(await this.#store.get(SESSION_KEY))
    if (stored === undefined || signal.aborted) return undefined
    return this.#useStored(stored)
  }

  /** Holds tokens of a sign-in until {@link Vault.adopt}. `askedAt` is when they were requested. */
  hold(issued: IssuedTokens, askedAt: number): void {
    this.#held = { issued, askedAt }
  }

  /** Uses the held tokens from now on, and stores them. */
  async adopt(): Promise<Grant | undefined> {
    if (this.#held === undefined) return undefined
    const { issued, askedAt } = this.#held
    this.#held = undefined
    const tokens = this.#use({
      accessToken: issued.accessToken,
      refreshToken: issued.refreshToken,
      user: issued.user,
      obtainedAt: askedAt,
      expiresAt: askedAt + issued.expiresIn * 1_000,
    })
    await this.#store.set(SESSION_KEY, JSON.stringify(toStored(tokens, this.#clock)))
    return toGrant(tokens)
  }

  /**
   * Uses and stores a renewed access token, unless memory or the store has other tokens by now.
   * `from` are the tokens that were renewed; `askedAt` is when the renewal was requested.
   */
  async applyRenewal(from: Tokens, renewed: RenewedToken, askedAt: number): Promise<Comparison> {
    // The user signed out, or in anew, before the answer came: it belongs to former tokens.
    if (this.#tokens?.generation !== from.generation) return await this.compare()
    const tokens = this.#use({
      accessToken: renewed.accessToken,
      refreshToken: renewed.refreshToken ?? from.refreshToken,
      user: from.user,
      obtainedAt: askedAt,
      expiresAt: askedAt + renewed.expiresIn * 1_000,
    })
    const ours = toStored(tokens, this.#clock)
    const text = JSON.stringify(ours)
    const result = await this.#store.update(SESSION_KEY, (current) => {
      const stored = decodeSession(current)
      if (stored?.refreshToken !== from.refreshToken) return current
      return this.#isOlder(stored, ours) || !this.#isOlder(ours, stored) ? text : current
    })
    if (result === text) return { kind: 'replaced', grant: toGrant(tokens) }
    return this.#compareWith(result)
  }

  /** Compares with the store, which another tab or process may have changed. */
  async compare(): Promise<Comparison> {
    const before = this.#generations
    const text = await this.#store.get(SESSION_KEY)
    // If the tokens in memory changed during the read, its result is out of date.
    return this.#generations === before ? this.#compareWith(text) : await this.compare()
  }

  /** Removes the tokens from memory, and from the store as far as the scope says. */
  async clear(scope: ClearScope): Promise<void> {
    const mine = this.#tokens
    this.#tokens = undefined
    this.#held = undefined
    switch (scope) {
      case 'memory':
        return
      case 'ours':
        await this.#store.update(SESSION_KEY, (current) =>
          decodeSession(current)?.refreshToken === mine?.refreshToken ? undefined : current,
        )
        return
      case 'everything':
        this.#removedToken =
          mine?.accessToken ?? decodeSession(await this.#store.get(SESSION_KEY))?.accessToken
        await this.#store.delete(SESSION_KEY)
        return
      default:
        return scope satisfies never
    }
  }

  /** Gives the access token that `clear` removed last. A second call gives nothing. */
  takeRemovedToken(): string | undefined {
    const token = this.#removedToken
    this.#removedToken = undefined
    return token
  }

  #use(fresh: Omit<Tokens, 'generation'>): Tokens {
    this.#generations += 1
    this.#tokens = { ...fresh, generation: this.#generations }
    return this.#tokens
  }

  // Within a run, durations are monotonic. Between runs there is only the calendar. If it was set
  // back, the age of a token is unknown, so the token counts as expired.
  #useStored(stored: StoredSession): Grant {
    const age = this.#clock.epoch() - stored.issuedAt
    const life = stored.expiresAt - stored.issuedAt
    const obtainedAt = this.#clock.now() - (age >= 0 ? age : life)
    const expiresAt = obtainedAt + life
    const { accessToken, refreshToken, user } = stored
    return toGrant(this.#use({ accessToken, refreshToken, user, obtainedAt, expiresAt }))
  }

  #compareWith(text: string | undefined): Comparison {
    const stored = decodeSession(text)
    if (stored === undefined) return { kind: this.#tokens === undefined ? 'same' : 'vanished' }
    const tokens = this.#tokens
    if (tokens?.user.id !== stored.user.id) return { kind: 'foreign' }
    if (tokens.refreshToken === stored.refreshToken) {
      if (tokens.accessToken === stored.accessToken) return { kind: 'same' }
      // Another tab may store the late answer of an old renewal. The newer token here stays.
      if (this.#isOlder(stored, toStored(tokens, this.#clock))) return { kind: 'same' }
    }
    return { kind: 'replaced', grant: this.#useStored(stored) }
  }

  // An issue time in the future means that the calendar was set back since.
  #isOlder(stored: StoredSession, than: StoredSession): boolean {
    return stored.expiresAt < than.expiresAt || stored.issuedAt > this.#clock.epoch()
  }
}

function toStored({ accessToken, refreshToken, user, ...times }: Tokens, clock: Clock) {
  const offset = clock.epoch() - clock.now()
  const issuedAt = Math.round(times.obtainedAt + offset)
  const expiresAt = Math.round(times.expiresAt + offset)
  return { accessToken, refreshToken, issuedAt, expiresAt, user } satisfies StoredSession
}

function toGrant({ generation, user, obtainedAt, expiresAt }: Tokens): Grant {
  return { generation, user, obtainedAt, expiresAt }
}
