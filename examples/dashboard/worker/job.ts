import type { ShootProgress } from 'statewire/kull'

/** A worker's task, and the identity that it works as. */
export type WorkerJob = {
  /** The folder with the photos. The worker only reads it. */
  folder: string
  userId: string
  deviceId: string
  webSocketUrl: string
  httpUrl: string
  /** The secret with which the worker may charge credits. */
  secret: string
  /** The folder of the worker's outbox, for this server, user and device only. */
  outboxFolder: string
  /** The pause after each photo, in ms, so that people can watch; 0 for none. */
  paceMs: number
}

/** The progress of a job, over all shoots. */
export type JobProgress = { imagesProcessed: number; imagesTotal: number }

/** The result of a job. */
export type WorkerReport = {
  /** The last reported progress of each shoot, by its id. */
  shoots: Record<string, ShootProgress>
  /** The balance after the last charge. */
  creditBalance: number
  /** How many photos were processed, broken ones included. */
  imagesProcessed: number
  durationMs: number
  /** How many reports were replaced, while offline, by a later one of the same shoot. */
  reportsNotSent: number
  delivery: DeliveryReport
}

/** The counts of delivery for a job. */
export type DeliveryReport = {
  /** The highest number of reports that waited in the outbox at the same time. */
  queuedAtMost: number
  /** How often a reconnect resumed. */
  resumes: number
  /** How often it could not resume; the first connection counts too. */
  resets: number
  /** How many reports were transmitted again, since they might not have arrived. */
  retransmissions: number
}

/** The result of a worker's process. */
export type WorkerOutcome =
  | { ok: true; report: WorkerReport }
  /** `message` is for people. */
  | { ok: false; message: string }

/** What a worker's process sends: its progress many times, and its result once. */
export type WorkerMessage = { progress: JobProgress } | { outcome: WorkerOutcome }
