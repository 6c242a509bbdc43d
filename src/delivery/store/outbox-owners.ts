import { promised } from '../../storage/store.js'
import type { OutboxCalls } from './outbox-calls.js'
import type { OutboxCopy } from './outbox-copy.js'
import type { GuardedOutbox } from './outbox-guarded.js'
import type { KeptMessage, OutboxChange, OutboxIdentity, OwnedOutbox } from './outbox-store.js'

/** Options of {@link StoredOwner}. */
export interface StoredOwnerOptions {
  readonly stored: OwnedOutbox
  readonly copy: OutboxCopy
  readonly calls: OutboxCalls
  /** The time limit of a write or a release, in milliseconds. */
  readonly limitMs: number
  /** Called once, when the ownership ends. */
  readonly onEnded: (reason: 'released' | 'lost') => void
}

/** Owns a stored outbox. It goes on in memory if the storage fails. */
export class StoredOwner implements GuardedOutbox {
  readonly fence: number
  readonly identity: OutboxIdentity | undefined
  readonly messages: readonly KeptMessage[]
  readonly lost: AbortSignal
  readonly #stored: OwnedOutbox
  readonly #copy: OutboxCopy
  readonly #calls: OutboxCalls
  readonly #limitMs: number
  readonly #onEnded: (reason: 'released' | 'lost') => void
  #hasEnded = false
  readonly #lose = (): void => {
    this.#copy.leaveStored()
    this.#end('lost')
  }

  /** Makes the owner of an outbox that `copy` has begun with. */
  constructor({ stored, copy, calls, limitMs, onEnded }: StoredOwnerOptions) {
    this.fence = stored.fence
    this.identity = stored.identity
    this.lost = stored.lost
    this.#stored = stored
    this.#copy = copy
    this.#calls = calls
    this.#limitMs = limitMs
    this.#onEnded = onEnded
    if (stored.lost.aborted) this.#lose()
    else stored.lost.addEventListener('abort', this.#lose)
    this.messages = copy.messages
  }

  async write(change: OutboxChange): Promise<'done' | 'lost'> {
    if (this.#hasEnded || this.#calls.isClosed()) return 'lost'
    const added = (change.put ?? []).filter(({ id }) => !this.#copy.has(id))
    if (this.#calls.hasFailed()) this.#removeStored(change)
    this.#copy.apply(change)
    if (this.#calls.hasFailed()) return 'done'
    const settled = await this.#calls.run(this.#limitMs, async () => {
      await this.#stored.write(change)
      this.#copy.noteStored(change.put ?? [])
    })
    if (settled.kind === 'value') return 'done'
    if (this.lost.aborted) {
      // The storage changed nothing, so no other handle has the messages of this change.
      this.#copy.apply({ remove: added.map(({ id }) => ({ id, outcome: { outcome: 'lost' } })) })
      return 'lost'
    }
    if (this.#calls.isClosed()) return 'lost'
    this.#calls.fail('write', settled)
    return 'done'
  }

  async release(): Promise<void> {
    if (this.#hasEnded) return
    // The next owner gets what is stored. This handle keeps what could not be stored.
    if (this.#calls.hasFailed()) this.#copy.leaveStored()
    this.#end('released')
    await this.#calls.attempt('release', this.#limitMs, () => this.#stored.release())
  }

  #end(reason: 'released' | 'lost'): void {
    this.#hasEnded = true
    this.lost.removeEventListener('abort', this.#lose)
    this.#onEnded(reason)
  }

  // The storage has failed already, so nobody waits for this. It may still succeed.
  #removeStored({ remove = [] }: OutboxChange): void {
    const known = remove.filter(({ id }) => this.#copy.isStored(id))
    if (known.length === 0) return
    promised(() => this.#stored.write({ remove: known })).catch(() => undefined)
  }
}

/** Owns what the copy in memory has, until it is released or the outbox is closed. */
export class MemoryOwner implements GuardedOutbox {
  readonly fence: number
  readonly identity: OutboxIdentity | undefined
  readonly messages: readonly KeptMessage[]
  /** Never aborts. */
  readonly lost: AbortSignal = new AbortController().signal
  readonly #copy: OutboxCopy
  readonly #calls: OutboxCalls
  readonly #onReleased: () => void
  #isReleased = false

  constructor(fence: number, copy: OutboxCopy, calls: OutboxCalls, onReleased: () => void) {
    this.fence = fence
    this.identity = copy.identity
    this.messages = copy.messages
    this.#copy = copy
    this.#calls = calls
    this.#onReleased = onReleased
  }

  write(change: OutboxChange): Promise<'done' | 'lost'> {
    if (this.#isReleased || this.#calls.isClosed()) return Promise.resolve('lost')
    this.#copy.apply(change)
    return Promise.resolve('done')
  }

  release(): Promise<void> {
    this.#isReleased = true
    this.#onReleased()
    return Promise.resolve()
  }
}
