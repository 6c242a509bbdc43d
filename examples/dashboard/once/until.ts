/** Something that reports its changes. */
export type Changing = { onChange: (listener: () => void) => () => void }

/**
 * Resolves to true when a condition holds, or to false if it does not hold in time. Rejects when
 * aborted.
 */
export function until(
  holds: () => boolean,
  watched: readonly Changing[],
  { withinMs, signal }: { withinMs: number; signal: AbortSignal },
): Promise<boolean> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted()
    const settle = (end: () => void) => {
      clearTimeout(timer)
      signal.removeEventListener('abort', abort)
      for (const stop of stops) stop()
      end()
    }
    const look = () => {
      if (holds()) settle(() => resolve(true))
    }
    const abort = () => settle(() => reject(signal.reason as Error))
    const timer = setTimeout(() => settle(() => resolve(false)), withinMs)
    signal.addEventListener('abort', abort, { once: true })
    // `onChange` may call the listener before it has returned the function that removes it.
    const stops: (() => void)[] = []
    for (const { onChange } of watched) stops.push(onChange(() => queueMicrotask(look)))
    queueMicrotask(look)
  })
}
