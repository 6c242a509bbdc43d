import type * as z from 'zod/mini'
import type { promptChange } from '../schemas/kull/prompts.js'

/** What `PROMPT_CHANGE` says. */
export type PromptChange = z.output<typeof promptChange>
