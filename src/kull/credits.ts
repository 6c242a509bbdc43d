import type * as z from 'zod/mini'
import type { creditUpdate } from '../schemas/kull/credits.js'

/** What `CREDIT_UPDATE` says. `change` is negative when credits were used. */
export type CreditUpdate = z.output<typeof creditUpdate>
