import { join } from 'node:path'
import type { WorkerJob } from '../worker/job.js'
import { startWorker, type WorkerProcess } from '../worker/worker-process.js'
import type { WorkerStatus } from './controls.js'
import type { EnvironmentServer } from './environment-server.js'

/** The demo's one worker: at most one job at a time, since it is the one who keeps the accounts. */
export type WorkerDesk = {
  readonly status: WorkerStatus
  /** Starts the worker in an environment; gives false where it is at work already. */
  run(environment: EnvironmentServer): boolean
  /** Ends it, and no other follows. */
  close(): Promise<void>
}

/**
 * Makes the desk of a worker that does the same job again and again. Below `outboxFolder` each
 * environment has one of its own: what one run was stopped before it could say, the next one says.
 */
export function createWorkerDesk(job: Omit<WorkerJob, 'webSocketUrl' | 'httpUrl'>): WorkerDesk {
  let status: WorkerStatus = { state: 'idle' }
  let current: WorkerProcess | undefined
  let isClosed = false

  return {
    get status() {
      return status
    },
    run({ name, webSocketUrl, httpUrl }) {
      if (current !== undefined || isClosed) return false
      status = { state: 'working', environment: name }
      const worker = startWorker({
        ...job,
        webSocketUrl,
        httpUrl,
        outboxFolder: join(job.outboxFolder, name),
      })
      current = worker
      void worker.outcome.then((outcome) => {
        current = undefined
        if (outcome.ok) {
          const { imagesProcessed, durationMs } = outcome.report
          status = { state: 'finished', imagesProcessed, durationMs }
        } else {
          status = { state: 'failed', message: outcome.message }
        }
      })
      return true
    },
    async close() {
      isClosed = true
      await current?.stop()
    },
  }
}
