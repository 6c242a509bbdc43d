import type { Receipt, SyncClient } from 'statewire'
import type { kull, ShootProgress } from 'statewire/kull'
import type { DeliveryReport } from './job.js'

/** Reports the progress of each shoot to the user's devices, also over lost connections. */
export type Reports = {
  send(progress: ShootProgress): void
  /** The last progress of each shoot. */
  readonly latest: ReadonlyMap<string, ShootProgress>
  /** How many reports were never sent, since a later one of the same shoot replaced them. */
  readonly notSentCount: number
  /** The counts of delivery so far. */
  readonly delivery: DeliveryReport
  /**
   * Resolves when the server has the last progress of each shoot. Rejects when aborted, and when
   * the server refused one for good.
   */
  delivered(signal: AbortSignal): Promise<void>
}

type Sync = Pick<
  SyncClient<typeof kull.receive, typeof kull.send, object>,
  'send' | 'outbox' | 'outbox$'
>

/**
 * Makes {@link Reports} over a client with delivery. Its outbox has the latest report of each
 * shoot, sends it when there is a connection, and learns from the server when it is acknowledged.
 */
export function createReports(sync: Sync): Reports {
  const latest = new Map<string, ShootProgress>()
  const receipts = new Map<string, Receipt>()
  let notSentCount = 0
  let queuedAtMost = 0

  sync.outbox$.subscribe(({ depth, delivery }) => {
    if (delivery === 'offline') queuedAtMost = Math.max(queuedAtMost, depth)
  })

  return {
    latest,
    get notSentCount() {
      return notSentCount
    },
    get delivery() {
      const { resumed, reset, retransmitted } = sync.outbox.counts()
      return { queuedAtMost, resumes: resumed, resets: reset, retransmissions: retransmitted }
    },
    send(progress) {
      const isCutOff = sync.outbox.status.delivery === 'offline'
      const receipt = sync.send('UPDATE_PROGRESS', progress)
      const { outcome } = receipt
      if (outcome?.outcome === 'notSent' && outcome.reason === 'invalid') {
        throw new TypeError(outcome.detail)
      }
      latest.set(progress.shootId, progress)
      receipts.set(progress.shootId, receipt)
      void receipt.settled.then((settled) => {
        if (isCutOff && settled.outcome === 'notSent') notSentCount++
      })
    },
    async delivered(signal) {
      const outcomes = Promise.all([...receipts.values()].map(({ settled }) => settled))
      for (const outcome of await orAborted(outcomes, signal)) {
        if (outcome.outcome === 'delivered' || outcome.outcome === 'sent') continue
        const why = outcome.outcome === 'refused' ? outcome.code : outcome.reason
        throw new Error(`A progress did not reach the server: ${outcome.outcome}, ${why}`)
      }
    },
  }
}

/** A promise's value. Rejects with the signal's reason if the signal is aborted first. */
function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted()
    const abort = () => reject(signal.reason as Error)
    signal.addEventListener('abort', abort, { once: true })
    void promise.then((value) => {
      signal.removeEventListener('abort', abort)
      resolve(value)
    })
  })
}
