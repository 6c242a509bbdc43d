import type * as z from 'zod/mini'
import type { promptChange } from '../schemas/kull.js'

/** The data of `PROMPT_CHANGE`. */
export type PromptChange = z.output<typeof promptChange>
