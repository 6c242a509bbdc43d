import { afterEach, describe, expect, it, vi } from 'vitest'
import { createManualClock } from '../../src/testing/clock.js'
import type { EnvironmentSignal } from '../../src/transport/environment.js'
import { createPlatformEnvironment } from '../../src/transport/environment.js'

afterEach(() => {
  vi.unstubAllGlobals()
})

/** A target of events that knows who listens. */
function createTarget() {
  const listeners = new Map<string, Set<(event: object) => void>>()
  return {
    addEventListener(type: string, listener: (event: object) => void) {
      listeners.set(type, (listeners.get(type) ?? new Set()).add(listener))
    },
    removeEventListener(type: string, listener: (event: object) => void) {
      listeners.get(type)?.delete(listener)
    },
    fire(type: string, event: object = {}) {
      for (const listener of [...(listeners.get(type) ?? [])]) listener(event)
    },
    types: () =>
      [...listeners.keys()].filter((type) => (listeners.get(type)?.size ?? 0) > 0).sort(),
    count: () => [...listeners.values()].reduce((sum, { size }) => sum + size, 0),
  }
}

function stubPage() {
  const window = createTarget()
  const document = { ...createTarget(), visibilityState: 'visible' }
  vi.stubGlobal('addEventListener', window.addEventListener)
  vi.stubGlobal('removeEventListener', window.removeEventListener)
  vi.stubGlobal('document', document)
  return { window, document }
}

function watch(clock = createManualClock()) {
  const signals: EnvironmentSignal[] = []
  const stop = createPlatformEnvironment(clock).watch((signal) => signals.push(signal))
  return { clock, signals, stop }
}

describe('a page', () => {
  it('[SIG-27] tells each signal by its event', () => {
    const { window, document } = stubPage()
    const { signals } = watch()
    const events: readonly (readonly [act: () => void, signal: EnvironmentSignal])[] = [
      [() => window.fire('online'), 'online'],
      [() => window.fire('offline'), 'offline'],
      [() => document.fire('freeze'), 'frozen'],
      [() => document.fire('resume'), 'woke'],
      [() => window.fire('pageshow', { persisted: true }), 'woke'],
      [
        () => {
          document.visibilityState = 'hidden'
          document.fire('visibilitychange')
        },
        'hidden',
      ],
      [
        () => {
          document.visibilityState = 'visible'
          document.fire('visibilitychange')
        },
        'visible',
      ],
    ]
    for (const [act] of events) act()
    expect(signals).toEqual(events.map(([, signal]) => signal))
  })

  it('[SIG-27] that is shown for the first time, not kept, tells nothing', () => {
    const { window } = stubPage()
    const { signals } = watch()
    window.fire('pageshow', { persisted: false })
    window.fire('pageshow', {})
    expect(signals).toEqual([])
  })

  it('[SIG-28] has no listener and no timer left when nobody watches any more', () => {
    const { window, document } = stubPage()
    const clock = createManualClock()
    const first = watch(clock)
    const second = watch(clock)
    expect(window.types()).toEqual(['offline', 'online', 'pageshow'])
    expect(document.types()).toEqual(['freeze', 'resume', 'visibilitychange'])
    expect([window.count(), document.count(), clock.pending.count]).toEqual([6, 6, 2])
    first.stop()
    window.fire('online')
    expect([first.signals, second.signals]).toEqual([[], ['online']])
    second.stop()
    second.stop()
    expect([window.count(), document.count(), clock.pending.count]).toEqual([0, 0, 0])
  })
})

describe('without a page', () => {
  it('[SIG-27] there is the calendar alone, whatever else is global', () => {
    const worker = createTarget()
    vi.stubGlobal('addEventListener', worker.addEventListener)
    vi.stubGlobal('removeEventListener', worker.removeEventListener)
    const { clock, stop } = watch()
    expect([worker.count(), clock.pending.count]).toEqual([0, 1])
    stop()
    expect(clock.pending.count).toBe(0)
  })
})

describe('waking', () => {
  it('[SIG-27] is told once after a sleep, and watched for again', () => {
    const { clock, signals } = watch()
    clock.advance(3_600_000)
    expect(signals).toEqual([])
    clock.jump(8 * 3_600_000)
    expect(signals).toEqual(['woke'])
    clock.advance(60_000)
    expect(signals).toEqual(['woke'])
    clock.jump(200_000)
    expect(signals).toEqual(['woke', 'woke'])
  })

  it('[SIG-27] is a look that came more than 90 s late, not less', () => {
    for (const [lateMs, expected] of [
      [90_000, []],
      [90_001, ['woke']],
    ] as const) {
      const { clock, signals } = watch()
      clock.jump(10_000 + lateMs)
      expect(signals).toEqual(expected)
    }
  })

  it('[SIG-27] is told from the calendar, where the monotonic clock slept, too', () => {
    const { clock, signals } = watch()
    clock.advance(5_000)
    clock.setEpoch(clock.epoch() + 3_600_000)
    clock.advance(5_000)
    expect(signals).toEqual(['woke'])
    clock.advance(60_000)
    expect(signals).toEqual(['woke'])
  })

  it('[SIG-27] is not a calendar set back, nor a tab whose timers run once a minute', () => {
    const { clock, signals } = watch()
    clock.setEpoch(clock.epoch() - 86_400_000)
    clock.advance(60_000)
    clock.throttle(60_000)
    clock.advance(3_600_000)
    expect(signals).toEqual([])
  })

  it('[SIG-28] may be told to someone who stops watching at that', () => {
    const clock = createManualClock()
    const signals: EnvironmentSignal[] = []
    const stop = createPlatformEnvironment(clock).watch((signal) => {
      signals.push(signal)
      stop()
    })
    clock.jump(3_600_000)
    clock.jump(3_600_000)
    expect(signals).toEqual(['woke'])
    expect(clock.pending.count).toBe(0)
  })
})
