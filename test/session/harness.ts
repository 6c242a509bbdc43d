import { expect } from 'vitest'
import type { SyncError } from '../../src/base/errors.js'
import type { SessionOptions } from '../../src/session/options.js'
import { createSession } from '../../src/session/session.js'
import type { SessionStatus } from '../../src/machines/session/status.js'
import type { SyncStatus } from '../../src/session/sync-driver.js'
import { createMemoryStore } from '../../src/storage/memory.js'
import type { KeyValueStore } from '../../src/storage/store.js'
import { createManualClock, type ManualClock } from '../../src/testing/clock.js'
import { createFakeServer } from './fake-server.js'

/** A sync that writes down what is asked of it, and says what the test wants said. */
export function createFakeSync() {
  const log: string[] = []
  const listeners = new Set<(status: SyncStatus) => void>()
  return {
    log,
    start: () => {
      log.push('start')
    },
    stop: () => {
      log.push('stop')
    },
    reconnect: () => {
      log.push('reconnect')
    },
    status$: {
      subscribe(next: (status: SyncStatus) => void) {
        listeners.add(next)
        return { unsubscribe: () => listeners.delete(next) }
      },
    },
    get isRunning() {
      return log.lastIndexOf('start') > log.lastIndexOf('stop')
    },
    get listeners() {
      return listeners.size
    },
    /** The server refused the credentials twice in a row. */
    giveUp() {
      for (const next of listeners)
        next({ state: 'failed', error: { code: 'credentials-refused' } })
    },
  }
}

export interface Setting extends Partial<SessionOptions> {
  readonly clock?: ManualClock
  readonly server?: ReturnType<typeof createFakeServer>
  readonly store?: KeyValueStore
}

/** A session on a simulated clock, a server in memory and a sync that writes down. */
export function createTestSession(setting: Setting = {}) {
  const clock = setting.clock ?? createManualClock()
  const server = setting.server ?? createFakeServer({ clock })
  const store = setting.store ?? createMemoryStore()
  const sync = createFakeSync()
  const errors: SyncError[] = []
  const statuses: SessionStatus[] = []
  const session = createSession({
    api: server.api,
    store,
    sync,
    clock,
    random: () => 0,
    device: { deviceName: 'Test', platform: 'web', appVersion: '1.0.0' },
    onError: (error) => errors.push(error),
    ...setting,
  })
  session.subscribe((status) => statuses.push(status))
  const settle = (): Promise<void> => clock.advanceAsync(0)
  return {
    session,
    clock,
    server,
    store,
    sync,
    errors,
    statuses,
    settle,
    async start() {
      session.start()
      await settle()
    },
    /** From signed out to a code that is shown. */
    async link() {
      session.signIn()
      await settle()
      expect(session.status.state).toBe('linking')
    },
    /** All the way to signed in. */
    async signIn(...approval: Parameters<typeof server.approve>) {
      session.start()
      await settle()
      session.signIn()
      await settle()
      // A device id that is made under a lock takes its time.
      if (session.status.state === 'loading') await clock.advanceAsync(100)
      server.approve(...approval)
      await clock.advanceAsync(1_000)
      expect(session.status.state).toBe('signedIn')
    },
  }
}

/** Waits for what needs time to pass: locks of tabs, for example. */
export async function inTime<T>(clock: ManualClock, run: Promise<T>): Promise<T> {
  await clock.advanceAsync(500)
  return await run
}
