import type { ClientMark, LogChange, LoggedMessage } from '../log/delivery-log.js'
import { headOf, markKey, type UserLogState } from '../log/user-log.js'
import type { UnnumberedMessage } from './logged-message.js'

/** What is about to be written to one user's log in one change, and what follows once it is. */
export class LogDraft {
  /** What plain clients are sent afterwards, each entry in one step. */
  readonly published: (readonly UnnumberedMessage[])[] = []
  /** What clients are answered afterwards. No function throws. */
  readonly answers: (() => void)[] = []
  /** Handlers of messages, which run last. No function throws. */
  readonly handlers: (() => void)[] = []
  readonly appended: LoggedMessage[] = []
  /** New marks by {@link markKey}. */
  readonly marks = new Map<string, ClientMark>()
  trim: LogChange['trim']
  readonly #log: UserLogState

  constructor(log: UserLogState) {
    this.#log = log
  }

  /** Gives messages the next numbers; returns the last number. */
  publish(messages: readonly UnnumberedMessage[]): number {
    this.published.push(messages)
    let seq = headOf(this.#log) + this.appended.length
    for (const message of messages) {
      seq += 1
      this.appended.push({ seq, ...message })
    }
    return seq
  }

  /** The mark of an outbox as it will be once the draft is written. */
  mark(key: string): ClientMark | undefined {
    return this.marks.get(key) ?? this.#log.marks.get(key)
  }

  putMark(mark: ClientMark): void {
    this.marks.set(markKey(mark), mark)
  }

  /**
   * The change that writes the draft, and deletes some marks to make room for the new ones;
   * `undefined` if there is nothing to write.
   */
  toChange(forget: readonly ClientMark[]): LogChange | undefined {
    const { appended, marks, trim } = this
    if (appended.length === 0 && marks.size === 0 && trim === undefined) return undefined
    return {
      epoch: this.#log.epoch,
      ...(appended.length > 0 && { append: appended }),
      ...(marks.size > 0 && { marks: [...marks.values()], forget }),
      ...(trim !== undefined && { trim }),
    }
  }
}
