import * as z from 'zod/mini'

/** The data of `ADMIN_SESSION_UPDATE`, which the server sends to admins only. */
export const adminSessionUpdate = z.object({
  sessionId: z.string(),
  userId: z.optional(z.string()),
  userEmail: z.optional(z.string()),
  action: z.enum(['new_message', 'session_updated']),
  messageCount: z.optional(z.number()),
})
