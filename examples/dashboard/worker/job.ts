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
  /** Where it keeps what it could not say yet: for this server, user and device alone. */
  outboxFolder: string
  /** Rest after each photo, in milliseconds, so that people can watch; 0 for none. */
  paceMs: number
}

/** How far a job is, over all shoots. */
export type JobProgress = { imagesProcessed: number; imagesTotal: number }

/** What became of a job. */
export type WorkerReport = {
  /** The last progress that was reported of each shoot, by its id. */
  shoots: Record<string, ShootProgress>
  /** After the last charge. */
  creditBalance: number
  /** Photos looked at, the broken ones included. */
  imagesProcessed: number
  durationMs: number
  /** Progress from a time without a connection that a later one of the same shoot took the place of. */
  reportsNotSent: number
  delivery: DeliveryReport
}

/** What delivery did for a job. */
export type DeliveryReport = {
  /** Most progress that waited at a time without a way to the server. */
  queuedAtMost: number
  /** Times that the server went on where the worker was. */
  resumes: number
  /** Times that it could not; the first connection of all counts. */
  resets: number
  /** Progress that was sent again, since nobody knew whether it had arrived. */
  retransmissions: number
}

/** What became of a worker's process. */
export type WorkerOutcome =
  | { ok: true; report: WorkerReport }
  /** `message` is for people. */
  | { ok: false; message: string }

/** What a worker's process says: how far it is, again and again, and what became of the job, once. */
export type WorkerMessage = { progress: JobProgress } | { outcome: WorkerOutcome }
