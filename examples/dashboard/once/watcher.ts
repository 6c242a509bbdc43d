import { createSyncClient, type SyncError } from 'statewire'
import { createDelivery } from 'statewire/delivery'
import { kull, loadCredits, type Shoot } from 'statewire/kull'
import type { EnvironmentServer } from '../server/environment-server.js'
import type { UserView } from './compare.js'

/** A device that receives, and records what it sees. */
export type Watcher = Disposable & {
  readonly deviceId: string
  /** Resolves when it is connected for the first time. Rejects when aborted. */
  connected(signal: AbortSignal): Promise<void>
  /** The last progress of each shoot that it ever saw, and the current balance. */
  view: () => UserView & { shoots: Record<string, Shoot> }
  /** How many shoots are still in its list. */
  readonly activeShoots: number
  /** How many messages it received, of all types. */
  readonly messagesIn: number
  /** Calls a listener after each change. Returns the function that removes it. */
  onChange: (listener: () => void) => () => void
}

/** Connects a device to an environment, with or without delivery. */
export function createWatcher(
  environment: Pick<EnvironmentServer, 'webSocketUrl' | 'httpUrl'>,
  { userId, deviceId, isPlain }: { userId: string; deviceId: string; isPlain: boolean },
  onError: (error: SyncError) => void,
): Watcher {
  const shoots = new Map<string, Shoot>()
  let messagesIn = 0
  const sync = createSyncClient(kull, {
    url: environment.webSocketUrl,
    credentials: { userId, deviceId },
    loadSnapshot: loadCredits({
      baseUrl: environment.httpUrl,
      headers: { authorization: `Bearer ${userId}:${deviceId}` },
    }),
    ...(!isPlain && { delivery: createDelivery() }),
    onError,
  })
  sync.state$.subscribe(({ activeShootProgress }) => {
    for (const [shootId, shoot] of activeShootProgress) shoots.set(shootId, shoot)
  })
  sync.messages$.subscribe(() => messagesIn++)
  sync.start()

  return {
    deviceId,
    connected: (signal) =>
      new Promise((resolve, reject) => {
        signal.throwIfAborted()
        const abort = () => {
          subscription.unsubscribe()
          reject(signal.reason as Error)
        }
        signal.addEventListener('abort', abort, { once: true })
        const subscription = sync.status$.subscribe(({ state }) => {
          if (state !== 'connected') return
          signal.removeEventListener('abort', abort)
          queueMicrotask(() => subscription.unsubscribe())
          resolve()
        })
      }),
    view: () => ({
      shoots: Object.fromEntries(shoots),
      creditBalance: sync.state.creditBalance,
    }),
    get activeShoots() {
      return sync.state.activeShootProgress.size
    },
    get messagesIn() {
      return messagesIn
    },
    onChange: (listener) => sync.subscribe(listener),
    [Symbol.dispose]: () => sync.dispose(),
  }
}
