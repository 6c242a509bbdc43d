import type * as z from 'zod/mini'
import { createSummary } from '../base/map-summary.js'
import type { PersistentMap } from '../base/persistent-map.js'
import type { shootProgress, shootStatus } from '../schemas/kull.js'

/** The status of a shoot. */
export type ShootStatus = z.output<typeof shootStatus>

/** The data of `SHOOT_PROGRESS` and `UPDATE_PROGRESS`. */
export type ShootProgress = z.output<typeof shootProgress>

/** A shoot, as of the last message about it. */
export interface Shoot {
  readonly shootId: string
  readonly status: ShootStatus
  /** `undefined` if the sender does not count. May be a fraction, or more than `totalCount`. */
  readonly processedCount: number | undefined
  readonly totalCount: number | undefined
  readonly currentImage: string | undefined
  /** Seconds left. */
  readonly eta: number | undefined
  /** The service that processes the shoot. */
  readonly provider: string | undefined
  readonly errorMessage: string | undefined
  /** From 0 to 1: from the counts, or without counts as the sender gave it. */
  readonly progress: number
}

/** Makes a shoot from the data of a message. */
export function createShoot(data: ShootProgress): Shoot {
  // Field by field, as a spread costs ten times as much and this runs for each message.
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

/** Whether a shoot has completed or failed. */
export function isFinished(shoot: Shoot): boolean {
  return shoot.status === 'completed' || shoot.status === 'failed'
}

/** The sums over the shoots that are `processing`. */
export interface ProcessingTotals {
  /** How many shoots are `processing`. */
  readonly shoots: number
  readonly processed: number
  readonly total: number
}

/** Adds up the shoots that are `processing`. A shoot without counts adds no images. */
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

/** Limits a number to the range from 0 to 1. */
export function toFraction(value: number): number {
  return Math.min(Math.max(value, 0), 1)
}
