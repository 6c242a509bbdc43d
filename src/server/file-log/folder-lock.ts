import { join } from 'node:path'
import type { TimerHandle } from '../../base/clock.js'
import { SyncError } from '../../base/errors.js'
import { hasCode } from '../../storage/node-files.js'
import { acquireLock, type HeldLock, type LockOptions } from '../../storage/node-lock.js'

/**
 * A folder that is this process's own for as long as it runs. A process that was stopped for long
 * has to ask whether it still holds it.
 */
type HeldFolder = Pick<HeldLock, 'isHeld' | 'release'>

type HoldFolderOptions = Pick<LockOptions, 'directory' | 'clock' | 'timeoutMs'>

// The lock is meant to be held for an instant: where the system cannot tell that its holder lives,
// it is taken from one that has been silent for 10 s.
const SIGN_OF_LIFE_MS = 3_000

/**
 * Takes a folder. Rejects with SyncError `option-invalid` where another process has it, or this
 * one has it already.
 */
export async function holdFolder(options: HoldFolderOptions): Promise<HeldFolder> {
  const { clock, timeoutMs } = options
  const directory = join(options.directory, 'lock')
  const lock = await acquireLock({ directory, clock, timeoutMs }).catch((cause: unknown) => {
    if (!hasCode(cause, 'ELOCKED')) throw cause
    throw new SyncError('option-invalid', 'directory: it is open already', { cause })
  })
  let timer: TimerHandle
  let isReleased = false

  function schedule(): void {
    timer = clock.setTimeout(() => {
      void lock.keep().catch(() => {})
      schedule()
    }, SIGN_OF_LIFE_MS)
  }

  schedule()
  return {
    isHeld: async () => !isReleased && (await lock.isHeld()),
    async release() {
      isReleased = true
      clock.clearTimeout(timer)
      await lock.release()
    },
  }
}
