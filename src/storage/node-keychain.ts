import { AsyncEntry, findCredentialsAsync } from '@napi-rs/keyring'
import { type Clock, createSystemClock } from '../base/clock.js'
import { SyncError } from '../base/errors.js'
import { createLockedStore } from './node-locked-store.js'
import type { KeyValueStore } from './store.js'

/** Options of {@link createKeychainStore}. */
export interface KeychainStoreOptions {
  /** The name of the entries in the keychain. Users may see it. */
  readonly service: string
  /** A folder for the lock that lets one process write at a time. It is created if it is missing. */
  readonly lockDirectory: string
  readonly clock?: Clock
  /** How long to wait for another process that is writing, in milliseconds. Default 2,500. */
  readonly lockTimeoutMs?: number
}

// The package would fall back to the kernel's keyring, which loses everything at a restart.
const persistent = { linux: { store: 'secret-service' } } as const

// The mark makes no value empty: some keychains cannot tell an empty value from none.
const MARK = '='

/**
 * Makes a store in the system's keychain: macOS Keychain, Windows Credential Manager, or the
 * Secret Service on Linux. Needs the optional package `@napi-rs/keyring`.
 *
 * Without a keychain each method rejects, so wrap the store in `createResilientStore`, as
 * `createSession` does. On Windows a value has at most 2,560 bytes of UTF-16: use `createFileStore`
 * there if tokens are longer.
 *
 * @throws SyncError `option-invalid` if the service or the folder is not a name.
 */
export function createKeychainStore(options: KeychainStoreOptions): KeyValueStore {
  const { service, lockDirectory, clock = createSystemClock() } = options
  const { lockTimeoutMs: timeoutMs = 2_500 } = options
  for (const [name, value] of Object.entries({ service, lockDirectory })) {
    if (typeof value !== 'string' || value === '') {
      throw new SyncError('option-invalid', `${name} must be a string that is not empty`)
    }
  }

  const entryOf = (key: string): AsyncEntry => new AsyncEntry(service, key, persistent)

  return createLockedStore({
    folder: lockDirectory,
    clock,
    timeoutMs,
    async read(key) {
      const text = (await entryOf(key).getPassword()) ?? ''
      return text.startsWith(MARK) ? text.slice(MARK.length) : undefined
    },
    async write(key, value) {
      if (value === undefined) await entryOf(key).deleteCredential()
      else await entryOf(key).setPassword(`${MARK}${value}`)
    },
    async keys() {
      const found = await findCredentialsAsync(service)
      return found.map(({ account }) => account)
    },
  })
}
