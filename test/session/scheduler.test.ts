import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { SessionApi } from '../../src/session/api.js'
import { createSession } from '../../src/session/session.js'
import { createMemoryStore } from '../../src/storage/memory.js'
import type { KeyValueStore } from '../../src/storage/store.js'
import { createManualClock } from '../../src/testing/clock.js'
import { ada, createFakeServer, grace, network } from './fake-server.js'
import { createFakeSync } from './harness.js'

const action = fc.record({
  tab: fc.nat(1),
  what: fc.constantFrom(
    ...([
      'signOut',
      'refused',
      'refused',
      'refused',
      'signInAda',
      'signInGrace',
      'failure',
    ] as const),
  ),
})

/** Lets the scheduler order everything that a store does, for each of several tabs. */
function createScheduledStore(s: fc.Scheduler, chainOf: (text: string) => string) {
  const inner = createMemoryStore()
  const violations: string[] = []
  const watchers = new Set<{ readonly tab: number; readonly changed: (key: string) => void }>()
  function tell(writer: number, key: string): void {
    for (const { tab, changed } of watchers) {
      if (tab === writer) continue
      void s.schedule(Promise.resolve(), `event to ${tab}`).then(() => {
        changed(key)
      })
    }
  }
  function open(tab: number): KeyValueStore {
    const turn = (what: string) => s.schedule(Promise.resolve(), `${what} of ${tab}`)
    return {
      get: (key) => turn('get').then(() => inner.get(key)),
      keys: () => turn('keys').then(() => inner.keys()),
      set: (key, value) =>
        turn('set').then(async () => {
          await inner.set(key, value)
          tell(tab, key)
        }),
      delete: (key) =>
        turn('delete').then(async () => {
          await inner.delete(key)
          tell(tab, key)
        }),
      update: (key, change) =>
        turn('update').then(async () => {
          const before = await inner.get(key)
          const after = await inner.update(key, change)
          // A renewal changes the tokens of its own sign-in, and of no other.
          if (before !== undefined && after !== undefined) {
            if (chainOf(after) !== chainOf(before)) violations.push(`${before} became ${after}`)
          }
          if (before !== after) tell(tab, key)
          return after
        }),
      watch(changed) {
        const watcher = { tab, changed }
        watchers.add(watcher)
        return () => watchers.delete(watcher)
      },
    }
  }
  return { inner, open, watchers, violations }
}

/** The server takes effect when it is asked; its answers arrive when the scheduler says so. */
function createScheduledApi(s: fc.Scheduler, api: SessionApi): SessionApi {
  return {
    ...api,
    renew: (...call) => s.schedule(api.renew(...call), 'answer to renew'),
    revoke: (...call) => s.schedule(api.revoke(...call), 'answer to revoke'),
  }
}

describe('[TOK-9] any order of renewals, sign-outs, sign-ins and what the store does', () => {
  it('ends with tabs that agree with the store, and with one another', async () => {
    const witnesses = { signedIn: 0, signedOut: 0, renewed: 0, moved: 0 }
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        fc.array(action, { minLength: 1, maxLength: 12, size: 'max' }),
        fc.boolean(),
        async (s, actions, rotates) => {
          const clock = createManualClock()
          const server = createFakeServer({ clock, rotates })
          const place = createScheduledStore(s, (text) =>
            server.chainOf((JSON.parse(text) as StoredTokens).refreshToken),
          )
          const other = place.open(2)
          const signInElsewhere = async (user: typeof ada) => {
            const issued = server.issueSession(user)
            const text = JSON.stringify({
              ...issued,
              issuedAt: clock.epoch(),
              expiresAt: clock.epoch() + 3_600_000,
              user,
            })
            await other.set('session', text)
          }
          const tabs = [0, 1].map((tab) => {
            const sync = createFakeSync()
            const session = createSession({
              api: createScheduledApi(s, server.api),
              store: place.open(tab),
              deviceId: () => Promise.resolve('D'),
              clock,
              random: () => 0,
              sync,
              onError: ({ message }) => place.violations.push(message),
              device: { deviceName: 'd', platform: 'p', appVersion: 'v' },
            })
            session.start()
            return { session, sync }
          })
          const rest = async () => {
            await s.waitIdle()
            await clock.advanceAsync(0)
            await s.waitIdle()
          }
          await s.waitFor(signInElsewhere(ada))
          await rest()

          s.scheduleSequence(
            actions.map(({ tab, what }) => ({
              label: `${what} in ${tab}`,
              builder: () => {
                const session = tabs[tab]!.session
                switch (what) {
                  case 'signOut':
                    void session.signOut()
                    break
                  case 'refused':
                    void session.credentials({ refused: false }).catch(() => undefined)
                    void session.credentials({ refused: true }).catch(() => undefined)
                    break
                  case 'signInAda':
                  case 'signInGrace':
                    void signInElsewhere(what === 'signInAda' ? ada : grace)
                    witnesses.moved += 1
                    break
                  case 'failure':
                    server.mishap('renew', network)
                    break
                  default:
                    what satisfies never
                }
                return Promise.resolve()
              },
            })),
          )
          await rest()

          const text = await place.inner.get('session')
          const stored = text === undefined ? undefined : (JSON.parse(text) as StoredTokens)
          for (const { session, sync } of tabs) {
            expect(sync.isRunning).toBe(stored !== undefined)
            if (stored === undefined) {
              expect(session.status.state).toBe('signedOut')
              witnesses.signedOut += 1
              continue
            }
            expect(session.status).toEqual({ state: 'signedIn', user: stored.user })
            const { accessToken } = await s.waitFor(session.credentials())
            expect(accessToken).toBe(stored.accessToken)
            expect(server.userOf(accessToken)).toEqual(stored.user)
            witnesses.signedIn += 1
          }
          witnesses.renewed += server.count('renew')
          expect(place.violations).toEqual([])

          void tabs[0]?.session.signOut()
          await rest()
          expect(await place.inner.keys()).toEqual([])
          for (const { session, sync } of tabs) {
            expect(session.status.state).toBe('signedOut')
            expect(sync.isRunning).toBe(false)
            session.dispose()
          }
          expect([clock.pending.count, s.count(), place.watchers.size]).toEqual([0, 0, 0])
        },
      ),
      { numRuns: 800 },
    )
    for (const count of Object.values(witnesses)) expect(count).toBeGreaterThan(0)
  }, 60_000)
})

interface StoredTokens {
  readonly accessToken: string
  readonly refreshToken: string
  readonly user: typeof ada
}
