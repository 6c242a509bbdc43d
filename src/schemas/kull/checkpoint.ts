import * as z from 'zod/mini'
import { creditUpdate } from './credits.js'
import { shootProgress } from './progress.js'
import { promptChange } from './prompts.js'

/** The checkpoint of a Kull state: what the messages to all devices led to. */
export const checkpoint = z.object({
  shoots: z.array(shootProgress),
  lastCreditUpdate: z.optional(creditUpdate),
  lastPromptChange: z.optional(promptChange),
})
