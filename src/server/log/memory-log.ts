import { randomUUID } from 'node:crypto'
import { assertWholeNumber } from '../../base/options.js'
import type { DeliveryLog, LogChange, UserLog } from './delivery-log.js'
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
 * Makes a log that lasts as long as the process.
 *
 * @throws SyncError `option-invalid`, naming the option.
 */
export function createMemoryLog(options: MemoryLogOptions = {}): DeliveryLog {
  const { maxUsers = 10_000, makeEpoch = randomUUID } = options
  assertWholeNumber('maxUsers', maxUsers)
  return new MemoryLog(maxUsers, makeEpoch)
}

class MemoryLog implements DeliveryLog {
  readonly #maxUsers: number
  readonly #makeEpoch: () => string
  readonly #opened = new Map<string, UserLogState>()
  /** The least recently used first. */
  readonly #closed = new Map<string, UserLogState>()

  constructor(maxUsers: number, makeEpoch: () => string) {
    this.#maxUsers = maxUsers
    this.#makeEpoch = makeEpoch
  }

  open(userId: string): Promise<UserLog> {
    const user = this.#find(userId)
    this.#closed.delete(userId)
    this.#opened.set(userId, user)
    return Promise.resolve(writeUserLog(user))
  }

  commit(userId: string, change: LogChange): Promise<void> {
    applyChange(this.#find(userId), change)
    return Promise.resolve()
  }

  close(userId: string): void {
    const user = this.#opened.get(userId)
    if (user === undefined) return
    this.#opened.delete(userId)
    this.#closed.set(userId, user)
    for (const oldest of this.#closed.keys()) {
      if (this.#opened.size + this.#closed.size <= this.#maxUsers) break
      this.#closed.delete(oldest)
    }
  }

  #find(userId: string): UserLogState {
    const known = this.#opened.get(userId) ?? this.#closed.get(userId)
    return known ?? createUserLog(this.#makeEpoch())
  }
}
