import { type Clock, type TimerHandle } from '../base/clock.js'
import type { EnvironmentSignal, EnvironmentSource } from './environment.js'

// What is used of a browser's `window` and `document`. Node has neither.
interface Listening {
  addEventListener(type: string, listener: (event: { readonly persisted?: boolean }) => void): void
  removeEventListener(
    type: string,
    listener: (event: { readonly persisted?: boolean }) => void,
  ): void
}
interface Platform extends Partial<Listening> {
  readonly document?: Listening & { readonly visibilityState?: string }
}

// Often enough to notice a sleep soon after it ended, seldom enough to cost nothing.
const LOOK_EVERY_MS = 10_000
// A background tab's timers run once a minute; that is no sleep.
const SLEPT_MS = 90_000

/**
 * The signals of the platform the code runs on: `online`, `offline`, visibility, page freeze and
 * restore in browsers, and everywhere `woke`, told from a timer that came back far too late.
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
    tell: (event: { readonly persisted?: boolean }) => EnvironmentSignal | undefined,
  ): void {
    if (target?.addEventListener === undefined) return
    const listener = (event: { readonly persisted?: boolean }): void => {
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
    // A page restored from the back-forward cache finds its sockets dead.
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

// The calendar goes on while a machine sleeps; a monotonic clock may not. A calendar set forward
// looks the same, and costs one probe.
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
