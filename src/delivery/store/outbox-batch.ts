import type { StoredMessage, StoredOutcome } from './stored-message.js'

/** What became of a batch. `memory`: the storage does not work, and it is tried again later. */
export type BatchResult = 'stored' | 'memory' | 'lost'

/** What is about to be written about one message. */
export interface BatchedMessage {
  /** Absent: the message is removed. */
  readonly message?: StoredMessage
  /** For the handle that accepted a removed message. */
  readonly outcome?: StoredOutcome
  /** This handle accepted it, and it is not stored yet. */
  readonly isAdded: boolean
}

/** What is written to an outbox in one transaction: all that came since the last one. */
export class OutboxBatch {
  readonly messages = new Map<string, BatchedMessage>()
  /** The outbox's record has changed. */
  hasRecord = false
  readonly #waiting: ((result: BatchResult) => void)[] = []

  get isEmpty(): boolean {
    return this.messages.size === 0 && !this.hasRecord && this.#waiting.length === 0
  }

  /** Whether it adds a message. */
  get hasAdded(): boolean {
    for (const { isAdded } of this.messages.values()) if (isAdded) return true
    return false
  }

  /** Whether it removes a message. */
  hasRemoved(id: string): boolean {
    const batched = this.messages.get(id)
    return batched !== undefined && batched.message === undefined
  }

  add(message: StoredMessage): void {
    this.messages.set(message.id, { message, isAdded: true })
  }

  put(message: StoredMessage): void {
    const isAdded = this.messages.get(message.id)?.isAdded === true
    this.messages.set(message.id, { message, isAdded })
  }

  /** Removes a message. Gives `true` if it was not stored yet: then nothing has to be written. */
  remove(id: string, outcome?: StoredOutcome): boolean {
    if (this.messages.get(id)?.isAdded === true) return this.messages.delete(id)
    this.messages.set(id, { ...(outcome && { outcome }), isAdded: false })
    return false
  }

  /** Resolves with what became of the batch. */
  written(): Promise<BatchResult> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve)
    })
  }

  answer(result: BatchResult): void {
    for (const resolve of this.#waiting.splice(0)) resolve(result)
  }

  /** Takes up a later batch: what it says of a message counts. */
  append(later: OutboxBatch): void {
    for (const [id, { message, outcome, isAdded }] of later.messages) {
      if (message === undefined) this.remove(id, outcome)
      else if (isAdded) this.add(message)
      else this.put(message)
    }
    this.hasRecord ||= later.hasRecord
    this.#waiting.push(...later.#waiting.splice(0))
  }

  /** Forgets all but the messages that this handle accepted: another handle owns the outbox. */
  leaveAdded(): void {
    for (const [id, { isAdded }] of this.messages) if (!isAdded) this.messages.delete(id)
    this.hasRecord = false
    this.answer('lost')
  }
}
