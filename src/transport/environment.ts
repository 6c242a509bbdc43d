import type { Clock, TimerHandle } from '../base/clock.js'

/**
 * What the environment tells a connection. Every signal is a hint: a connection needs none, and
 * none ends a connection by itself.
 */
export type EnvironmentSignal = 'online' | 'offline' | 'visible' | 'hidden' | 'frozen' | 'woke'

/** Where environment signals come from. Replace it for a platform with its own lifecycle. */
export interface EnvironmentSource {
  /** Starts to listen; returns the function that stops listening and leaves no listener or timer. */
  watch(signal: (signal: EnvironmentSignal) => void): () => void
}

// A browser's `window` and `document`, as far as they are used. Node has neither.
interface Listening {
  addEventListener(type: string, listener: (event: PageEvent) => void): void
  removeEventListener(type: string, listener: (event: PageEvent) => void): void
}
interface PageEvent {
  readonly persisted?: boolean
}
interface Platform extends Partial<Listening> {
  readonly document?: Listening & { readonly visibilityState?: string }
}

// Often enough to notice a sleep soon after it ended; seldom enough to cost nothing.
const LOOK_EVERY_MS = 10_000
// Longer than the minute between two timers of a background tab, which does not sleep.
const SLEPT_MS = 90_000

/**
 * Makes the source of the platform's signals. Browsers give `online`, `offline`, visibility, and the
 * freeze and restore of a page. Everywhere a timer that fires far too late gives `woke`.
 */
export function createPlatformEnvironment(clock: Clock): EnvironmentSource {
  return {
    watch(signal) {
      const stops = [watchPage(globalThis as Platform, signal), watchForWake(clock, signal)]
      return () => {
        for (const stop of stops) stop()
      }
    },
  }
}

function watchPage(platform: Platform, signal: (signal: EnvironmentSignal) => void): () => void {
  const undo: (() => void)[] = []
  function listen(
    target: Partial<Listening> | undefined,
    type: string,
    tell: (event: PageEvent) => EnvironmentSignal | undefined,
  ): void {
    if (target?.addEventListener === undefined) return
    const listener = (event: PageEvent): void => {
      const told = tell(event)
      if (told !== undefined) signal(told)
    }
    target.addEventListener(type, listener)
    undo.push(() => target.removeEventListener?.(type, listener))
  }

  const { document } = platform
  if (document !== undefined) {
    listen(platform, 'online', () => 'online')
    listen(platform, 'offline', () => 'offline')
    // The sockets of a page that returns from the back-forward cache are dead.
    listen(platform, 'pageshow', (event) => (event.persisted === true ? 'woke' : undefined))
    listen(document, 'visibilitychange', () =>
      document.visibilityState === 'hidden' ? 'hidden' : 'visible',
    )
    listen(document, 'freeze', () => 'frozen')
    listen(document, 'resume', () => 'woke')
  }
  return () => {
    for (const stop of undo) stop()
  }
}

// Wall time goes on while a machine sleeps; monotonic time may not. Wall time that is set forward
// looks like a sleep, and costs one ping.
function watchForWake(clock: Clock, signal: (signal: EnvironmentSignal) => void): () => void {
  let timer: TimerHandle
  let lookedAt = 0
  function look(): void {
    lookedAt = clock.epoch()
    timer = clock.setTimeout(() => {
      const sleptMs = clock.epoch() - lookedAt - LOOK_EVERY_MS
      look()
      if (sleptMs > SLEPT_MS) signal('woke')
    }, LOOK_EVERY_MS)
  }
  look()
  return () => {
    clock.clearTimeout(timer)
  }
}
