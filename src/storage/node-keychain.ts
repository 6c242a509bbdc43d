import { join } from 'node:path'
import { AsyncEntry, findCredentialsAsync } from '@napi-rs/keyring'
import { type Clock, createSystemClock } from '../base/clock.js'
import { SyncError } from '../base/errors.js'
import { acquireLock } from './node-lock.js'
import { assertKey, type KeyValueStore } from './store.js'

/** Options of {@link createKeychainStore}. */
export interface KeychainStoreOptions {
  /** The name that the entries stand under in the keychain; users may see it. */
  readonly service: string
  /** A folder in which processes take turns at writing; made where it is missing. Nothing else is kept there. */
  readonly lockDirectory: string
  readonly clock?: Clock
  /** How long to wait for another process that is writing, in milliseconds. Default 2,500. */
  readonly lockTimeoutMs?: number
}

// The kernel's keyring, which the package would fall back to, forgets everything on a restart.
const kept = { linux: { store: 'secret-service' } } as const

/**
 * Makes a store in the system's keychain: macOS Keychain, Windows Credential Manager, or the
 * Secret Service on Linux. Needs the optional package `@napi-rs/keyring`.
 *
 * Where there is no keychain, each method rejects, so put `createResilientStore` around it, or let
 * `createSession` do so. Windows takes no more than 2,560 bytes of UTF-16 a value: with long
 * tokens, use `createFileStore` there.
 *
 * @throws SyncError `option-invalid` where the service or the folder has no name.
 */
export function createKeychainStore(options: KeychainStoreOptions): KeyValueStore {
  const { service, lockDirectory, clock = createSystemClock() } = options
  const { lockTimeoutMs: timeoutMs = 2_500 } = options
  for (const [name, value] of Object.entries({ service, lockDirectory })) {
    if (typeof value !== 'string' || value === '') {
      throw new SyncError('option-invalid', `${name} must be a name`)
    }
  }

  const entryOf = (key: string): AsyncEntry => new AsyncEntry(service, key, kept)

  async function read(key: string): Promise<string | undefined> {
    return (await entryOf(key).getPassword()) ?? undefined
  }

  async function write(key: string, value: string | undefined): Promise<void> {
    // Keychains tell an empty value from none in different ways, or not at all.
    if (value === undefined) await entryOf(key).deleteCredential()
    else await entryOf(key).setPassword(`${MARK}${value}`)
  }

  async function inTurn<T>(run: () => Promise<T>): Promise<T> {
    const directory = join(lockDirectory, '~lock')
    const lock = await acquireLock({ directory, clock, timeoutMs })
    try {
      return await run()
    } finally {
      await lock.release()
    }
  }

  return {
    get: async (key) => unmark(await read(key)),
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
        const current = unmark(await read(key))
        const next = change(current)
        if (next !== current) await write(key, next)
        return next
      })
    },
  }
}

const MARK = '='

function unmark(text: string | undefined): string | undefined {
  return text?.startsWith(MARK) === true ? text.slice(MARK.length) : undefined
}
