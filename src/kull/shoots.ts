import type * as z from 'zod/mini'
import { createSummary } from '../base/map-summary.js'
import type { PersistentMap } from '../base/persistent-map.js'
import type { shootProgress, shootStatus } from '../schemas/kull/progress.js'

/** Where a shoot stands. */
export type ShootStatus = z.output<typeof shootStatus>

/** What `SHOOT_PROGRESS` and `UPDATE_PROGRESS` say. */
export type ShootProgress = z.output<typeof shootProgress>

/** A shoot, as the last message about it said. */
export interface Shoot {
  readonly shootId: string
  readonly status: ShootStatus
  /** `undefined` from senders that count nothing; may pass `totalCount`, and need not be whole. */
  readonly processedCount: number | undefined
  readonly totalCount: number | undefined
  readonly currentImage: string | undefined
  /** Seconds left. */
  readonly eta: number | undefined
  /** Who processes it. */
  readonly provider: string | undefined
  readonly errorMessage: string | undefined
  /** From 0 to 1: of the counts, or without counts what the sender said. */
  readonly progress: number
}

/** Makes the entry of a shoot from what a message says of it. */
export function createShoot(data: ShootProgress): Shoot {
  // Field by field: a spread costs ten times as much, and this runs once per message.
  return {
    shootId: data.shootId,
    status: data.status,
    processedCount: data.processedCount,
    totalCount: data.totalCount,
    currentImage: data.currentImage,
    eta: data.eta,
    provider: data.provider,
    errorMessage: data.errorMessage,
    progress: progressOf(data),
  }
}

/** Whether a shoot has come to its end, one way or the other. */
export function isFinished(shoot: Shoot): boolean {
  return shoot.status === 'completed' || shoot.status === 'failed'
}

/** What the shoots in process come to. */
export interface ProcessingTotals {
  /** How many shoots are `processing`. */
  readonly shoots: number
  readonly processed: number
  readonly total: number
}

/** Adds up the shoots that are `processing`; one without counts adds nothing to the images. */
export const sumProcessing: (shoots: PersistentMap<Shoot>) => ProcessingTotals = createSummary<
  Shoot,
  ProcessingTotals
>({
  empty: { shoots: 0, processed: 0, total: 0 },
  of({ status, processedCount, totalCount }) {
    const isCounted = processedCount !== undefined && totalCount !== undefined
    return {
      shoots: status === 'processing' ? 1 : 0,
      processed: status === 'processing' && isCounted ? processedCount : 0,
      total: status === 'processing' && isCounted ? totalCount : 0,
    }
  },
  combine: (left, right) => ({
    shoots: left.shoots + right.shoots,
    processed: left.processed + right.processed,
    total: left.total + right.total,
  }),
})

function progressOf({ processedCount, totalCount, progress }: ShootProgress): number {
  if (processedCount === undefined || totalCount === undefined) return toFraction(progress ?? 0)
  return totalCount === 0 ? 0 : toFraction(processedCount / totalCount)
}

/** Holds a number between 0 and 1. */
export function toFraction(value: number): number {
  return Math.min(Math.max(value, 0), 1)
}
