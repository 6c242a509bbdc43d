import type { EnvironmentServer } from '../server/environment-server.js'
import type { DeliveryReport, JobProgress } from '../worker/job.js'
import { openBreakableProxy } from './breakable-proxy.js'

type Addresses = Pick<EnvironmentServer, 'webSocketUrl' | 'httpUrl'>

/** The result of a run with an outage. */
export type OutageSummary = DeliveryReport & {
  /** How many images were processed when the connection broke, and when it was back. */
  brokeAfterImages: number
  mendedAfterImages: number
}

/** Cuts the worker's connection to its server for half of the job. */
export type Outage = AsyncDisposable &
  Addresses & {
    /**
     * Takes the worker's progress: the connection breaks at one quarter, and is back at three
     * quarters.
     */
    hear(progress: JobProgress): void
    summarise(report: DeliveryReport): OutageSummary
  }

/** Makes the {@link Outage} of an environment, with a proxy for each of its addresses. */
export async function createOutage(environment: Addresses & { port: number }): Promise<Outage> {
  const proxies = [
    await openBreakableProxy(environment.port),
    await openBreakableProxy(environment.port),
  ] as const
  const [forSocket, forHttp] = proxies
  let brokeAfterImages: number | undefined
  let mendedAfterImages: number | undefined

  function through(port: number, address: string): string {
    const url = new URL(address)
    url.port = String(port)
    // Without the trailing slash, since paths are appended to the address.
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
        for (const proxy of proxies) proxy.break()
      }
      if (mendedAfterImages === undefined && imagesProcessed >= last) {
        mendedAfterImages = imagesProcessed
        for (const proxy of proxies) proxy.mend()
      }
    },
    summarise: (report) => ({
      brokeAfterImages: brokeAfterImages ?? 0,
      mendedAfterImages: mendedAfterImages ?? 0,
      ...report,
    }),
    async [Symbol.asyncDispose]() {
      for (const proxy of proxies) await proxy[Symbol.asyncDispose]()
    },
  }
}
