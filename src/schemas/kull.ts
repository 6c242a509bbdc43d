import * as z from 'zod/mini'

/**
 * The payload of `PING` and `PONG` from a client. It may be absent; the server's answer has no data
 * at all.
 */
const pingPayload = z.optional(
  z.object({
    /** Milliseconds since the epoch. */
    timestamp: z.optional(z.number()),
  }),
)

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

/**
 * The data of `DEVICE_CONNECTED` and `DEVICE_DISCONNECTED`.
 *
 * The product's servers may send platform, name and time of connection of a device. The deployed
 * server sends only `deviceId` and `timestamp`.
 */
export const devicePresence = z.object({
  deviceId: z.string(),
  platform: z.optional(z.string()),
  deviceName: z.optional(z.string()),
  /** Milliseconds since the epoch, or ISO 8601. Servers may send either. */
  connectedAt: z.optional(z.union([z.number(), z.string()])),
  /** Milliseconds since the epoch. */
  timestamp: z.optional(z.number()),
})

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

/** The data of `PROMPT_CHANGE`. */
export const promptChange = z.object({
  promptId: z.string(),
  action: z.enum(['created', 'updated', 'deleted', 'voted']),
})

/** The data of `ADMIN_SESSION_UPDATE`, which the server sends to admins only. */
export const adminSessionUpdate = z.object({
  sessionId: z.string(),
  userId: z.optional(z.string()),
  userEmail: z.optional(z.string()),
  action: z.enum(['new_message', 'session_updated']),
  messageCount: z.optional(z.number()),
})

/** The checkpoint of a Kull state: what the messages to all devices led to. */
export const checkpoint = z.object({
  shoots: z.array(shootProgress),
  lastCreditUpdate: z.optional(creditUpdate),
  lastPromptChange: z.optional(promptChange),
})

/** What the Kull server sends. `BATCH` is the envelope's. */
export const receive = {
  SHOOT_PROGRESS: shootProgress,
  CREDIT_UPDATE: creditUpdate,
  PROMPT_CHANGE: promptChange,
  DEVICE_CONNECTED: devicePresence,
  DEVICE_DISCONNECTED: devicePresence,
  ADMIN_SESSION_UPDATE: adminSessionUpdate,
  PING: null,
  PONG: null,
} as const

/** What a Kull client sends. */
export const send = {
  UPDATE_PROGRESS: shootProgress,
  PING: pingPayload,
  PONG: pingPayload,
  SUBSCRIBE: null,
  UNSUBSCRIBE: null,
} as const
