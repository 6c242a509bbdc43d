import * as z from 'zod/mini'

/** The data of `CREDIT_UPDATE`. */
export const creditUpdate = z.object({
  userId: z.string(),
  newBalance: z.number(),
  /** Negative when credits were used. */
  change: z.number(),
  /** May be empty. */
  reason: z.string(),
})

/** The answer of `GET /api/kull/credits/summary`, as far as it is used. */
export const creditSummary = z.object({ balance: z.number() })
