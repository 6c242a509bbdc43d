import type { Observable } from 'rxjs'
import type { Clock } from '../base/clock.js'
import { type ReportError, SyncError } from '../base/errors.js'
import { createResilientStore } from '../storage/resilient.js'
import { scopeStore } from '../storage/scope.js'
import type { KeyValueStore } from '../storage/store.js'
import { createValueStream } from '../streams/streams.js'
import { defaultEnvironment, environments, type KullEnvironment } from './environments.js'

/** The name of an installation that every client knows. */
export type KnownEnvironment = keyof typeof environments

/** What can be let go of: a session, for example. */
export interface Disposer {
  dispose(): void
}

/** Options of {@link createEnvironments}. */
export interface EnvironmentsOptions {
  /** Where the choice is remembered, and what is kept per environment. */
  readonly store: KeyValueStore
  /** Whether this is a release build, which never starts on `development`. */
  readonly release: boolean
  /** Where to start when nothing is remembered. Default: `production`. */
  readonly initial?: KullEnvironment
  /** Moved along with each switch; a client of `createSyncClient` is one. */
  readonly sync?: { reconnect(target: { readonly url: string }): void }
  readonly clock?: Clock
  /** Told of what goes wrong beside the way: `storage-failed`, `sync-threw`, `handler-threw`. */
  readonly onError?: ReportError
}

/** Which installation of Kull is used, and what belongs to it. */
export interface Environments {
  readonly current: KullEnvironment
  /** The current one first, then each that is switched to. */
  readonly environment$: Observable<KullEnvironment>
  /**
   * Uses another from now on, and remembers it. Settles when it is remembered.
   *
   * @throws SyncError `option-invalid` where there is no such environment.
   */
  switchTo(environment: KnownEnvironment | KullEnvironment): Promise<void>
  /** The part of the store that belongs to an environment; default the current one. */
  storeOf(environment?: KullEnvironment): KeyValueStore
  /**
   * Has something of its own for each environment, such as a session: made for the current one
   * now, and disposed of before the next is made. Gives the function that ends it.
   */
  follow(make: (environment: KullEnvironment, store: KeyValueStore) => Disposer): () => void
  /** Completes `environment$`, and ends what follows it. */
  dispose(): void
  [Symbol.dispose](): void
}

const KEY = 'environment'

/**
 * Finds out where to start: where the last run ended, or on production.
 *
 * @throws SyncError `option-invalid` where a release build is to start on `development`.
 *
 * @example
 * const environments = await createEnvironments({ store, release: true })
 * const sync = createSyncClient(kull, { url: () => environments.current.webSocketUrl, credentials })
 */
export async function createEnvironments(options: EnvironmentsOptions): Promise<Environments> {
  const { initial = defaultEnvironment, release, sync } = options
  if (release && isDevelopment(initial)) {
    throw new SyncError('option-invalid', 'a release build does not start on development')
  }
  const report: ReportError = (error) => options.onError?.(error)
  const store = createResilientStore(options.store, { ...options, onError: report })
  const remembered = parseChoice(await store.get(KEY))
  const isAllowed = remembered !== undefined && !(release && isDevelopment(remembered))

  let current = isAllowed ? remembered : initial
  const stream = createValueStream(current, report)
  const endings = new Set<() => void>()

  function attempt(code: 'sync-threw' | 'handler-threw', message: string, run: () => void): void {
    try {
      run()
    } catch (cause) {
      report(new SyncError(code, message, { cause }))
    }
  }

  function storeOf(environment: KullEnvironment = current): KeyValueStore {
    return scopeStore(options.store, scopeOf(environment))
  }

  function dispose(): void {
    for (const end of [...endings]) end()
    stream.complete()
  }

  return {
    get current() {
      return current
    },
    environment$: stream.observable,
    async switchTo(choice) {
      const next = resolveChoice(choice)
      if (isSame(next, current)) return
      current = next
      const remembering = store.set(KEY, JSON.stringify(next))
      stream.next(next)
      attempt('sync-threw', 'The sync failed to reconnect.', () => {
        sync?.reconnect({ url: next.webSocketUrl })
      })
      await remembering
    },
    storeOf,
    follow(make) {
      let made: Disposer | undefined
      function replace(environment: KullEnvironment | undefined): void {
        const former = made
        made = undefined
        attempt('handler-threw', 'What followed an environment failed to end.', () => {
          former?.dispose()
        })
        if (environment === undefined) return
        attempt('handler-threw', 'What follows an environment failed to begin.', () => {
          made = make(environment, storeOf(environment))
        })
      }
      const subscription = stream.observable.subscribe(replace)
      function end(): void {
        if (!endings.delete(end)) return
        subscription.unsubscribe()
        replace(undefined)
      }
      endings.add(end)
      return end
    },
    dispose,
    [Symbol.dispose]: dispose,
  }
}

function resolveChoice(choice: KnownEnvironment | KullEnvironment): KullEnvironment {
  if (typeof choice !== 'string') {
    const checked = checkEnvironment(choice)
    if (checked !== undefined) return checked
    throw new SyncError(
      'option-invalid',
      'an environment has a name, a webSocketUrl and an httpUrl',
    )
  }
  if (Object.hasOwn(environments, choice)) return environments[choice]
  throw new SyncError('option-invalid', `there is no environment "${choice as string}"`)
}

function parseChoice(text: string | undefined): KullEnvironment | undefined {
  try {
    return text === undefined ? undefined : checkEnvironment(JSON.parse(text))
  } catch {
    return undefined
  }
}

/** The environment that a value describes. A known one is taken as it is known today. */
function checkEnvironment(value: unknown): KullEnvironment | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { name, webSocketUrl, httpUrl } = value as Partial<Record<keyof KullEnvironment, unknown>>
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

function isSame(left: KullEnvironment, right: KullEnvironment): boolean {
  return (
    left.name === right.name &&
    left.webSocketUrl === right.webSocketUrl &&
    left.httpUrl === right.httpUrl
  )
}

// By address where the name is the user's own: two installations of one name are still two.
function scopeOf({ name, httpUrl }: KullEnvironment): string {
  return Object.hasOwn(environments, name) ? name : new URL(httpUrl).href
}
