import * as z from 'zod/mini'

/** The status of a shoot. */
export const shootStatus = z.enum(['queued', 'processing', 'completed', 'failed'])

/**
 * The data of `SHOOT_PROGRESS` and the payload of `UPDATE_PROGRESS`.
 *
 * Deliberately loose. Counts are sometimes not whole, and `processedCount` may be above `totalCount`.
 * Older senders leave the counts out and send only `progress`, which may lie outside 0 to 1.
 * `src/kull/shoots.ts` computes the progress from these values.
 */
export const shootProgress = z.object({
  shootId: z.string(),
  status: shootStatus,
  processedCount: z.optional(z.number()),
  totalCount: z.optional(z.number()),
  currentImage: z.optional(z.string()),
  /** Seconds left. */
  eta: z.optional(z.number()),
  /** What processes the shoot, for example `gpt-5-nano`. */
  provider: z.optional(z.string()),
  errorMessage: z.optional(z.string()),
  /** 0 to 1, from senders without counts. */
  progress: z.optional(z.number()),
})
