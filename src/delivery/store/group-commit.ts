/** Hands something to the next commit; settles with it. */
export type Commit<T> = (item: T) => Promise<void>

/**
 * Gathers what comes in while a commit is under way for the next one, in order: a flush to disk
 * takes as long for one as for many. A commit that fails rejects for all that were in it.
 */
export function createGroupCommit<T>(commit: (items: readonly T[]) => Promise<void>): Commit<T> {
  let waiting: T[] = []
  let next: Promise<void> | undefined
  let last: Promise<unknown> = Promise.resolve()

  function runNext(): Promise<void> {
    const items = waiting
    waiting = []
    next = undefined
    return commit(items)
  }

  return (item) => {
    waiting.push(item)
    if (next === undefined) {
      next = last.then(runNext)
      last = next.catch(() => undefined)
    }
    return next
  }
}
