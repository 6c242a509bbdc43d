import { randomUUID } from 'node:crypto'
import { mkdir, open, readdir, readFile, rename, unlink } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { type Clock, createSystemClock } from '../base/clock.js'
import { SyncError } from '../base/errors.js'
import { acquireLock, type HeldLock, hasCode } from './node-lock.js'
import { assertKey, type KeyValueStore } from './store.js'

/** Options of {@link createFileStore}. */
export interface FileStoreOptions {
  /** The folder of the files. It is created, readable by its owner only, if it is missing. */
  readonly directory: string
  readonly clock?: Clock
  /** How long to wait for another process that is writing, in milliseconds. Default 2,500. */
  readonly lockTimeoutMs?: number
}

/**
 * Makes a store of files in Node: one file per key, readable by its owner only.
 *
 * A value is written to a new file, flushed, and renamed, so that a crash leaves the old value or
 * the new one. Processes write one at a time, under a lock that is released if its holder dies.
 * The store has no `watch`.
 *
 * @throws SyncError `option-invalid` if `directory` is not a path.
 */
export function createFileStore(options: FileStoreOptions): KeyValueStore {
  const { clock = createSystemClock(), lockTimeoutMs: timeoutMs = 2_500 } = options
  if (typeof options.directory !== 'string' || options.directory === '') {
    throw new SyncError('option-invalid', 'directory must be a path')
  }
  const directory = resolve(options.directory)
  const pathOf = (key: string): string => join(directory, encodeKey(key))

  async function inTurn<T>(write: (lock: HeldLock) => Promise<T>): Promise<T> {
    await mkdir(directory, { recursive: true, mode: 0o700 })
    const lock = await acquireLock({ directory: join(directory, '~lock'), clock, timeoutMs })
    try {
      // Drafts exist only under the lock, so those that are here now are from a holder that died.
      if (lock.wasOrphaned) await removeDrafts(directory)
      return await write(lock)
    } finally {
      await lock.release()
    }
  }

  async function put(lock: HeldLock, key: string, value: string | undefined): Promise<void> {
    if (!(await lock.isHeld())) {
      throw Object.assign(new Error('another process took the lock over'), { code: 'ELOCKED' })
    }
    if (value === undefined) await remove(pathOf(key))
    else await replace(directory, pathOf(key), value)
  }

  return {
    async get(key) {
      return await read(pathOf(key))
    },
    async set(key, value) {
      assertKey(key)
      await inTurn((lock) => put(lock, key, value))
    },
    async delete(key) {
      await inTurn((lock) => put(lock, key, undefined))
    },
    async keys() {
      try {
        return (await readdir(directory)).filter((name) => !name.startsWith('~')).map(decodeKey)
      } catch (error) {
        if (hasCode(error, 'ENOENT')) return []
        throw error
      }
    },
    async update(key, change) {
      assertKey(key)
      return await inTurn(async (lock) => {
        const current = await read(pathOf(key))
        const next = change(current)
        if (next !== current) await put(lock, key, next)
        return next
      })
    },
  }
}

async function read(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined
    throw error
  }
}

async function replace(directory: string, path: string, value: string): Promise<void> {
  const draft = join(directory, `~${randomUUID()}`)
  try {
    const file = await open(draft, 'wx', 0o600)
    try {
      await file.writeFile(value)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(draft, path)
  } catch (error) {
    await remove(draft)
    throw error
  }
  await flush(directory)
}

async function remove(path: string): Promise<void> {
  try {
    await unlink(path)
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error
  }
}

// Makes the new name survive a power cut. Windows cannot open directories and does not need it.
async function flush(directory: string): Promise<void> {
  if (process.platform === 'win32') return
  const handle = await open(directory, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

async function removeDrafts(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    if (name.startsWith('~') && name !== '~lock') await remove(join(directory, name))
  }
}

// Capitals are escaped too, as some file systems treat `A` and `a` as one name.
function encodeKey(key: string): string {
  return key.replace(/[^a-z0-9_-]/g, (character) => {
    return `%${character.charCodeAt(0).toString(16).padStart(2, '0')}`
  })
}

function decodeKey(name: string): string {
  return name.replace(/%([0-9a-f]{2})/g, (_, hex: string) => {
    return String.fromCharCode(Number.parseInt(hex, 16))
  })
}
