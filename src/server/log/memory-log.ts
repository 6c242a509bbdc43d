import { randomUUID } from 'node:crypto'
import { SyncError } from '../../base/errors.js'
import type { DeliveryLog } from './delivery-log.js'
import {
  applyChange,
  createUserLog,
  type UserLogState,
  writeUserLog,
} from './user-log.js'

/** Options of {@link createMemoryLog}. */
export interface MemoryLogOptions {
  /**
   * How many users are remembered; of those that no client is connected for, the least recently
   * used are forgotten first. Default 10,000.
   */
  readonly maxUsers?: number
  /** Gives the epoch of a user of whom nothing is known. Default: a UUID. */
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
  const users = new Map<string, UserLogState>()
  const idle = new Map<string, UserLogState>()

  function find(userId: string): UserLogState {
    return users.get(userId) ?? idle.get(userId) ?? createUserLog(makeEpoch())
  }

  return {
    open(userId) {
      const user = find(userId)
      idle.delete(userId)
      users.set(userId, user)
      return writeUserLog(user)
    },
    commit(userId, change) {
      applyChange(find(userId), change)
      return undefined
    },
    close(userId) {
      const user = users.get(userId)
      if (user === undefined) return
      users.delete(userId)
      idle.set(userId, user)
      for (const oldest of idle.keys()) {
        if (users.size + idle.size <= maxUsers) break
        idle.delete(oldest)
      }
    },
  }
}
