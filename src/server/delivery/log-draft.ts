import type { ClientMark, LogChange, LoggedMessage } from '../log/delivery-log.js'
import { headOf, markKey, type UserLogState } from '../log/user-log.js'
import type { UnnumberedMessage } from './logged-message.js'

/** Writes drafts to one user's log. */
export interface LogWriter {
  /** The mark of an outbox, as the log has it. */
  mark(key: string): ClientMark | undefined
  /**
   * Calls `stage` with the next draft, writes the draft, and does what follows from it. Resolves
   * with whether it was written: not if the log fails, or if too many writes wait. `stage` may not
   * be called then.
   */
  write(stage: (draft: LogDraft) => void): Promise<boolean>
}

/** What is about to be written to one user's log in one change, and what follows once it is. */
export class LogDraft {
  readonly appended: LoggedMessage[] = []
  /** New marks by {@link markKey}. */
  readonly marks = new Map<string, ClientMark>()
  trim: LogChange['trim']
  /** What clients are answered. */
  readonly answers: (() => void)[] = []
  /** What plain clients are sent, each entry in one step. */
  readonly published: (readonly UnnumberedMessage[])[] = []
  /** The handlers of messages, which run last. */
  readonly handlers: (() => void)[] = []
  readonly #log: UserLogState

  constructor(log: UserLogState) {
    this.#log = log
  }

  /** Gives messages the next numbers; returns the last number. */
  publish(messages: readonly UnnumberedMessage[]): number {
    this.published.push(messages)
    let seq = headOf(this.#log) + this.appended.length
    for (const message of messages) this.appended.push({ seq: (seq += 1), ...message })
    return seq
  }

  /** The mark of an outbox as it will be once the draft is written. */
  mark(key: string): ClientMark | undefined {
    return this.marks.get(key) ?? this.#log.marks.get(key)
  }

  putMark(mark: ClientMark): void {
    this.marks.set(markKey(mark), mark)
  }
}
