import type { Observable } from 'rxjs'
import type { Clock } from '../base/clock.js'
import { assertOption, type ReportError, SyncError } from '../base/errors.js'
import { isShallowEqual } from '../base/shallow-equal.js'
import { isRecord, parseJson } from '../base/values.js'
import { createResilientStore } from '../storage/resilient.js'
import { scopeStore } from '../storage/scope.js'
import type { KeyValueStore } from '../storage/store.js'
import { createValueStream } from '../streams/streams.js'
import { defaultEnvironment, environments, type KullEnvironment } from './environments.js'

/** The name of an installation that every client knows. */
export type KnownEnvironment = keyof typeof environments

/** Something that can be disposed, such as a session. */
export interface Disposer {
  dispose(): void
}

/** Options of {@link createEnvironments}. */
export interface EnvironmentsOptions {
  /** Where the choice is stored, and the data of each environment. */
  readonly store: KeyValueStore
  /** Whether this is a release build. A release build never starts on `development`. */
  readonly release: boolean
  /** The environment of the first run. Default: `production`. */
  readonly initial?: KullEnvironment
  /** Reconnects to the new environment at each switch. A client of `createSyncClient` is one. */
  readonly sync?: { reconnect(target: { readonly url: string }): void }
  readonly clock?: Clock
  /** Called for `storage-failed`, `sync-threw` and `handler-threw`. */
  readonly onError?: ReportError
}

/** The key of the choice in its store. */
const ENVIRONMENT_KEY = 'environment'

/** The installation of Kull that an app uses, and the data that belongs to it. */
export class Environments {
  readonly #options: EnvironmentsOptions
  /** The store of the choice itself. */
  readonly #choiceStore: KeyValueStore
  readonly #stream: ReturnType<typeof createValueStream<KullEnvironment>>
  /** Ends what follows the environment, one function for each call of `follow`. */
  readonly #ends = new Set<() => void>()
  #current: KullEnvironment

  /** @internal */
  constructor(options: EnvironmentsOptions, choiceStore: KeyValueStore, current: KullEnvironment) {
    this.#options = options
    this.#choiceStore = choiceStore
    this.#current = current
    this.#stream = createValueStream(current, (error) => options.onError?.(error))
  }

  get current(): KullEnvironment {
    return this.#current
  }

  /** Emits the current environment, then each new one. */
  get environment$(): Observable<KullEnvironment> {
    return this.#stream.observable
  }

  /**
   * Uses another environment from now on. Resolves when the choice is stored.
   *
   * @throws SyncError `option-invalid` for an environment that does not exist.
   */
  async switchTo(choice: KnownEnvironment | KullEnvironment): Promise<void> {
    const next = resolveChoice(choice)
    if (isShallowEqual(next, this.#current)) return
    this.#current = next
    const persisted = this.#choiceStore.set(ENVIRONMENT_KEY, JSON.stringify(next))
    this.#stream.next(next)
    this.#attempt('sync-threw', 'The sync failed to reconnect.', () => {
      this.#options.sync?.reconnect({ url: next.webSocketUrl })
    })
    await persisted
  }

  /** The part of the store that belongs to an environment. Default: the current one. */
  storeOf(environment: KullEnvironment = this.#current): KeyValueStore {
    return scopeStore(this.#options.store, scopeOf(environment))
  }

  /**
   * Makes something for the current environment, such as a session. At each switch it disposes the
   * former one and makes the next. Gives the function that ends it.
   */
  follow(make: (environment: KullEnvironment, store: KeyValueStore) => Disposer): () => void {
    let made: Disposer | undefined
    const replace = (environment: KullEnvironment | undefined): void => {
      const former = made
      made = undefined
      this.#attempt('handler-threw', 'The dispose of a follower threw.', () => former?.dispose())
      if (environment === undefined) return
      this.#attempt('handler-threw', 'The function given to follow threw.', () => {
        made = make(environment, this.storeOf(environment))
      })
    }
    const subscription = this.#stream.observable.subscribe(replace)
    const end = (): void => {
      if (!this.#ends.delete(end)) return
      subscription.unsubscribe()
      replace(undefined)
    }
    this.#ends.add(end)
    return end
  }

  /** Completes `environment$`, and disposes what `follow` made. */
  dispose(): void {
    for (const end of [...this.#ends]) end()
    this.#stream.complete()
  }

  [Symbol.dispose](): void {
    this.dispose()
  }

  #attempt(code: 'sync-threw' | 'handler-threw', message: string, run: () => void): void {
    try {
      run()
    } catch (cause) {
      this.#options.onError?.(new SyncError(code, message, { cause }))
    }
  }
}

/**
 * Starts with the environment that the last run used, or with production.
 *
 * @throws SyncError `option-invalid` if a release build is to start on `development`.
 *
 * @example
 * const environments = await createEnvironments({ store, release: true })
 * const sync = createSyncClient(kull, { url: () => environments.current.webSocketUrl, credentials })
 */
export async function createEnvironments(options: EnvironmentsOptions): Promise<Environments> {
  const { initial = defaultEnvironment, release } = options
  const mayStart = !release || !isDevelopment(initial)
  assertOption(mayStart, 'a release build does not start on development')
  const report: ReportError = (error) => options.onError?.(error)
  const store = createResilientStore(options.store, { ...options, onError: report })
  const remembered = checkEnvironment(parseJson(await store.get(ENVIRONMENT_KEY)))
  const isAllowed = remembered !== undefined && !(release && isDevelopment(remembered))
  return new Environments(options, store, isAllowed ? remembered : initial)
}

function resolveChoice(choice: KnownEnvironment | KullEnvironment): KullEnvironment {
  if (typeof choice !== 'string') {
    const checked = checkEnvironment(choice)
    const wanted = 'an environment has a name, a webSocketUrl and an httpUrl'
    assertOption(checked !== undefined, wanted)
    return checked
  }
  const isKnown = Object.hasOwn(environments, choice)
  assertOption(isKnown, `there is no environment "${choice}"`)
  return environments[choice]
}

/** The environment that a value describes. A known name gives its addresses of today. */
function checkEnvironment(value: unknown): KullEnvironment | undefined {
  if (!isRecord(value)) return undefined
  const { name, webSocketUrl, httpUrl } = value
  if (typeof name !== 'string' || name === '') return undefined
  if (Object.hasOwn(environments, name)) return environments[name as KnownEnvironment]
  if (!isAddress(webSocketUrl, /^wss?:$/) || !isAddress(httpUrl, /^https?:$/)) return undefined
  return { name, webSocketUrl, httpUrl }
}

function isAddress(value: unknown, protocol: RegExp): value is string {
  return typeof value === 'string' && URL.canParse(value) && protocol.test(new URL(value).protocol)
}

function isDevelopment(environment: KullEnvironment): boolean {
  return environment.name === environments.development.name
}

// The user's own environments are told apart by address, as two of them may have one name.
function scopeOf({ name, httpUrl }: KullEnvironment): string {
  return Object.hasOwn(environments, name) ? name : new URL(httpUrl).href
}
