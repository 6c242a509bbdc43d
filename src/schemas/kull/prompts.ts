import * as z from 'zod/mini'

/** The data of `PROMPT_CHANGE`. */
export const promptChange = z.object({
  promptId: z.string(),
  action: z.enum(['created', 'updated', 'deleted', 'voted']),
})
