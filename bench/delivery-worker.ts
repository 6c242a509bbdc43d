import { Worker } from 'node:worker_threads'

/** The servers of the delivery benchmarks, on their thread. */
export interface Servers {
  readonly ports: Readonly<Record<'raw' | 'io' | 'sync', number>>
  /** Has the server with delivery say this many messages to a user; resolves once it has. */
  say(user: string, count: number): Promise<void>
  stop(): void
}

/** Starts them. */
export async function startServers(): Promise<Servers> {
  const worker = new Worker(new URL('./delivery-servers.mjs', import.meta.url))
  const hear = (): Promise<unknown> =>
    new Promise((resolve, reject) => {
      worker.once('message', resolve)
      worker.once('error', reject)
    })
  const ports = (await hear()) as Servers['ports']
  return {
    ports,
    async say(user, count) {
      const said = hear()
      worker.postMessage({ user, count })
      await said
    },
    stop() {
      worker.postMessage('stop')
    },
  }
}
