import { AsyncEntry, findCredentialsAsync } from '@napi-rs/keyring'
import { join } from 'node:path'
import { type Clock, createSystemClock } from '../base/clock.js'
import { assertOption } from '../base/errors.js'
import { withFileLock } from '../database/sqlite/file-lock.js'
import { assertKey, type KeyValueStore } from './store.js'

/** Options of {@link createKeychainStore}. */
export interface KeychainStoreOptions {
  /** The name of the entries in the keychain. Users may see it. */
  readonly service: string
  /** A folder for the lock that lets one process write at a time. It is created if it is missing. The
   * lock is one of SQLite, as of `createSqliteDatabase`. */
  readonly lockDirectory: string
  readonly clock?: Clock
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
 * `createSession` does. On Windows a value has at most 2,560 bytes of UTF-16: use a SQLite database
 * there if tokens are longer.
 *
 * @throws SyncError `option-invalid` if the service or the folder is not a name.
 */
export function createKeychainStore(options: KeychainStoreOptions): KeyValueStore {
  const { service, lockDirectory, clock = createSystemClock() } = options
  const patience = { clock, random: Math.random }
  for (const [name, value] of Object.entries({ service, lockDirectory })) {
    const isName = typeof value === 'string' && value !== ''
    assertOption(isName, `${name} must be a string that is not empty`)
  }

  const entryOf = (key: string): AsyncEntry => new AsyncEntry(service, key, persistent)

  async function read(key: string): Promise<string | undefined> {
    const text = (await entryOf(key).getPassword()) ?? ''
    return text.startsWith(MARK) ? text.slice(MARK.length) : undefined
  }

  async function write(key: string, value: string | undefined): Promise<void> {
    if (value === undefined) await entryOf(key).deleteCredential()
    else await entryOf(key).setPassword(`${MARK}${value}`)
  }

  const inTurn = <T>(run: () => Promise<T>): Promise<T> =>
    withFileLock(join(lockDirectory, 'keychain.lock'), patience, run)

  return {
    get: read,
    async set(key, value) {
      assertKey(key)
      await inTurn(() => write(key, value))
    },
    delete: (key) => inTurn(() => write(key, undefined)),
    async keys() {
      const found = await findCredentialsAsync(service)
      return found.map(({ account }) => account)
    },
    async update(key, change) {
      assertKey(key)
      return await inTurn(async () => {
        const current = await read(key)
        const next = change(current)
        if (next !== current) await write(key, next)
        return next
      })
    },
  }
}
