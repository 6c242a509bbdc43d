import type { Receipt, SyncClient } from 'statewire'
import type { kull, ShootProgress } from 'statewire/kull'
import type { DeliveryReport } from './job.js'

/** Tells a user's devices how far each shoot is, whatever happens to the connection meanwhile. */
export type Reports = {
  send(progress: ShootProgress): void
  /** The last progress of each shoot. */
  readonly latest: ReadonlyMap<string, ShootProgress>
  /** How many came while there was no connection, and were never sent: a later one took their place. */
  readonly notSentCount: number
  /** What delivery did for them so far. */
  readonly delivery: DeliveryReport
  /**
   * Resolves once the server has taken the last progress of each shoot; rejects when aborted, and
   * where it will never have one.
   */
  delivered(signal: AbortSignal): Promise<void>
}

type Sync = Pick<
  SyncClient<typeof kull.receive, typeof kull.send, object>,
  'send' | 'outbox' | 'outbox$'
>

/**
 * Makes {@link Reports} over a client that has delivery: it keeps what it cannot send, of each shoot
 * the latest alone, sends it once it can, and hears from the server that it has it.
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

/** A promise's value; rejects with the signal's reason where that comes first. */
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
