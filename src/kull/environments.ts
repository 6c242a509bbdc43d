import { SyncError } from '../base/errors.js'

/** Where one installation of Kull is reached. */
export interface KullEnvironment {
  /** A name for people and for remembering the choice. */
  readonly name: string
  /** Where `createSyncClient` connects. */
  readonly webSocketUrl: string
  /** Where the HTTP routes are, without a slash at the end. */
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

/** Where a client connects unless told otherwise. */
export const defaultEnvironment: KullEnvironment = environments.production

/**
 * Describes an installation of one's own.
 *
 * @param httpUrl Where its HTTP routes are; its WebSocket is beside them, at `/ws`.
 * @throws SyncError `option-invalid` where `httpUrl` is no address.
 *
 * @example
 * defineEnvironment('laptop', 'http://192.168.1.20:5000')
 */
export function defineEnvironment(name: string, httpUrl: string): KullEnvironment {
  const url = URL.canParse(httpUrl) ? new URL(httpUrl) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw new SyncError('option-invalid', 'httpUrl must begin with http:// or https://')
  }
  const base = `${url.origin}${url.pathname}`.replace(/\/+$/, '')
  return { name, httpUrl: base, webSocketUrl: `${base.replace(/^http/, 'ws')}/ws` }
}
