import { Worker } from 'node:worker_threads'

/** The servers of the delivery benchmarks, on a thread of their own. */
export interface Servers {
  readonly ports: Readonly<Record<'raw' | 'io' | 'sync', number>>
  /** Lets the server with delivery send this many messages to a user. Resolves when it has sent them. */
  say(user: string, count: number): Promise<void>
  stop(): void
}

/** Starts the servers. */
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
