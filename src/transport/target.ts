import { isThenable } from '../base/values.js'
import { type ConnectRequest, type CredentialsRule } from '../schemas/protocol.js'
import { createValidate, type Schema } from '../schemas/schema.js'
import type { ConnectionFailure } from './failure.js'

/** What the `url` and `credentials` functions are told of an attempt. */
export interface AttemptInfo {
  /** 0 for the first connection, then the number of the attempt to reconnect. */
  readonly attempt: number
  /** The server refused the credentials of the attempt before: return fresh ones. */
  readonly refused: boolean
  /** Aborted when the attempt is released. */
  readonly signal: AbortSignal
}

/** A value, or a function that gives it for each attempt, at once or as a promise. */
export type Provider<T> = T | ProviderFunction<T>

/** Gives a value for one attempt. A rejection makes the attempt fail; the next one follows. */
export type ProviderFunction<T> = (info: AttemptInfo) => T | PromiseLike<T>

/** Where to connect and as whom. Both are read again for each attempt. */
export interface Target {
  readonly url: Provider<string | URL>
  readonly credentials?: Provider<unknown>
}

/** A request that is ready to be sent, or why there is none. */
export type Resolved =
  | { readonly ok: true; readonly request: ConnectRequest }
  | { readonly ok: false; readonly failure: ConnectionFailure; readonly thrown?: unknown }

/**
 * Reads URL and credentials of a target, then calls `done`. Where neither is a promise it does so at
 * once, so that attempts keep their exact time. Never throws, and never calls back once the signal
 * is aborted.
 */
export function resolveTarget(
  target: Target,
  rule: CredentialsRule<Schema> | undefined,
  info: AttemptInfo,
  done: (resolved: Resolved) => void,
): void {
  ask(target.url, 'url', info, (url) => {
    if (!url.ok) {
      done(url)
      return
    }
    ask(target.credentials, 'credentials', info, (credentials) => {
      done(credentials.ok ? prepare(url.value, rule, credentials.value) : credentials)
    })
  })
}

type ProviderAnswer<T> = { readonly ok: true; readonly value: T } | Extract<Resolved, { ok: false }>

function ask<T>(
  provider: Provider<T>,
  name: 'url' | 'credentials',
  info: AttemptInfo,
  done: (answer: ProviderAnswer<T>) => void,
): void {
  const give = (answer: ProviderAnswer<T>): void => {
    if (!info.signal.aborted) done(answer)
  }
  const reject = (thrown: unknown): void => {
    const message = `The ${name} function failed.`
    give({ ok: false, failure: { code: 'provider-rejected', provider: name, message }, thrown })
  }
  const accept = (value: T): void => give({ ok: true, value })
  let given: T | PromiseLike<T>
  try {
    given = isFunction(provider) ? provider(info) : provider
    // A thenable may throw or settle twice; a promise made of it does neither.
    if (isThenable(given)) {
      Promise.resolve(given).then(accept, reject)
      return
    }
  } catch (thrown) {
    reject(thrown)
    return
  }
  accept(given)
}

function prepare(
  address: string | URL,
  rule: CredentialsRule<Schema> | undefined,
  credentials: unknown,
): Resolved {
  const url = parseAddress(address)
  if (url === undefined) {
    const message = 'The url option gives no WebSocket address (ws:, wss:, http: or https:).'
    return { ok: false, failure: { code: 'url-unusable', message } }
  }
  const request: ConnectRequest = { url, headers: {}, protocols: [] }
  if (rule === undefined) return { ok: true, request }
  const validated = createValidate(rule.schema)(credentials)
  if (!validated.ok) {
    const message = `The credentials are not usable: ${validated.detail}.`
    return { ok: false, failure: { code: 'credentials-missing', message } }
  }
  try {
    rule.apply(request, validated.value)
  } catch (thrown) {
    const message = 'The credentials could not be written into the request.'
    return { ok: false, failure: { code: 'credentials-missing', message }, thrown }
  }
  return { ok: true, request }
}

/** Gives a WebSocket URL, or `undefined`. A relative address is resolved against the page, if there is one. */
export function parseAddress(address: unknown): URL | undefined {
  if (typeof address !== 'string' && !(address instanceof URL)) return undefined
  if (address === '') return undefined
  try {
    const url = new URL(address, pageAddress())
    if (url.protocol === 'http:') url.protocol = 'ws:'
    if (url.protocol === 'https:') url.protocol = 'wss:'
    if (url.protocol !== 'ws:' && url.protocol !== 'wss:') return undefined
    // WebSocket constructors throw on a fragment.
    url.hash = ''
    return url
  } catch {
    return undefined
  }
}

function pageAddress(): string | undefined {
  const { location } = globalThis as { readonly location?: { readonly href?: string } }
  return location?.href
}

function isFunction<T>(provider: Provider<T>): provider is ProviderFunction<T> {
  return typeof provider === 'function'
}
