import { nameThrown } from '../base/deadline.js'
import { type ReportError, SyncError } from '../base/errors.js'

/** The part of a sync's status that a session reads. */
export interface SyncStatus {
  readonly state: string
  /** Why the state is `failed`. */
  readonly error?: { readonly code: string }
}

/** A sync that a session starts and stops. A client of `createSyncClient` is one. */
export interface SessionSync {
  start(): void
  stop(): void
  /** Connects again with fresh credentials, after the server refused the former ones. */
  reconnect(): void
  /** Emits when the sync failed because the server refused its credentials. */
  readonly status$?: {
    subscribe(next: (status: SyncStatus) => void): { unsubscribe(): void }
  }
}

/**
 * Starts and stops the sync of a session. It does each once, however often it is asked, and
 * reports what the sync throws. Without a sync it does nothing.
 */
export class SyncDriver {
  readonly #sync: SessionSync | undefined
  readonly #report: ReportError
  #isRunning = false

  constructor(sync: SessionSync | undefined, report: ReportError) {
    this.#sync = sync
    this.#report = report
  }

  start(): void {
    if (this.#isRunning) return
    this.#isRunning = true
    this.#attempt('start', () => this.#sync?.start())
  }

  stop(): void {
    if (!this.#isRunning) return
    this.#isRunning = false
    this.#attempt('stop', () => this.#sync?.stop())
  }

  reconnect(): void {
    if (this.#isRunning) this.#attempt('reconnect', () => this.#sync?.reconnect())
  }

  /** Calls `onRefused` when the sync fails because of its credentials. Gives a function that ends it. */
  watch(onRefused: () => void): () => void {
    let subscription: { unsubscribe(): void } | undefined
    this.#attempt('status$', () => {
      subscription = this.#sync?.status$?.subscribe(({ state, error }) => {
        const isRefused = state === 'failed' && error?.code === 'credentials-refused'
        if (this.#isRunning && isRefused) onRefused()
      })
    })
    return () => {
      this.#attempt('status$', () => subscription?.unsubscribe())
    }
  }

  #attempt(name: keyof SessionSync, run: () => void): void {
    try {
      run()
    } catch (error) {
      const message = `The sync's ${name} threw (${nameThrown(error)}).`
      this.#report(new SyncError('sync-threw', message))
    }
  }
}
