import { assertOption } from '../base/errors.js'

/** The addresses of one installation of Kull. */
export interface KullEnvironment {
  /** Shown to people, and stored as the choice. */
  readonly name: string
  /** The address to which `createSyncClient` connects. */
  readonly webSocketUrl: string
  /** The address of the HTTP routes, without a slash at the end. */
  readonly httpUrl: string
}

/** The installations that every client knows. */
export const environments = {
  development: {
    name: 'development',
    webSocketUrl: 'ws://localhost:5000/ws',
    httpUrl: 'http://localhost:5000',
  },
  staging: {
    name: 'staging',
    webSocketUrl: 'wss://staging.kullai.com/ws',
    httpUrl: 'https://staging.kullai.com',
  },
  production: {
    name: 'production',
    webSocketUrl: 'wss://kullai.com/ws',
    httpUrl: 'https://kullai.com',
  },
} as const satisfies Record<string, KullEnvironment>

/** The environment that a client uses by default. */
export const defaultEnvironment: KullEnvironment = environments.production

/**
 * Describes an installation of your own.
 *
 * @param httpUrl The address of its HTTP routes. Its WebSocket is at `/ws` below it.
 * @throws SyncError `option-invalid` if `httpUrl` is not an address.
 *
 * @example
 * defineEnvironment('laptop', 'http://192.168.1.20:5000')
 */
export function defineEnvironment(name: string, httpUrl: string): KullEnvironment {
  const isUsable = URL.canParse(httpUrl) && /^https?:$/.test(new URL(httpUrl).protocol)
  assertOption(isUsable, 'httpUrl must begin with http:// or https://')
  const url = new URL(httpUrl)
  const base = `${url.origin}${url.pathname}`.replace(/\/+$/, '')
  return { name, httpUrl: base, webSocketUrl: `${base.replace(/^http/, 'ws')}/ws` }
}
