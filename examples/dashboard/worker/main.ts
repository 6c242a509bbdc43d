// The worker's process: it receives one job from its parent process, and sends its progress and its
// result.
import type { WorkerJob, WorkerMessage, WorkerOutcome } from './job.js'
import { work } from './work.js'

const controller = new AbortController()

function stop(): void {
  controller.abort(new Error('The worker was stopped'))
}

// A worker ends when its parent process has ended.
process.once('disconnect', stop)
process.once('SIGINT', stop)
process.once('SIGTERM', stop)

process.once('message', (job) => {
  void run(job as WorkerJob).then((outcome) => {
    say({ outcome }, () => process.disconnect())
  })
})

function say(message: WorkerMessage, done = () => {}): void {
  if (process.connected) process.send?.(message, done)
}

async function run(job: WorkerJob): Promise<WorkerOutcome> {
  try {
    const report = await work(job, {
      signal: controller.signal,
      onProgress: (progress) => say({ progress }),
      onError: (error: Error) => console.error(error),
    })
    return { ok: true, report }
  } catch (error) {
    return { ok: false, message: error instanceof Error ? error.message : String(error) }
  }
}
