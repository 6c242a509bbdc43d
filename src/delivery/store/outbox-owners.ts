import { promised } from '../../storage/store.js'
import type { OutboxCalls } from './outbox-calls.js'
import type { OutboxCopy } from './outbox-contents.js'
import type { GuardedOutbox, OwnedOutbox } from './outbox-store.js'

// The two kinds of owner of a guarded outbox.

/** What {@link ownStored} uses. */
export interface StoredOwnerParts {
  readonly copy: OutboxCopy
  readonly calls: OutboxCalls
  /** How long a write or a release may take, in milliseconds. */
  readonly limitMs: number
  /** Called once. */
  readonly onEnded: (reason: 'released' | 'lost') => void
}

/**
 * Makes the owner of a stored outbox, with which the copy has begun. It continues in memory if
 * the storage fails.
 */
export function ownStored(
  stored: OwnedOutbox,
  { copy, calls, limitMs, onEnded }: StoredOwnerParts,
): GuardedOutbox {
  let hasEnded = false

  function end(reason: 'released' | 'lost'): void {
    hasEnded = true
    stored.lost.removeEventListener('abort', lose)
    onEnded(reason)
  }
  function lose(): void {
    copy.leaveStored()
    end('lost')
  }
  if (stored.lost.aborted) lose()
  else stored.lost.addEventListener('abort', lose)

  return {
    fence: stored.fence,
    identity: stored.identity,
    messages: copy.messages,
    lost: stored.lost,
    async write(change) {
      if (hasEnded || calls.isClosed()) return 'lost'
      const { put = [], remove = [] } = change
      const added = put.filter(({ id }) => !copy.has(id))
      if (calls.hasFailed()) {
        // Nobody waits for this, but it may still succeed.
        const known = remove.filter(({ id }) => copy.isStored(id))
        if (known.length > 0) promised(() => stored.write({ remove: known })).catch(() => undefined)
      }
      copy.apply(change)
      if (calls.hasFailed()) return 'done'
      const settled = await calls.run(limitMs, async () => {
        await stored.write(change)
        copy.noteStored(put)
      })
      if (settled.kind === 'value') return 'done'
      if (stored.lost.aborted) {
        // The storage changed nothing, so no other handle has the messages of this change.
        copy.apply({ remove: added.map(({ id }) => ({ id, outcome: { outcome: 'lost' } })) })
        return 'lost'
      }
      if (calls.isClosed()) return 'lost'
      calls.fail('write', settled)
      return 'done'
    },
    async release() {
      if (hasEnded) return
      // The next owner gets what is stored. This handle keeps what could not be stored.
      if (calls.hasFailed()) copy.leaveStored()
      end('released')
      await calls.attempt('release', limitMs, () => stored.release())
    },
  }
}

/** Makes an owner of what the copy in memory has, until it is released or the outbox is closed. */
export function ownCopy(
  fence: number,
  copy: OutboxCopy,
  calls: OutboxCalls,
  onReleased: () => void,
): GuardedOutbox {
  let isReleased = false
  return {
    fence,
    identity: copy.identity,
    messages: copy.messages,
    lost: new AbortController().signal,
    write(change) {
      if (isReleased || calls.isClosed()) return Promise.resolve('lost')
      copy.apply(change)
      return Promise.resolve('done')
    },
    release() {
      isReleased = true
      onReleased()
      return Promise.resolve()
    },
  }
}
