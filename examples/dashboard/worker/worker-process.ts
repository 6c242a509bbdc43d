import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { JobProgress, WorkerJob, WorkerMessage, WorkerOutcome } from './job.js'

/** A worker in its own process, which works from the start. */
export type WorkerProcess = {
  /** The result of the job, after the process has ended. Never rejects. */
  readonly outcome: Promise<WorkerOutcome>
  /**
   * Ends the process after it has told the devices, or after a bound. Resolves when it has ended.
   */
  stop(): Promise<void>
}

/** How long a worker has to tell the devices before it is killed. */
const graceMs = 4_000

/**
 * Starts a worker on a job. Its output goes to standard error, since standard output is for
 * results. `onProgress` is called when the worker has begun, and after each photo.
 */
export function startWorker(
  job: WorkerJob,
  onProgress?: (progress: JobProgress) => void,
): WorkerProcess {
  const main = fileURLToPath(new URL('./main.ts', import.meta.url))
  const child = fork(main, { stdio: ['ignore', 2, 2, 'ipc'] })

  const outcome = new Promise<WorkerOutcome>((resolve) => {
    let said: WorkerOutcome | undefined
    child.on('message', (message) => {
      // Both processes run the same build, so the message needs no check.
      const heard = message as WorkerMessage
      if ('outcome' in heard) said = heard.outcome
      else onProgress?.(heard.progress)
    })
    child.once('error', (error) => {
      resolve({ ok: false, message: `The worker could not be started: ${error.message}` })
    })
    child.once('exit', (code, signal) => {
      const how = signal === null ? `with code ${code ?? 0}` : `by ${signal}`
      resolve(said ?? { ok: false, message: `The worker ended ${how}` })
    })
  })
  child.send(job, (error) => {
    // The process is ending; the event `exit` follows.
    if (error !== null) child.kill()
  })

  return {
    outcome,
    async stop() {
      child.kill()
      const timer = setTimeout(() => child.kill('SIGKILL'), graceMs)
      await outcome
      clearTimeout(timer)
    },
  }
}
