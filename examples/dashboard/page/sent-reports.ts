import type { Receipt } from 'statewire'
import type { ShootProgress } from 'statewire/kull'

/** A progress that this page reported, and the state of its receipt. */
export type SentReport = {
  /** Counts up from 1. */
  readonly id: number
  readonly progress: ShootProgress
  readonly receipt: Receipt
  /** Whether the message survives a crash; `undefined` while that is not known. */
  readonly isDurable: boolean | undefined
}

/** Invented shoots, which this page reports as if it processed them. */
export type SentReports = {
  /** Starts a shoot and reports it. */
  reportShoot(): void
  /**
   * Reports the next step of the latest shoot. Starts a new one if there is none, or if it is
   * complete.
   */
  reportProgress(): void
  /** Reports a shoot without a name, which the demo's servers refuse. */
  reportNameless(): void
  /** The latest reports, newest first. */
  readonly latest: readonly SentReport[]
}

/** How many steps an invented shoot has. */
const steps = 5

/** Makes {@link SentReports} that remember the latest `limit`. */
export function createSentReports(options: {
  send: (progress: ShootProgress) => Receipt
  /**
   * Makes ids of shoots, unique over pages and reloads: a new report of a shoot replaces an older
   * one.
   */
  makeName: () => string
  limit: number
  /** Called when a receipt has changed. */
  onChange: () => void
}): SentReports {
  const { send, makeName, limit, onChange } = options
  let latest: readonly SentReport[] = []
  let count = 0
  let current = { shootId: '', step: steps }

  function report(shootId: string, step: number): void {
    const progress = {
      shootId,
      status: step === steps ? 'completed' : 'processing',
      processedCount: step,
      totalCount: steps,
      provider: 'statewire-dashboard',
    } as const
    const receipt = send(progress)
    count++
    const id = count
    latest = [{ id, progress, receipt, isDurable: undefined }, ...latest.slice(0, limit - 1)]
    void receipt.durable.then((isDurable) => {
      latest = latest.map((sent) => (sent.id === id ? { ...sent, isDurable } : sent))
      onChange()
    })
    void receipt.settled.then(onChange)
    onChange()
  }

  function begin(): void {
    current = { shootId: makeName(), step: 1 }
    report(current.shootId, current.step)
  }

  return {
    reportShoot: begin,
    reportProgress() {
      if (current.step === steps) {
        begin()
        return
      }
      current = { ...current, step: current.step + 1 }
      report(current.shootId, current.step)
    },
    reportNameless: () => report('', 1),
    get latest() {
      return latest
    },
  }
}
