import { isThenable } from '../reporting.js'

/** One thing to be done, in its turn. No function throws. */
export interface Work<Draft> {
  /** Puts into the draft what is to be written. */
  stage(draft: Draft): void
  /** It is written. */
  settle(): void
  /** It could not be, and nothing has changed. */
  fail(): void
  /** Once the lane is free again: for the user's code, which may ask for more. */
  afterwards?(): void
}

/**
 * One thing after another. What comes while something is being written waits, and is then written
 * in one go. Where nothing waits for a promise, all is done when `push` returns.
 */
export interface Lane<Draft> {
  readonly isIdle: boolean
  push(work: Work<Draft>): void
}

/** What {@link createLane} needs. */
export interface LaneOptions<Draft> {
  /** Runs before the first draft, and again while it fails. */
  readonly start: () => unknown
  readonly begin: () => Draft
  /** Writes a draft: done when it returns, or when its promise is. */
  readonly commit: (draft: Draft) => unknown
  /** A draft was written; comes before the works settle. */
  readonly committed: (draft: Draft) => void
  /** The works of a draft have settled. */
  readonly settled: (draft: Draft) => void
  readonly failed: (cause: unknown) => void
  readonly becameIdle: () => void
  /** How many works may wait; beyond it they fail. */
  readonly limit: number
}

/** Makes an idle {@link Lane}. */
export function createLane<Draft>(options: LaneOptions<Draft>): Lane<Draft> {
  let queue: Work<Draft>[] = []
  let isBusy = false
  let isStarted = false

  function run(): void {
    if (isBusy) return
    const works = queue
    if (works.length === 0) {
      options.becameIdle()
      return
    }
    isBusy = true
    queue = []
    const failed = (cause: unknown) => {
      options.failed(cause)
      for (const work of works) work.fail()
      finish([])
    }
    if (isStarted) write(works, failed)
    else {
      whenDone(
        options.start,
        () => {
          isStarted = true
          write(works, failed)
        },
        failed,
      )
    }
  }

  function write(works: readonly Work<Draft>[], failed: (cause: unknown) => void): void {
    const draft = options.begin()
    for (const work of works) work.stage(draft)
    whenDone(
      () => options.commit(draft),
      () => {
        options.committed(draft)
        for (const work of works) work.settle()
        options.settled(draft)
        finish(works)
      },
      failed,
    )
  }

  function finish(works: readonly Work<Draft>[]): void {
    isBusy = false
    for (const work of works) work.afterwards?.()
    run()
  }

  return {
    get isIdle() {
      return !isBusy && queue.length === 0
    },
    push(work) {
      if (queue.length >= options.limit) {
        work.fail()
        return
      }
      queue.push(work)
      run()
    },
  }
}

// At once where it can be: `await` would put off even what is there.
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
