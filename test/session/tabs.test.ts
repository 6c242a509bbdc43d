import { describe, expect, it } from 'vitest'
import { createWebStore } from '../../src/storage/browser.js'
import { createManualClock } from '../../src/testing/clock.js'
import { createFakeOrigin } from '../storage/fake-browser.js'
import { ada, createFakeServer, grace } from './fake-server.js'
import { createTestSession, inTime } from './harness.js'

/** Tabs of one browser, with a session each. */
function createTabs(options: { readonly rotates?: boolean } = {}) {
  const clock = createManualClock()
  const server = createFakeServer({ clock, ...options })
  const origin = createFakeOrigin()
  const open = () => {
    const parts = origin.openTab()
    const store = createWebStore({ ...parts, locks: origin.locks, clock })
    return createTestSession({ clock, server, store })
  }
  return { clock, server, open }
}

/** Locks and their settling take their time. */
const soon = 500

describe('[SESS-13] several tabs', () => {
  it('signing in in one signs in the others', async () => {
    const { clock, server, open } = createTabs()
    const [first, second, third] = [open(), open(), open()]
    for (const tab of [first, second, third]) await tab.start()
    third.session.signIn()
    first.session.signIn()
    await clock.advanceAsync(soon)
    expect([second.session.status.state, third.session.status.state]).toEqual([
      'signedOut',
      'linking',
    ])
    server.approve()
    await clock.advanceAsync(2_000)
    for (const tab of [first, second, third]) {
      expect(tab.session.status).toEqual({ state: 'signedIn', user: ada })
      expect(tab.sync.log).toEqual(['start'])
    }
  })

  it('signing out in one signs out the others, which say so', async () => {
    const { clock, server, open } = createTabs()
    const [first, second] = [open(), open()]
    await second.start()
    await first.signIn()
    await clock.advanceAsync(soon)
    expect(second.session.status.state).toBe('signedIn')
    await first.session.signOut()
    await clock.advanceAsync(soon)
    expect(second.session.status).toEqual({
      state: 'signedOut',
      reason: 'elsewhere',
      message: 'You have signed out in another window.',
    })
    expect(second.sync.log).toEqual(['start', 'stop'])
    expect(server.count('revoke')).toBe(1)
  })

  it('signing in as someone else moves the others over', async () => {
    const { clock, server, open } = createTabs()
    const [first, second] = [open(), open()]
    await first.signIn(ada)
    await second.start()
    expect(second.session.status).toMatchObject({ user: ada })
    // The first signs out and in as Grace before the second has noticed.
    const read = second.store.get.bind(second.store)
    let release = (): void => undefined
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    second.store.get = async (key) => {
      await held
      return await read(key)
    }
    await first.session.signOut()
    await first.settle()
    first.session.signIn()
    await clock.advanceAsync(soon)
    server.approve(grace)
    await clock.advanceAsync(1_000)
    release()
    await clock.advanceAsync(soon)
    expect(second.session.status).toEqual({ state: 'signedIn', user: grace })
    expect(second.sync.log).toEqual(['start', 'stop', 'start'])
    expect(await inTime(clock, second.session.credentials())).toMatchObject({ userId: 'u2' })
  })

  it('a token that one renews is used by the others', async () => {
    for (const rotates of [false, true]) {
      const { clock, server, open } = createTabs({ rotates })
      const [first, second] = [open(), open()]
      await first.signIn()
      await second.start()
      await first.session.credentials({ refused: false })
      const renewed = await inTime(clock, first.session.credentials({ refused: true }))
      expect(server.count('renew')).toBe(1)
      expect(await inTime(clock, second.session.credentials())).toEqual(renewed)
      expect(second.sync.log).toEqual(['start'])
      await clock.advanceAsync(24 * 3_600_000)
      for (const tab of [first, second]) expect(tab.session.status.state).toBe('signedIn')
    }
  })

  it('hear nothing any more after they were disposed of', async () => {
    const { clock, open } = createTabs()
    const [first, second] = [open(), open()]
    await second.start()
    second.session.dispose()
    await first.signIn()
    await clock.advanceAsync(soon)
    expect(second.statuses.map(({ state }) => state)).toEqual(['loading', 'signedOut'])
  })
})
