import type { EnvironmentServer } from '../server/environment-server.js'
import type { DeliveryReport, JobProgress } from '../worker/job.js'
import { layLine } from './line.js'

type Addresses = Pick<EnvironmentServer, 'webSocketUrl' | 'httpUrl'>

/** What of a run without a connection there is to tell. */
export type OutageSummary = DeliveryReport & {
  /** Images processed when the connection broke, and when it was there again. */
  brokeAfterImages: number
  mendedAfterImages: number
}

/** A worker's way to its server, which is gone for half of the job. */
export type Outage = AsyncDisposable &
  Addresses & {
    /** Hears how far the worker is: it breaks after a quarter, and is mended after three. */
    hear(progress: JobProgress): void
    summarise(report: DeliveryReport): OutageSummary
  }

/** Makes the {@link Outage} of an environment, with a line for each of its addresses. */
export async function createOutage(environment: Addresses & { port: number }): Promise<Outage> {
  const lines = [await layLine(environment.port), await layLine(environment.port)] as const
  const [forSocket, forHttp] = lines
  let brokeAfterImages: number | undefined
  let mendedAfterImages: number | undefined

  function through(port: number, address: string): string {
    const url = new URL(address)
    url.port = String(port)
    // Without the slash that an address without a path gets: paths are put behind it.
    return url.pathname === '/' ? url.origin : url.href
  }

  return {
    webSocketUrl: through(forSocket.port, environment.webSocketUrl),
    httpUrl: through(forHttp.port, environment.httpUrl),
    hear({ imagesProcessed, imagesTotal }) {
      const first = Math.floor(imagesTotal / 4)
      const last = first + Math.ceil(imagesTotal / 2)
      if (brokeAfterImages === undefined && imagesProcessed >= first) {
        brokeAfterImages = imagesProcessed
        for (const line of lines) line.break()
      }
      if (mendedAfterImages === undefined && imagesProcessed >= last) {
        mendedAfterImages = imagesProcessed
        for (const line of lines) line.mend()
      }
    },
    summarise: (report) => ({
      brokeAfterImages: brokeAfterImages ?? 0,
      mendedAfterImages: mendedAfterImages ?? 0,
      ...report,
    }),
    async [Symbol.asyncDispose]() {
      for (const line of lines) await line[Symbol.asyncDispose]()
    },
  }
}
