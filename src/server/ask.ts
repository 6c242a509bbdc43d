import type { Clock } from '../base/clock.js'
import { isThenable } from '../base/values.js'

/** A call of user code whose answer decides what happens next. */
export interface Question {
  /** Gives the answer, or a promise of it. May throw. */
  readonly ask: () => unknown
  readonly clock: Clock
  /** How long a promise may take, in milliseconds. */
  readonly timeoutMs: number
  readonly answered: (answer: unknown) => void
  /** There is no answer. `what` completes a sentence that begins with the function's name. */
  readonly failed: (what: string, cause?: unknown) => void
}

/**
 * Calls user code and calls `answered` or `failed` once: before it returns, unless the answer is a
 * promise.
 *
 * @returns A function that abandons the question: nothing is called after it. It tells whether the
 *   question was still open.
 */
export function askUserCode(question: Question): () => boolean {
  const { clock, timeoutMs, answered, failed } = question
  let answer: unknown
  try {
    answer = question.ask()
  } catch (cause) {
    failed('threw', cause)
    return () => false
  }
  if (!isThenable(answer)) {
    answered(answer)
    return () => false
  }
  let isOpen = true
  const timer = clock.setTimeout(() => {
    if (end()) failed(`gave no answer within ${timeoutMs} ms`)
  }, timeoutMs)

  function end(): boolean {
    if (!isOpen) return false
    isOpen = false
    clock.clearTimeout(timer)
    return true
  }

  answer.then(
    (value) => {
      if (end()) answered(value)
    },
    (cause: unknown) => {
      if (end()) failed('rejected', cause)
    },
  )
  return end
}
