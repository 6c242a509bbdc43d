import { randomUUID } from 'node:crypto'
import { SyncError } from '../../base/errors.js'
import type { DeliveryLog } from './delivery-log.js'
import { applyChange, createUserLog, type UserLogState, writeUserLog } from './user-log.js'

/** Options of {@link createMemoryLog}. */
export interface MemoryLogOptions {
  /**
   * How many users are remembered. Of those that no client is connected for, the least recently
   * used are forgotten first. Default 10,000.
   */
  readonly maxUsers?: number
  /** Makes the epoch of a user that the log does not know. Default: a UUID. */
  readonly makeEpoch?: () => string
}

/**
 * Makes a log that lasts as long as the process. It answers at once.
 *
 * @throws SyncError `option-invalid`, naming the option.
 */
export function createMemoryLog(options: MemoryLogOptions = {}): DeliveryLog {
  const { maxUsers = 10_000, makeEpoch = randomUUID } = options
  if (!(maxUsers >= 1)) {
    throw new SyncError('option-invalid', `maxUsers must be 1 or more, not ${maxUsers}`)
  }
  const opened = new Map<string, UserLogState>()
  const closed = new Map<string, UserLogState>()

  function find(userId: string): UserLogState {
    return opened.get(userId) ?? closed.get(userId) ?? createUserLog(makeEpoch())
  }

  return {
    open(userId) {
      const user = find(userId)
      closed.delete(userId)
      opened.set(userId, user)
      return writeUserLog(user)
    },
    commit(userId, change) {
      applyChange(find(userId), change)
      return undefined
    },
    close(userId) {
      const user = opened.get(userId)
      if (user === undefined) return
      opened.delete(userId)
      closed.set(userId, user)
      for (const oldest of closed.keys()) {
        if (opened.size + closed.size <= maxUsers) break
        closed.delete(oldest)
      }
    },
  }
}
