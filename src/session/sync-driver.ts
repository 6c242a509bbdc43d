import { type ReportError, SyncError } from '../base/errors.js'
import { nameThrown } from '../base/deadline.js'

/** What of a sync's status matters to a session. */
export interface SyncStatus {
  readonly state: string
  /** Why it is `failed`. */
  readonly error?: { readonly code: string }
}

/** A sync that a session starts and stops. A client of `createSyncClient` is one. */
export interface SessionSync {
  start(): void
  stop(): void
  /** Comes back with fresh credentials, after the former were refused. */
  reconnect(): void
  /** Tells when the sync gave up because its credentials were refused. */
  readonly status$?: {
    subscribe(next: (status: SyncStatus) => void): { unsubscribe(): void }
  }
}

/** The sync as a session drives it: what is asked twice is done once, and what it throws is reported. */
export interface SyncDriver {
  start(): void
  stop(): void
  reconnect(): void
  /** Hears of refused credentials until it is told to stop. */
  watch(onRefused: () => void): () => void
}

/** Makes a driver; one that does nothing where there is no sync. */
export function createSyncDriver(sync: SessionSync | undefined, report: ReportError): SyncDriver {
  let isRunning = false

  function attempt(what: 'start' | 'stop' | 'reconnect' | 'status$', run: () => void): void {
    try {
      run()
    } catch (error) {
      report(new SyncError('sync-threw', `The sync's ${what} threw (${nameThrown(error)}).`))
    }
  }

  return {
    start() {
      if (isRunning) return
      isRunning = true
      attempt('start', () => sync?.start())
    },
    stop() {
      if (!isRunning) return
      isRunning = false
      attempt('stop', () => sync?.stop())
    },
    reconnect() {
      if (isRunning) attempt('reconnect', () => sync?.reconnect())
    },
    watch(onRefused) {
      let subscription: { unsubscribe(): void } | undefined
      attempt('status$', () => {
        subscription = sync?.status$?.subscribe(({ state, error }) => {
          if (isRunning && state === 'failed' && error?.code === 'credentials-refused') onRefused()
        })
      })
      return () => {
        attempt('status$', () => subscription?.unsubscribe())
      }
    },
  }
}
