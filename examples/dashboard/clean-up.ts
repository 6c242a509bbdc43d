/** Actions that run at the end, the latest first. */
export type CleanUp = AsyncDisposable & { defer(undo: () => unknown): void }

/**
 * Makes an empty {@link CleanUp}. It runs every action, even if one fails, and then throws the
 * first error.
 */
export function createCleanUp(): CleanUp {
  const undos: (() => unknown)[] = []
  return {
    defer(undo) {
      undos.push(undo)
    },
    async [Symbol.asyncDispose]() {
      const errors: unknown[] = []
      for (let undo = undos.pop(); undo !== undefined; undo = undos.pop()) {
        try {
          await undo()
        } catch (error) {
          errors.push(error)
        }
      }
      if (errors.length > 0) throw new AggregateError(errors, 'Not everything could be cleaned up')
    },
  }
}
