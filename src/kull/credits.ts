import type * as z from 'zod/mini'
import type { creditUpdate } from '../schemas/kull.js'

/** The data of `CREDIT_UPDATE`. `change` is negative when credits were used. */
export type CreditUpdate = z.output<typeof creditUpdate>
