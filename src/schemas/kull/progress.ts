import * as z from 'zod/mini'

/** Where a shoot stands. */
export const shootStatus = z.enum(['queued', 'processing', 'completed', 'failed'])

/**
 * The data of `SHOOT_PROGRESS` and the payload of `UPDATE_PROGRESS`.
 *
 * Deliberately loose: counts that should be whole sometimes are not and may pass each other;
 * older senders leave them out and send only `progress`; the sender's `progress` may lie outside
 * 0 to 1. What it all comes to is computed beside the schema, in `src/kull/shoots.ts`.
 */
export const shootProgress = z.object({
  shootId: z.string(),
  status: shootStatus,
  processedCount: z.optional(z.number()),
  totalCount: z.optional(z.number()),
  currentImage: z.optional(z.string()),
  /** Seconds left. */
  eta: z.optional(z.number()),
  /** Who processes, for example `gpt-5-nano`. */
  provider: z.optional(z.string()),
  errorMessage: z.optional(z.string()),
  /** 0 to 1, from senders that count nothing. */
  progress: z.optional(z.number()),
})
