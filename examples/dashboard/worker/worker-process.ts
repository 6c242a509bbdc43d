import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { JobProgress, WorkerJob, WorkerMessage, WorkerOutcome } from './job.js'

/** A worker in a process of its own, at work from the start. */
export type WorkerProcess = {
  /** What became of the job, once the process is gone; never rejects. */
  readonly outcome: Promise<WorkerOutcome>
  /** Ends it: with time to tell the devices, but not for ever. Resolves once it is gone. */
  stop(): Promise<void>
}

/** How long a worker has to say goodbye. */
const graceMs = 4_000

/**
 * Starts a worker on a job. What it prints goes to standard error, since standard output is for
 * results. `onProgress` hears how far it is: once it can begin, and after each photo.
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
      // Both are of one build.
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
    // It is on its way out, and `exit` will say so.
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
