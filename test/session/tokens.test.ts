import { describe, expect, it } from 'vitest'
import type { ApiResult } from '../../src/session/api.js'
import { Vault } from '../../src/session/vault.js'
import { createMemoryStore } from '../../src/storage/memory.js'
import { createManualClock } from '../../src/testing/clock.js'
import { ada, createFakeServer, grace, network } from './fake-server.js'
import { createTestSession } from './harness.js'

const unauthorised = {
  ok: false,
  failure: { code: 'refused', status: 401, message: 'No.' },
} as const
const hour = 3_600_000

describe('what is stored', () => {
  it('[TOK-1] is the two tokens, their times and the user; nothing else', async () => {
    const { store, signIn, clock } = createTestSession()
    await signIn()
    expect([...(await store.keys())].sort()).toEqual(['device-id', 'session'])
    expect(JSON.parse((await store.get('session')) ?? '')).toEqual({
      accessToken: 'canary-access-3',
      refreshToken: 'canary-refresh-2',
      issuedAt: clock.epoch(),
      expiresAt: clock.epoch() + hour,
      user: ada,
    })
  })

  it('[TOK-1] is as good as nothing where it is damaged', async () => {
    for (const text of ['', '{', '[]', 'null', '{"accessToken":1}', '"canary"']) {
      const { session, store, start } = createTestSession()
      await store.set('session', text)
      await start()
      expect(session.status).toEqual({ state: 'signedOut' })
    }
  })

  it('[TOK-2] is renewed at once after a restart where it has expired, or the calendar was set back', async () => {
    for (const moveMs of [2 * hour, 56 * 60_000, -60_000]) {
      const first = createTestSession()
      await first.signIn()
      first.session.dispose()
      first.clock.setEpoch(first.clock.epoch() + moveMs)
      const second = createTestSession({
        store: first.store,
        clock: first.clock,
        server: first.server,
      })
      await second.start()
      await second.settle()
      expect(second.session.status.state, String(moveMs)).toBe('signedIn')
      expect(first.server.count('renew'), String(moveMs)).toBe(1)
    }
  })

  it('[TOK-2] is used as it is after a restart while it is fresh', async () => {
    const first = createTestSession()
    await first.signIn()
    first.session.dispose()
    await first.clock.advanceAsync(30 * 60_000)
    const second = createTestSession({
      store: first.store,
      clock: first.clock,
      server: first.server,
    })
    await second.start()
    await second.clock.advanceAsync(25 * 60_000 - 1)
    expect(first.server.count('renew')).toBe(0)
    await second.clock.advanceAsync(1)
    expect(first.server.count('renew')).toBe(1)
  })

  it('[TOK-10] holds the refresh token that the server gave last', async () => {
    const clock = createManualClock()
    const server = createFakeServer({ clock, rotates: true })
    const { session, store, signIn } = createTestSession({ clock, server })
    await signIn()
    const before = JSON.parse((await store.get('session')) ?? '') as { refreshToken: string }
    await clock.advanceAsync(55 * 60_000)
    const after = JSON.parse((await store.get('session')) ?? '') as { refreshToken: string }
    expect(after.refreshToken).not.toBe(before.refreshToken)
    await clock.advanceAsync(24 * hour)
    expect(session.status.state).toBe('signedIn')
    expect(server.count('renew')).toBe(27)
  })
})

describe('tokens of a short life', () => {
  it('[TOK-2] are not renewed more than once a second, nor traded in for stored ones', async () => {
    const { session, server, store, clock, signIn } = createTestSession()
    await signIn()
    const { renew } = server.api
    server.api.renew = async (...call) => {
      const result = await renew(...call)
      return result.ok ? { ...result, value: { ...result.value, expiresIn: 1 } } : result
    }
    // What is stored lasts longer than what the server gives from now on.
    await clock.advanceAsync(55 * 60_000 + 10_000)
    expect(server.count('renew')).toBeLessThanOrEqual(11)
    expect(session.status.state).toBe('signedIn')
    expect(await store.get('session')).toBeDefined()
  })
})

describe('credentials', () => {
  it('[TOK-4] are the user, the device and a token that is good', async () => {
    const { session, server, store, signIn } = createTestSession()
    await signIn()
    const credentials = await session.credentials()
    expect(server.userOf(credentials.accessToken)).toEqual(ada)
    expect(credentials).toEqual({
      userId: 'u1',
      deviceId: await store.get('device-id'),
      accessToken: 'canary-access-3',
    })
  })

  it('[TOK-4] wait for a stored session that is being looked for', async () => {
    const first = createTestSession()
    await first.signIn()
    first.session.dispose()
    const { session } = createTestSession({ store: first.store, clock: first.clock })
    session.start()
    const credentials = session.credentials()
    await first.settle()
    expect(await credentials).toMatchObject({ userId: 'u1' })
  })

  it('[TOK-4] wait for a renewal where the token has expired, as it is after a sleep', async () => {
    const { session, server, clock, signIn } = createTestSession()
    await signIn()
    server.setLatency(200)
    clock.jump(hour - 10_000)
    const [first, second] = [session.credentials(), session.credentials()]
    await clock.advanceAsync(200)
    const given = await first
    expect(await second).toEqual(given)
    expect(server.userOf(given.accessToken)).toEqual(ada)
    expect(server.count('renew')).toBe(1)
  })

  it('[TOK-4] are given as they are while a renewal is under way that nobody needs yet', async () => {
    const { session, server, clock, signIn } = createTestSession()
    await signIn()
    server.mishap('renew', 'hangs')
    await clock.advanceAsync(55 * 60_000)
    expect(server.count('renew')).toBe(1)
    expect(await session.credentials()).toMatchObject({ accessToken: 'canary-access-3' })
  })

  it('[TOK-4] are refused with a code where nobody is signed in, or none can be had', async () => {
    const { session, server, clock, signIn, start } = createTestSession()
    await start()
    await expect(session.credentials()).rejects.toMatchObject({ code: 'not-signed-in' })
    await signIn()
    server.mishap('renew', network, network)
    clock.jump(hour)
    await expect(session.credentials()).rejects.toMatchObject({ code: 'token-unavailable' })
    expect(session.status.state).toBe('signedIn')
    server.mishap('renew', 'hangs')
    const given = session.credentials()
    await session.signOut()
    await expect(given).rejects.toMatchObject({ code: 'not-signed-in' })
  })

  it('[TOK-4] stop waiting when nobody needs them any more', async () => {
    const { session, server, clock, signIn } = createTestSession()
    await signIn()
    server.mishap('renew', 'hangs')
    clock.jump(hour)
    const controller = new AbortController()
    const given = session.credentials({ signal: controller.signal })
    await clock.advanceAsync(1_000)
    controller.abort()
    await expect(given).rejects.toMatchObject({ code: 'token-unavailable' })
  })

  it('[TOK-5] are others after a refusal, and one refusal told of twice is one', async () => {
    const { session, server, signIn, sync } = createTestSession()
    await signIn()
    const first = await session.credentials({ refused: false })
    const second = await session.credentials({ refused: true })
    expect(second.accessToken).not.toBe(first.accessToken)
    expect(server.userOf(second.accessToken)).toEqual(ada)
    // The attempt with the second failed for another reason; the refusal it is told of is the first.
    expect(await session.credentials({ refused: true })).toEqual(second)
    expect(server.count('renew')).toBe(1)
    // Connected for a while, then refused anew.
    const third = await session.credentials({ refused: false })
    expect(third).toEqual(second)
    const fourth = await session.credentials({ refused: true })
    expect(fourth.accessToken).not.toBe(second.accessToken)
    expect(session.status.state).toBe('signedIn')
    expect(sync.log).toEqual(['start'])
  })

  it('[TOK-5] are asked for anew where none could be had after a refusal', async () => {
    const { session, server, clock, signIn } = createTestSession()
    await signIn()
    const first = await session.credentials()
    server.mishap('renew', network)
    await expect(session.credentials({ refused: true })).rejects.toMatchObject({
      code: 'token-unavailable',
    })
    await clock.advanceAsync(1_000)
    const second = await session.credentials({ refused: true })
    expect(second.accessToken).not.toBe(first.accessToken)
  })
})

describe('refusals', () => {
  it('[TOK-6] two in a row of the sync end the session', async () => {
    const { session, store, sync, server, signIn, settle } = createTestSession()
    await signIn()
    await session.credentials({ refused: false })
    await session.credentials({ refused: true })
    sync.giveUp()
    await settle()
    expect(session.status).toEqual({
      state: 'signedOut',
      reason: 'refused',
      message: 'The server did not accept your session. Please sign in again.',
    })
    expect(sync.log).toEqual(['start', 'stop'])
    expect(await store.get('session')).toBeUndefined()
    expect(server.count('revoke')).toBe(0)
  })

  it('[TOK-6] of tokens that have been replaced since bring the sync back with the new ones', async () => {
    const { session, sync, clock, signIn, settle } = createTestSession()
    await signIn()
    await session.credentials({ refused: false })
    await session.credentials({ refused: true })
    await clock.advanceAsync(55 * 60_000)
    sync.giveUp()
    await settle()
    expect(session.status.state).toBe('signedIn')
    expect(sync.log).toEqual(['start', 'reconnect'])
  })

  it('[TOK-6] a call that is refused is made again with another token; a second refusal ends the session', async () => {
    const { session, server, signIn, settle } = createTestSession()
    await signIn()
    const used: string[] = []
    const call = (answer: (token: string) => ApiResult<string>) =>
      session.authorized((token) => {
        used.push(token)
        return Promise.resolve(answer(token))
      })
    expect(await call(() => ({ ok: true, value: 'fine' }))).toEqual({ ok: true, value: 'fine' })
    server.forgetAccessTokens()
    const known = (token: string): ApiResult<string> =>
      server.userOf(token) === undefined ? unauthorised : { ok: true, value: 'fine' }
    expect(await call(known)).toEqual({ ok: true, value: 'fine' })
    expect(new Set(used).size).toBe(2)
    expect(await call(() => ({ ok: false, failure: network }))).toMatchObject({ ok: false })
    expect(session.status.state).toBe('signedIn')
    expect(await call(() => unauthorised)).toEqual(unauthorised)
    await settle()
    expect(session.status).toMatchObject({ state: 'signedOut', reason: 'refused' })
  })

  it('[TOK-7] a refresh token that is not good any more ends the session, and says so', async () => {
    const { session, server, clock, store, sync, signIn } = createTestSession()
    await signIn()
    server.forgetEveryone()
    await clock.advanceAsync(55 * 60_000)
    expect(session.status).toEqual({
      state: 'signedOut',
      reason: 'revoked',
      message: 'Your session has ended. Please sign in again.',
    })
    expect(sync.log).toEqual(['start', 'stop'])
    expect(await store.get('session')).toBeUndefined()
    expect(clock.pending.count).toBe(0)
  })

  it('[TOK-7] that another process has used up is no end where the store holds its successor', async () => {
    const clock = createManualClock()
    const server = createFakeServer({ clock, rotates: true })
    const first = createTestSession({ clock, server })
    await first.signIn()
    const second = createTestSession({ clock, server, store: first.store })
    await second.start()
    expect(second.session.status.state).toBe('signedIn')
    // Both ask at the same time, and only one of them can be the first.
    server.setLatency(10)
    await clock.advanceAsync(55 * 60_000 + 10)
    expect(server.count('renew')).toBe(2)
    expect([first.session.status.state, second.session.status.state]).toEqual([
      'signedIn',
      'signedIn',
    ])
    const given = await Promise.all([first.session.credentials(), second.session.credentials()])
    for (const { accessToken } of given) expect(server.userOf(accessToken)).toEqual(ada)
    expect(JSON.parse((await first.store.get('session')) ?? '')).toMatchObject({
      accessToken: given[0].accessToken,
    })
  })
})

describe('[TOK-9] the answer of an old renewal', () => {
  it('is no business of a vault that has other tokens by now', async () => {
    const clock = createManualClock()
    const store = createMemoryStore()
    const vault = new Vault(store, clock)
    const issue = (name: string) => ({
      accessToken: `${name}-a`,
      refreshToken: `${name}-r`,
      expiresIn: 3_600,
      user: ada,
    })
    vault.hold(issue('first'), clock.now())
    await vault.adopt()
    const before = vault.current!
    vault.hold(issue('second'), clock.now())
    await vault.adopt()
    const kept = await store.get('session')
    const late = { accessToken: 'late', expiresIn: 7_200 }
    expect(await vault.applyRenewal(before, late, clock.now())).toEqual({ kind: 'same' })
    expect(vault.current?.accessToken).toBe('second-a')
    expect(await store.get('session')).toBe(kept)
    await vault.clear('everything')
    expect(await vault.applyRenewal(before, late, clock.now())).toEqual({ kind: 'same' })
    expect([vault.current, await store.get('session')]).toEqual([undefined, undefined])
  })

  it('does not bring back what was signed out', async () => {
    const { session, server, store, clock, signIn, settle } = createTestSession()
    await signIn()
    server.setLatency(5_000)
    await clock.advanceAsync(55 * 60_000)
    expect(server.count('renew')).toBe(1)
    await session.signOut()
    await clock.advanceAsync(60_000)
    expect(await store.get('session')).toBeUndefined()
    expect(session.status).toMatchObject({ state: 'signedOut', reason: 'signed-out' })
    await settle()
    await expect(session.credentials()).rejects.toMatchObject({ code: 'not-signed-in' })
  })

  it('does not replace the tokens of a later sign-in', async () => {
    const { session, server, store, clock, signIn } = createTestSession()
    await signIn()
    // It gives no heed to being given up, as a careless API would not.
    let answerLate = (_: ApiResult<{ accessToken: string; expiresIn: number }>): void => undefined
    const { renew } = server.api
    server.api.renew = () =>
      new Promise((resolve) => {
        answerLate = resolve
      })
    await clock.advanceAsync(55 * 60_000)
    await session.signOut()
    server.api.renew = renew
    await signIn(grace)
    const kept = await store.get('session')
    answerLate({ ok: true, value: { accessToken: 'canary-late', expiresIn: 3_600 } })
    await clock.advanceAsync(1_000)
    expect(await store.get('session')).toBe(kept)
    expect(await session.credentials()).toMatchObject({ userId: 'u2' })
    expect((await session.credentials()).accessToken).not.toContain('late')
  })

  it('of another process does not replace a fresher token in the store', async () => {
    const clock = createManualClock()
    const server = createFakeServer({ clock })
    const first = createTestSession({ clock, server })
    await first.signIn()
    const second = createTestSession({ clock, server, store: first.store })
    await second.start()
    let answerLate = (): void => undefined
    const { renew } = server.api
    server.api.renew = () =>
      new Promise((resolve) => {
        server.api.renew = renew
        answerLate = () => {
          resolve({ ok: true, value: { accessToken: 'canary-late', expiresIn: 60 } })
        }
      })
    await clock.advanceAsync(55 * 60_000)
    const kept = await first.store.get('session')
    expect(kept).not.toContain('canary-access-3')
    answerLate()
    await clock.advanceAsync(1_000)
    expect(await first.store.get('session')).toBe(kept)
  })
})
