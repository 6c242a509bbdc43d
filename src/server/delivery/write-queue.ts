import { isThenable } from '../ask.js'
import type { LogDraft } from './log-draft.js'

/** One step of work on a log, done in its turn. No method throws. */
export interface QueuedWrite {
  /** Puts into the draft what is to be written. */
  stage(draft: LogDraft): void
  /** The draft is written. */
  settle(): void
  /** The draft could not be written, or the queue is full: nothing has changed. */
  fail(): void
  /** Called last, when the queue takes the next draft: user code, which may push more, runs here. */
  afterwards?(): void
}

/** What a {@link WriteQueue} writes to. */
export interface WriteTarget {
  /** Called before the first draft, and again before the next while it fails. May give a promise. */
  open(): unknown
  begin(): LogDraft
  /** Writes a draft: done when it returns, or when its promise resolves. */
  commit(draft: LogDraft): unknown
  /** A draft was written. Called before its writes settle. */
  committed(draft: LogDraft): void
  failed(cause: unknown): void
  becameIdle(): void
}

/**
 * Does writes one after another. The writes pushed while a draft is being committed wait, and go
 * into the next draft together. If the target never gives a promise, a write is done when `push`
 * returns.
 */
export class WriteQueue {
  readonly #target: WriteTarget
  readonly #maxWaiting: number
  #waiting: QueuedWrite[] = []
  #isBusy = false
  #isOpened = false

  /** At most `maxWaiting` writes wait; one that is pushed beyond that fails. */
  constructor(maxWaiting: number, target: WriteTarget) {
    this.#maxWaiting = maxWaiting
    this.#target = target
  }

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
      this.#target.becameIdle()
      return
    }
    this.#isBusy = true
    this.#waiting = []
    if (this.#isOpened) {
      this.#write(writes)
      return
    }
    whenDone(
      () => this.#target.open(),
      () => {
        this.#isOpened = true
        this.#write(writes)
      },
      (cause) => this.#fail(writes, cause),
    )
  }

  #write(writes: readonly QueuedWrite[]): void {
    const target = this.#target
    const draft = target.begin()
    for (const write of writes) write.stage(draft)
    whenDone(
      () => target.commit(draft),
      () => {
        target.committed(draft)
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
    this.#target.failed(cause)
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
