import { randomUUID } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { type Clock, createSystemClock } from '../base/clock.js'
import { SyncError } from '../base/errors.js'
import { ifThere, readTextIfThere, replaceFile, syncFolder, unlinkIfThere } from './node-files.js'
import { lockedError } from './node-lock.js'
import { createLockedStore } from './node-locked-store.js'
import type { KeyValueStore } from './store.js'

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

  return createLockedStore({
    folder: directory,
    clock,
    timeoutMs,
    // Drafts exist only under the lock, so those that are here now are from a holder that died.
    repair: () => removeDrafts(directory),
    read: (key) => readTextIfThere(pathOf(key)),
    async write(key, value, lock) {
      if (!(await lock.isHeld())) {
        throw lockedError('another process took the lock over')
      }
      if (value === undefined) {
        await unlinkIfThere(pathOf(key))
      } else {
        // The name of a key may be as long as a name can be.
        await replaceFile(pathOf(key), value, join(directory, `~${randomUUID()}`))
        await syncFolder(directory)
      }
    },
    async keys() {
      const names = (await ifThere(readdir(directory))) ?? []
      return names.filter((name) => !name.startsWith('~')).map(decodeKey)
    },
  })
}

async function removeDrafts(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    if (name.startsWith('~') && name !== '~lock') await unlinkIfThere(join(directory, name))
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
