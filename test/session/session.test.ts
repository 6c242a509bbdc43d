import { describe, expect, it } from 'vitest'
import type { Session } from '../../src/session/session.js'
import { createMemoryStore } from '../../src/storage/memory.js'
import { createManualClock } from '../../src/testing/clock.js'
import { ada, createFakeServer, network } from './fake-server.js'
import { createTestSession } from './harness.js'

const turnOfCode = () => Promise.resolve()

describe('signing in', () => {
  it('[SESS-2] does nothing before start, and starting twice is harmless', async () => {
    const { session, clock, settle, server, sync } = createTestSession()
    session.signIn()
    await settle()
    expect(session.status).toEqual({ state: 'loading' })
    expect([clock.pending.count, server.log.length, sync.log.length]).toEqual([0, 0, 0])
    session.start()
    session.start()
    await settle()
    expect(session.status).toEqual({ state: 'signedOut' })
  })

  it('[SESS-2] works by functions that are taken off it', async () => {
    const { session, settle } = createTestSession()
    const { start, signIn, cancel, signOut } = session
    start()
    await settle()
    signIn()
    await settle()
    expect(session.status).toMatchObject({ state: 'linking' })
    cancel()
    await signOut()
    expect(session.status).toMatchObject({ state: 'signedOut' })
  })

  it('[SESS-5] shows a code, then the user; the sync starts once they are there', async () => {
    const { session, statuses, server, clock, sync, start, link } = createTestSession()
    const order: string[] = []
    session.status$.subscribe(({ state }) => order.push(`${state} ${String(sync.isRunning)}`))
    await start()
    await link()
    expect(session.status).toEqual({
      state: 'linking',
      code: 'C00001',
      verificationUrl: 'https://example.com/link',
      expiresAt: clock.epoch() + 600_000,
      secondsRemaining: 600,
    })
    await clock.advanceAsync(1_500)
    expect(session.status).toMatchObject({ secondsRemaining: 599 })
    server.approve()
    await clock.advanceAsync(500)
    expect(session.status).toEqual({ state: 'signedIn', user: ada })
    expect(sync.log).toEqual(['start'])
    expect(statuses.map(({ state }) => state)).toEqual([
      'loading',
      'signedOut',
      'loading',
      'linking',
      'linking',
      'signedIn',
    ])
    // Told before the sync starts: who asks in a handler finds the user there already.
    expect(order.at(-1)).toBe('signedIn false')
  })

  it('[SESS-10] is remembered after a restart, at once and without a network', async () => {
    const first = createTestSession()
    await first.signIn()
    first.session.dispose()
    const server = createFakeServer({ clock: first.clock })
    server.mishap('renew', network, network)
    const second = createTestSession({ store: first.store, clock: first.clock, server })
    await second.start()
    expect(second.session.status).toEqual({ state: 'signedIn', user: ada })
    expect(second.sync.log).toEqual(['start'])
    expect(server.log).toEqual([])
    expect(second.statuses.map(({ state }) => state)).toEqual(['loading', 'signedIn'])
  })

  it('[SESS-8] can be cancelled at each step, and leaves nothing behind', async () => {
    for (const stage of ['asking', 'shown', 'polling', 'saving'] as const) {
      const clock = createManualClock()
      const server = createFakeServer({ clock })
      const store = createMemoryStore()
      const saved: string[] = []
      const set = store.set.bind(store)
      store.set = (key, value) => {
        if (key === 'session') saved.push(value)
        return set(key, value)
      }
      const { session, settle, start, sync } = createTestSession({ clock, server, store })
      await start()
      if (stage === 'asking') server.setLatency(400)
      session.signIn()
      await settle()
      if (stage === 'polling') server.setLatency(400)
      if (stage === 'polling' || stage === 'saving') {
        server.approve()
        clock.advance(1_000)
        // Up to where the answer is there and the tokens are on their way into the store.
        if (stage === 'saving')
          for (let turn = 0; turn < 99 && saved.length === 0; turn += 1) await turnOfCode()
        else await settle()
      }
      expect(saved.length > 0, stage).toBe(stage === 'saving')
      expect(session.status.state, stage).toBe(stage === 'asking' ? 'loading' : 'linking')
      session.cancel()
      await clock.advanceAsync(5_000)
      expect(session.status, stage).toEqual({ state: 'signedOut', reason: 'cancelled' })
      expect(await store.get('session'), stage).toBeUndefined()
      expect(sync.log, stage).toEqual([])
      expect(clock.pending.count, stage).toBe(0)
    }
  })

  it('[SESS-7] lasts as long as the server says, whatever the clocks show', async () => {
    for (const { skewMs, tellsTime, seconds } of [
      { skewMs: 0, tellsTime: true, seconds: 600 },
      { skewMs: 3_600_000, tellsTime: true, seconds: 600 },
      { skewMs: -3_600_000, tellsTime: true, seconds: 600 },
      { skewMs: 60_000, tellsTime: false, seconds: 660 },
      // Our clock is so far off that the code would be over, or last for ever.
      { skewMs: 86_400_000, tellsTime: false, seconds: 600 },
      { skewMs: -86_400_000, tellsTime: false, seconds: 600 },
    ]) {
      const clock = createManualClock()
      const server = createFakeServer({ clock, skewMs, tellsTime })
      const { session, start, link } = createTestSession({ clock, server })
      await start()
      await link()
      expect(session.status).toMatchObject({
        secondsRemaining: seconds,
        expiresAt: clock.epoch() + seconds * 1_000,
      })
    }
  })

  it('[SESS-7] takes a code that the server does not know any more for expired', async () => {
    const { session, server, clock, start, link } = createTestSession()
    await start()
    await link()
    server.mishap('checkLink', { code: 'refused', status: 410, message: 'Gone.' })
    await clock.advanceAsync(1_000)
    expect(session.status).toEqual({
      state: 'signedOut',
      reason: 'link-expired',
      message: 'The code has expired. Please try again.',
    })
  })

  it('[SESS-7] ends by itself when nobody confirms the code', async () => {
    const { session, clock, server, start, link } = createTestSession()
    await start()
    await link()
    await clock.advanceAsync(600_000)
    expect(session.status).toMatchObject({ state: 'signedOut', reason: 'link-expired' })
    expect(server.count('checkLink')).toBe(600)
    expect(clock.pending.count).toBe(0)
  })

  it('[SESS-6] survives a server that fails, hangs and throws', async () => {
    const { session, server, clock, errors, start, link } = createTestSession()
    await start()
    await link()
    const unavailable = { code: 'unavailable', status: 503, message: 'Not now.' } as const
    server.mishap('checkLink', network, unavailable, 'hangs', 'throws')
    await clock.advanceAsync(1_000)
    expect(session.status).toMatchObject({ state: 'linking', message: network.message })
    await clock.advanceAsync(1_000)
    expect(session.status).toMatchObject({ state: 'linking', message: 'Not now.' })
    await clock.advanceAsync(16_000)
    expect(session.status).toMatchObject({ message: 'The server did not answer in time.' })
    await clock.advanceAsync(1_000)
    expect(errors.map(({ code }) => code)).toEqual(['api-threw'])
    server.approve()
    await clock.advanceAsync(1_000)
    expect(session.status.state).toBe('signedIn')
  })
})

describe('signing out', () => {
  it('[SESS-11] stops the sync, then removes tokens and user, then tells the server', async () => {
    const { session, store, sync, server, signIn, statuses } = createTestSession()
    await signIn()
    const order: string[] = []
    const { stop } = sync
    sync.stop = () => {
      stop()
      order.push('sync')
      void store.get('session').then((kept) => order.push(`kept: ${String(kept !== undefined)}`))
    }
    const remove = store.delete.bind(store)
    store.delete = async (key) => {
      await remove(key)
      order.push('removed')
    }
    const revoke = server.api.revoke.bind(server.api)
    server.api.revoke = (...call) => {
      order.push('told')
      return revoke(...call)
    }
    await session.signOut()
    expect(session.status).toEqual({ state: 'signedOut', reason: 'signed-out' })
    expect(await store.keys()).toEqual(['device-id'])
    expect(order.filter((step) => !step.startsWith('kept'))).toEqual(['sync', 'removed', 'told'])
    expect(order).toContain('kept: true')
    expect(server.refreshTokensLeft).toBe(0)
    expect(statuses.slice(-3).map(({ state }) => state)).toEqual([
      'signedIn',
      'loading',
      'signedOut',
    ])
  })

  it('[SESS-11] succeeds here whatever becomes of the server', async () => {
    for (const mishap of ['hangs', 'throws', network] as const) {
      const { session, server, clock, store, signIn } = createTestSession()
      await signIn()
      server.mishap('revoke', mishap)
      await session.signOut()
      expect(session.status).toMatchObject({ state: 'signedOut', reason: 'signed-out' })
      expect(await store.get('session')).toBeUndefined()
      await clock.advanceAsync(15_000)
      expect(clock.pending.count).toBe(0)
    }
  })

  it('[SESS-11] takes away a stored session that was still being looked for', async () => {
    const first = createTestSession()
    await first.signIn()
    first.session.dispose()
    const second = createTestSession({
      store: first.store,
      clock: first.clock,
      server: first.server,
    })
    second.session.start()
    await second.session.signOut()
    await second.settle()
    expect(second.session.status).toMatchObject({ state: 'signedOut', reason: 'signed-out' })
    expect(second.sync.log).toEqual([])
    expect(first.server.refreshTokensLeft).toBe(0)
  })

  it('[SESS-12] calls that make no sense at the time do nothing', async () => {
    const { session, server, statuses, settle, signIn, start } = createTestSession()
    await start()
    session.cancel()
    await session.signOut()
    expect(session.status).toEqual({ state: 'signedOut' })
    await signIn()
    const seen = statuses.length
    session.cancel()
    session.signIn()
    session.start()
    await settle()
    expect(statuses).toHaveLength(seen)
    expect(server.count('requestLink')).toBe(1)
  })
})

describe('the end of a session object', () => {
  it('[SESS-14] stops the sync and leaves no timer, without signing out', async () => {
    const dispose: ((session: Session) => void)[] = [
      (session) => session.dispose(),
      (session) => session[Symbol.dispose](),
    ]
    for (const end of dispose) {
      const { session, sync, clock, store, signIn } = createTestSession()
      await signIn()
      let completed = false
      session.status$.subscribe({
        complete: () => {
          completed = true
        },
      })
      end(session)
      end(session)
      expect(sync.log).toEqual(['start', 'stop'])
      expect([clock.pending.count, sync.listeners, completed]).toEqual([0, 0, true])
      expect(await store.get('session')).toBeDefined()
      await expect(session.credentials()).rejects.toMatchObject({ code: 'not-signed-in' })
      expect(() => session.start()).toThrow(expect.objectContaining({ code: 'disposed' }) as Error)
      expect(() => session.signIn()).toThrow(expect.objectContaining({ code: 'disposed' }) as Error)
      session.cancel()
      await session.signOut()
    }
  })

  it('[SESS-14] comes at any moment, also by a signal', async () => {
    for (const stopAt of [0, 1, 2, 3, 1_000, 1_001]) {
      const controller = new AbortController()
      const { session, sync, clock, server } = createTestSession({ signal: controller.signal })
      session.start()
      for (let turn = 0; turn < Math.min(stopAt, 3); turn += 1) await Promise.resolve()
      if (stopAt >= 1_000) {
        await clock.advanceAsync(0)
        session.signIn()
        await clock.advanceAsync(0)
        server.approve()
        await clock.advanceAsync(stopAt)
      }
      controller.abort()
      await clock.advanceAsync(60_000)
      expect(clock.pending.count, String(stopAt)).toBe(0)
      expect(sync.isRunning).toBe(false)
    }
    const aborted = new AbortController()
    aborted.abort()
    const { session } = createTestSession({ signal: aborted.signal })
    expect(() => session.start()).toThrow(expect.objectContaining({ code: 'disposed' }) as Error)
  })
})

describe('[SESS-15] code of others', () => {
  it('a sync, a listener, an inspector and an onError that throw disturb nothing', async () => {
    const thrower = () => {
      throw new Error('broken')
    }
    const { session, signIn, errors } = createTestSession({ inspect: thrower })
    session.status$.subscribe(thrower)
    session.subscribe(thrower)
    await signIn()
    expect(new Set(errors.map(({ code }) => code))).toEqual(new Set(['handler-threw']))

    const other = createTestSession({
      onError: thrower,
      sync: {
        start: thrower,
        stop: thrower,
        reconnect: thrower,
        status$: { subscribe: thrower },
      },
    })
    await other.signIn()
    await other.session.signOut()
    expect(other.session.status.state).toBe('signedOut')
    other.session.dispose()
  })

  it('a sync that throws is reported by what it was asked for', async () => {
    const thrower = () => {
      throw new RangeError('broken')
    }
    const { session, errors, signIn } = createTestSession({
      sync: { start: thrower, stop: thrower, reconnect: thrower },
    })
    await signIn()
    await session.signOut()
    expect(errors.map(({ code, message }) => `${code}: ${message}`)).toEqual([
      "sync-threw: The sync's start threw (RangeError).",
      "sync-threw: The sync's stop threw (RangeError).",
    ])
  })

  it('a listener that signs out again does so after what it was told', async () => {
    const { session, statuses, clock, sync, signIn } = createTestSession()
    session.subscribe((status) => {
      if (status.state === 'signedIn') void session.signOut()
    })
    const seen: string[] = []
    session.subscribe(({ state }) => seen.push(state))
    await expect(signIn()).rejects.toThrow()
    await clock.advanceAsync(0)
    expect(session.status).toMatchObject({ state: 'signedOut', reason: 'signed-out' })
    expect(seen).toEqual(statuses.map(({ state }) => state))
    expect(sync.log).toEqual([])
  })

  it('a store that fails leaves the session in memory, and says so', async () => {
    const full = () => Promise.reject(new Error('full'))
    const { session, errors, signIn } = createTestSession({
      store: { ...createMemoryStore(), set: full, update: full },
    })
    await signIn()
    expect(session.status.state).toBe('signedIn')
    expect(new Set(errors.map(({ code }) => code))).toEqual(new Set(['storage-failed']))
  })

  it('a store that hangs costs three seconds, once', async () => {
    const hang = <T>() => new Promise<T>(() => undefined)
    const { session, clock, server, settle } = createTestSession({
      store: { get: hang, set: hang, delete: hang, keys: hang, update: hang },
    })
    session.start()
    await clock.advanceAsync(2_999)
    expect(session.status.state).toBe('loading')
    await clock.advanceAsync(1)
    expect(session.status.state).toBe('signedOut')
    session.signIn()
    await settle()
    server.approve()
    await clock.advanceAsync(1_000)
    expect(session.status.state).toBe('signedIn')
    await session.signOut()
    expect(session.status.state).toBe('signedOut')
  })
})

describe('[SESS-16] options', () => {
  it('that make no sense are refused, by name', () => {
    for (const [options, name] of [
      [{ callTimeoutMs: -1 }, 'callTimeoutMs'],
      [{ device: { deviceName: 1, platform: '', appVersion: '' } as never }, 'device.deviceName'],
    ] as const) {
      expect(() => createTestSession(options)).toThrow(
        expect.objectContaining({
          code: 'option-invalid',
          message: expect.stringContaining(name) as string,
        }) as Error,
      )
    }
  })
})
