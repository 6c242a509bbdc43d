import type { WhenFull } from '../schemas/outbox-rule.js'
import type { StoredMessage } from './store/outbox-store.js'

/** A message that is to be accepted. */
export interface NewMessage {
  readonly type: string
  readonly payload: unknown
  /** Replaces a waiting message of the same type and key. */
  readonly key: string | undefined
  readonly ttlMs: number | undefined
  readonly priority: number
  readonly whenFull: WhenFull
}

/** Makes the form of a message in which it is stored. */
export function createMessage(
  { type, payload, key, ttlMs, priority }: NewMessage,
  id: string,
  acceptedAt: number,
): StoredMessage {
  return {
    id,
    type,
    acceptedAt,
    priority,
    ...(payload !== undefined && { payload }),
    ...(ttlMs !== undefined && { expiresAt: acceptedAt + ttlMs }),
    ...(key !== undefined && { key }),
  }
}
