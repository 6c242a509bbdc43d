import { isThenable } from '../../base/values.js'
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

/** One step of work on a log, done in its turn. No method throws. */
export interface QueuedWrite {
  /** Puts into the draft what is to be written. */
  stage?(draft: LogDraft): void
  /** The draft is written. */
  settle(): void
  /** The draft could not be written, or the queue is full: nothing has changed. */
  fail(): void
  /** Called last, when the queue takes the next draft: user code, which may push more, runs here. */
  readonly afterwards?: (() => void) | undefined
}

/**
 * Does writes one after another. The writes pushed while a draft is being committed wait, and go
 * into the next draft together. If no answer of a subclass is a promise, a write is done when
 * `push` returns.
 */
export abstract class WriteQueue {
  readonly #maxWaiting: number
  #waiting: QueuedWrite[] = []
  #isBusy = false
  #isOpened = false

  /** At most `maxWaiting` writes wait; one that is pushed beyond that fails. */
  constructor(maxWaiting: number) {
    this.#maxWaiting = maxWaiting
  }

  /** Called before the first draft, and again before the next while it fails. May give a promise. */
  protected abstract open(): unknown
  protected abstract begin(): LogDraft
  /** Writes a draft: done when it returns, or when its promise resolves. */
  protected abstract commit(draft: LogDraft): unknown
  /** A draft was written. Called before its writes settle. */
  protected abstract committed(draft: LogDraft): void
  protected abstract failed(cause: unknown): void
  protected abstract becameIdle(): void

  get isIdle(): boolean {
    return !this.#isBusy && this.#waiting.length === 0
  }

  push(write: QueuedWrite): void {
    if (this.#waiting.length >= this.#maxWaiting) {
      write.fail()
      return
    }
    this.#waiting.push(write)
    this.#run()
  }

  #run(): void {
    if (this.#isBusy) return
    const writes = this.#waiting
    if (writes.length === 0) {
      this.becameIdle()
      return
    }
    this.#isBusy = true
    this.#waiting = []
    if (this.#isOpened) {
      this.#write(writes)
      return
    }
    whenDone(
      () => this.open(),
      () => {
        this.#isOpened = true
        this.#write(writes)
      },
      (cause) => this.#fail(writes, cause),
    )
  }

  #write(writes: readonly QueuedWrite[]): void {
    const draft = this.begin()
    for (const write of writes) write.stage?.(draft)
    whenDone(
      () => this.commit(draft),
      () => {
        this.committed(draft)
        for (const write of writes) write.settle()
        for (const run of draft.atEnd) run()
        this.#isBusy = false
        for (const write of writes) write.afterwards?.()
        this.#run()
      },
      (cause) => this.#fail(writes, cause),
    )
  }

  #fail(writes: readonly QueuedWrite[], cause: unknown): void {
    this.failed(cause)
    for (const write of writes) write.fail()
    this.#isBusy = false
    this.#run()
  }
}

// Calls back before it returns where there is no promise: `await` would always wait.
function whenDone(run: () => unknown, done: () => void, failed: (cause: unknown) => void): void {
  let result: unknown
  try {
    result = run()
  } catch (cause) {
    failed(cause)
    return
  }
  if (isThenable(result)) result.then(done, failed)
  else done()
}
