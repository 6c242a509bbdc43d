import type { Receipt } from 'statewire'
import type { ShootProgress } from 'statewire/kull'

/** A progress that this page reported, and what becomes of it. */
export type SentReport = {
  /** Counts up from 1. */
  readonly id: number
  readonly progress: ShootProgress
  readonly receipt: Receipt
  /** Whether it survives a crash; `undefined` until that is known. */
  readonly isDurable: boolean | undefined
}

/** Made-up shoots that this page reports, as if it processed them. */
export type SentReports = {
  /** Begins a shoot, and reports it. */
  reportShoot(): void
  /** Reports the next step of the latest shoot; begins one where there is none, or it is done. */
  reportProgress(): void
  /** Reports a shoot without a name, which no server of this demo takes. */
  reportNameless(): void
  /** The latest ones, the newest first. */
  readonly latest: readonly SentReport[]
}

/** How many steps a made-up shoot has. */
const steps = 5

/** Makes {@link SentReports} that remember the latest `limit`. */
export function createSentReports(options: {
  send: (progress: ShootProgress) => Receipt
  /** Makes names of shoots: unique over pages and reloads, since the latest of each replaces others. */
  makeName: () => string
  limit: number
  /** Called when something has become of one. */
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
