import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { acquireLock, type HeldLock, type LockOptions } from './node-lock.js'
import { assertKey, type KeyValueStore } from './store.js'

/** What a kind of store does itself. */
export interface LockedStoreParts extends Pick<LockOptions, 'clock' | 'timeoutMs'> {
  /** Where the lock is. It is created, for its owner only, if it is missing. */
  readonly folder: string
  /** Called under the lock if its holder before died in the middle of a write. */
  readonly repair?: () => Promise<void>
  readonly read: (key: string) => Promise<string | undefined>
  /** Replaces a value under the lock; `undefined` removes it. */
  readonly write: (key: string, value: string | undefined, lock: HeldLock) => Promise<void>
  readonly keys: () => Promise<readonly string[]>
}

/** Makes a store to which one process writes at a time, under a lock in the file system. */
export function createLockedStore(parts: LockedStoreParts): KeyValueStore {
  const { folder, read, write, keys, clock, timeoutMs } = parts

  async function inTurn<T>(run: (lock: HeldLock) => Promise<T>): Promise<T> {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    const lock = await acquireLock({ directory: join(folder, '~lock'), clock, timeoutMs })
    try {
      if (lock.wasOrphaned) await parts.repair?.()
      return await run(lock)
    } finally {
      await lock.release()
    }
  }

  return {
    get: read,
    async set(key, value) {
      assertKey(key)
      await inTurn((lock) => write(key, value, lock))
    },
    delete: (key) => inTurn((lock) => write(key, undefined, lock)),
    keys,
    async update(key, change) {
      assertKey(key)
      return await inTurn(async (lock) => {
        const current = await read(key)
        const next = change(current)
        if (next !== current) await write(key, next, lock)
        return next
      })
    },
  }
}
