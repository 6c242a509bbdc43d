import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { type Clock, type Random, sleep } from '../../base/clock.js'
import { findSqlite, isBusy, type OpenSqlite, type SqliteConnection } from './connection.js'
import { createPrivateFile } from './database-file.js'

const LONGEST_PAUSE_MS = 50

/** How to wait for what another process holds. */
export interface Patience {
  readonly clock: Clock
  readonly random: Random
}

/** Pauses before the next attempt to get what another process holds. */
export async function pause({ clock, random }: Patience, attempt: number): Promise<void> {
  const pauseMs = Math.min(2 ** attempt, LONGEST_PAUSE_MS)
  await sleep(clock, pauseMs * (1 + random() / 2))
}

/**
 * Runs a function while no other process does so under the same path. A process loses the lock at
 * once when it ends, however it ends.
 */
export async function withFileLock<T>(
  path: string,
  patience: Patience,
  run: () => Promise<T>,
): Promise<T> {
  const open = await findSqlite()
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  let lock: SqliteConnection | undefined
  for (let attempt = 0; lock === undefined; attempt += 1) {
    try {
      lock = lockFile(path, open)
    } catch (error) {
      if (!isBusy(error)) throw error
      await pause(patience, attempt)
    }
  }
  try {
    return await run()
  } finally {
    lock.close()
  }
}

/** Takes a lock without a wait. Closing the connection gives it back. */
export function lockFile(path: string, open: OpenSqlite): SqliteConnection {
  createPrivateFile(path)
  const lock = open(path)
  try {
    lock.exec('PRAGMA busy_timeout = 0')
    lock.exec('BEGIN EXCLUSIVE')
    return lock
  } catch (error) {
    lock.close()
    throw error
  }
}
