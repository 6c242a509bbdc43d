import type { SyncClient } from 'statewire'
import type { kull, ShootProgress } from 'statewire/kull'

/** Tells a user's devices how far each shoot is, whatever happens to the connection meanwhile. */
export type Reports = {
  send(progress: ShootProgress): void
  /** The last progress of each shoot. */
  readonly latest: ReadonlyMap<string, ShootProgress>
  /** How many were not sent when they were new. */
  readonly notSentCount: number
  /** Resolves once the server has said of each shoot what was last said to it; rejects when aborted. */
  heard(signal: AbortSignal): Promise<void>
}

type Sync = Pick<
  SyncClient<typeof kull.receive, typeof kull.send, object>,
  'send' | 'on' | 'status$'
>

/**
 * Makes {@link Reports} of a device.
 *
 * `sent` promises nothing beyond our own socket, and this server confirms nothing. But it echoes
 * progress to all of the user's devices, the sender too: what was not heard again is said again
 * after each reconnect, the latest of each shoot alone.
 */
export function createReports(sync: Sync, deviceId: string): Reports {
  const latest = new Map<string, ShootProgress>()
  const unheard = new Map<string, ShootProgress>()
  const waiting = new Set<() => void>()
  let notSentCount = 0

  function transmit(progress: ShootProgress): void {
    const { outcome } = sync.send('UPDATE_PROGRESS', progress)
    if (outcome?.outcome !== 'notSent') return
    if (outcome.reason === 'invalid') throw new TypeError(outcome.detail)
    notSentCount++
  }

  sync.on('SHOOT_PROGRESS', ({ data, meta }) => {
    const said = unheard.get(data.shootId)
    const isOurs = meta.deviceId === deviceId
    if (!isOurs || said?.status !== data.status || said.processedCount !== data.processedCount) {
      return
    }
    unheard.delete(data.shootId)
    if (unheard.size > 0) return
    for (const resolve of waiting) resolve()
    waiting.clear()
  })
  sync.status$.subscribe(({ state }) => {
    if (state === 'connected') unheard.forEach(transmit)
  })

  return {
    latest,
    get notSentCount() {
      return notSentCount
    },
    send(progress) {
      latest.set(progress.shootId, progress)
      unheard.set(progress.shootId, progress)
      transmit(progress)
    },
    heard: (signal) =>
      new Promise((resolve, reject) => {
        signal.throwIfAborted()
        if (unheard.size === 0) {
          resolve()
          return
        }
        const abort = () => {
          waiting.delete(done)
          reject(signal.reason as Error)
        }
        const done = () => {
          signal.removeEventListener('abort', abort)
          resolve()
        }
        signal.addEventListener('abort', abort, { once: true })
        waiting.add(done)
      }),
  }
}
