/** Something that says when it has changed. */
export type Changing = { onChange: (listener: () => void) => () => void }

/**
 * Resolves to true as soon as a condition holds, and to false when it does not within a time;
 * rejects when aborted.
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
    // A listener is called at once, before the way to stop it is known.
    const stops: (() => void)[] = []
    for (const { onChange } of watched) stops.push(onChange(() => queueMicrotask(look)))
    queueMicrotask(look)
  })
}
