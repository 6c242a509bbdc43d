import { adminSessionUpdate } from './admin.js'
import { pingPayload } from './control.js'
import { creditUpdate } from './credits.js'
import { devicePresence } from './devices.js'
import { shootProgress } from './progress.js'
import { promptChange } from './prompts.js'

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

export { checkpoint } from './checkpoint.js'
export { creditSummary } from './credits.js'
