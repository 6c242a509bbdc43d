import type { ClientMark, LogChange, LoggedMessage } from '../log/delivery-log.js'
import { headOf, markKey, type UserLogState } from '../log/user-log.js'
import type { UnnumberedMessage } from './logged-message.js'

/** What is about to be written to one user's log in one change. */
export class LogDraft {
  readonly appended: LoggedMessage[] = []
  /** New marks by {@link markKey}. */
  readonly marks = new Map<string, ClientMark>()
  /** Functions that are called once after all writes of the draft have settled. */
  readonly atEnd = new Set<() => void>()
  trim: LogChange['trim']
  readonly #log: UserLogState

  constructor(log: UserLogState) {
    this.#log = log
  }

  get isEmpty(): boolean {
    return this.appended.length === 0 && this.marks.size === 0 && this.trim === undefined
  }

  /** Gives a message the next number; returns the number. */
  append(message: UnnumberedMessage): number {
    const seq = headOf(this.#log) + this.appended.length + 1
    this.appended.push({ seq, ...message })
    return seq
  }

  /** The mark of an outbox as it will be once the draft is written. */
  mark(key: string): ClientMark | undefined {
    return this.marks.get(key) ?? this.#log.marks.get(key)
  }

  putMark(mark: ClientMark): void {
    this.marks.set(markKey(mark), mark)
  }

  /** The change that writes the draft, and deletes some marks to make room for the new ones. */
  toChange(forget: readonly ClientMark[]): LogChange {
    const { appended, marks, trim } = this
    return {
      epoch: this.#log.epoch,
      ...(appended.length > 0 && { append: appended }),
      ...(marks.size > 0 && { marks: [...marks.values()], forget }),
      ...(trim !== undefined && { trim }),
    }
  }
}
