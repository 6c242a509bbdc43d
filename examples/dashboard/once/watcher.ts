import { createSyncClient, type SyncError } from 'statewire'
import { createDelivery } from 'statewire/delivery'
import { kull, loadCredits, type Shoot } from 'statewire/kull'
import type { EnvironmentServer } from '../server/environment-server.js'
import type { UserView } from './compare.js'

/** A device that watches, and notes what it sees. */
export type Watcher = Disposable & {
  readonly deviceId: string
  /** Resolves when connected for the first time; rejects when aborted. */
  connected(signal: AbortSignal): Promise<void>
  /** The last progress of each shoot that was ever seen, and the balance now. */
  view: () => UserView & { shoots: Record<string, Shoot> }
  /** How many shoots have not left yet. */
  readonly activeShoots: number
  /** Messages received, of whatever type. */
  readonly messagesIn: number
  /** Calls a listener after each change; gives the function that ends it. */
  onChange: (listener: () => void) => () => void
}

/** Connects a device to an environment: with delivery, or as a client that has never heard of it. */
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
