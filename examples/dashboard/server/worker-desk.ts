import { join } from 'node:path'
import type { WorkerJob } from '../worker/job.js'
import { startWorker, type WorkerProcess } from '../worker/worker-process.js'
import type { WorkerStatus } from './controls.js'
import type { EnvironmentServer } from './environment-server.js'

/** Runs the demo's one worker, one job at a time: two workers would mix up the accounts. */
export type WorkerDesk = {
  readonly status: WorkerStatus
  /** Starts the worker in an environment. Returns false if it is already working. */
  run(environment: EnvironmentServer): boolean
  /** Ends the worker for good. */
  close(): Promise<void>
}

/**
 * Makes the desk of a worker that repeats the same job. Each environment has its own folder below
 * `outboxFolder`: messages that a stopped run could not send are sent by the next one.
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
