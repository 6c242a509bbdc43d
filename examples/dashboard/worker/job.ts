import type { ShootProgress } from 'statewire/kull'

/** What a worker has to do, and as whom. */
export type WorkerJob = {
  /** Holds the photos; they are read and nothing else. */
  folder: string
  userId: string
  deviceId: string
  webSocketUrl: string
  httpUrl: string
  /** Shows the server that it may charge. */
  secret: string
  /** Rest after each photo, in milliseconds, so that people can watch; 0 for none. */
  paceMs: number
}

/** What became of a job. */
export type WorkerReport = {
  /** The last progress that was reported of each shoot, by its id. */
  shoots: Record<string, ShootProgress>
  /** After the last charge. */
  creditBalance: number
  /** Photos looked at, the broken ones included. */
  imagesProcessed: number
  durationMs: number
  /** Progress that could not be sent when it was new; the latest was sent after the reconnect. */
  reportsNotSent: number
}

/** What a worker's process says, once. */
export type WorkerOutcome =
  | { ok: true; report: WorkerReport }
  /** `message` is for people. */
  | { ok: false; message: string }
