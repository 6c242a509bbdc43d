import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { BusyWait, type Patience } from './busy.js'
import { findSqlite, type OpenSqlite, type SqliteConnection } from './connection.js'
import { createPrivateFile } from './database-file.js'

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
  const lock = await new BusyWait(patience).run(patience.clock.now(), () => lockFile(path, open))
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
