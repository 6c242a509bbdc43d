import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createSession, type Session } from '../../src/session/session.js'
import { createMemoryStore } from '../../src/storage/memory.js'
import { createManualClock } from '../../src/testing/clock.js'
import { createFakeSync } from './harness.js'
import { type Answer, createModel } from './model.js'

type Step =
  | {
      readonly kind:
        | 'signIn'
        | 'cancel'
        | 'signOut'
        | 'approve'
        | 'restart'
        | 'refused'
        | 'ask'
        | 'all'
    }
  | { readonly kind: 'answer'; readonly which: number; readonly answer: Answer }
  | { readonly kind: 'wait'; readonly ms: number }

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.constant({ kind: 'signIn' } as const) },
  { weight: 2, arbitrary: fc.constant({ kind: 'approve' } as const) },
  // The whole way in, since few random walks find it.
  { weight: 2, arbitrary: fc.constant({ kind: 'all' } as const) },
  {
    weight: 3,
    arbitrary: fc.constantFrom(
      ...(['cancel', 'signOut', 'restart', 'refused', 'refused', 'ask', 'ask'] as const).map(
        (kind) => ({
          kind,
        }),
      ),
    ),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('answer' as const),
      which: fc.nat(3),
      answer: fc.constantFrom<Answer>('good', 'good', 'good', 'good', 'network', 'refused'),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('wait' as const),
      ms: fc.constantFrom(
        1,
        999,
        1_000,
        1_001,
        5_000,
        14_999,
        30_000,
        60_000,
        3_300_000,
        3_600_000,
      ),
    }),
  },
)

const product = { out: 'signedOut', asking: 'loading', linking: 'linking', in: 'signedIn' } as const

describe('[SESS-18] any interleaving of answers, time, user and network', () => {
  it('agrees with the model at rest, and leaves nothing behind', async () => {
    const witnesses: Record<string, number> = { asked: 0, restarted: 0, refused: 0 }
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 10, maxLength: 80, size: 'max' }),
        async (steps) => {
          const clock = createManualClock()
          const model = createModel(clock)
          const store = createMemoryStore()
          const sync = createFakeSync()
          const startedAs: string[] = []
          const open = (): Session => {
            const session = createSession({
              api: model.api,
              store,
              clock,
              random: () => 0,
              device: { deviceName: 'd', platform: 'p', appVersion: 'v' },
              sync: {
                ...sync,
                start() {
                  startedAs.push(session.status.state)
                  sync.start()
                },
              },
            })
            session.start()
            return session
          }
          let session = open()
          const tokens: string[] = []

          for (const step of [...steps]) {
            switch (step.kind) {
              case 'signIn':
                await clock.advanceAsync(0)
                model.signIn()
                session.signIn()
                break
              case 'all':
                await clock.advanceAsync(0)
                model.signIn()
                session.signIn()
                await clock.advanceAsync(0)
                model.answer(0, 'good')
                await clock.advanceAsync(1_000)
                model.approve()
                model.answer(0, 'good')
                break
              case 'cancel':
                model.cancel()
                session.cancel()
                break
              case 'signOut':
                model.signOut()
                void session.signOut()
                break
              case 'approve':
                model.approve()
                break
              case 'restart':
                await clock.advanceAsync(0)
                model.restart()
                session.dispose()
                expect(sync.isRunning).toBe(false)
                expect(clock.pending.count).toBe(0)
                session = open()
                witnesses['restarted'] = (witnesses['restarted'] ?? 0) + 1
                break
              case 'refused':
                // Of a token that was never given, or has been replaced: no end of the session.
                await clock.advanceAsync(0)
                void session.credentials({ refused: true }).catch(() => undefined)
                witnesses['refused'] = (witnesses['refused'] ?? 0) + 1
                break
              case 'ask': {
                await clock.advanceAsync(0)
                const { phase } = model
                let given: string | undefined
                void session.credentials().then(
                  ({ accessToken }) => {
                    given = accessToken
                  },
                  () => undefined,
                )
                await clock.advanceAsync(0)
                if (given === undefined) break
                // Never a token of before: not of a former sign-in, nor of an older renewal.
                expect(phase).toEqual({ name: 'in', token: given })
                const order = tokens.indexOf(given)
                expect(order === -1 || order === tokens.length - 1).toBe(true)
                if (order === -1) tokens.push(given)
                witnesses['asked'] = (witnesses['asked'] ?? 0) + 1
                break
              }
              case 'answer':
                model.answer(step.which, step.answer)
                break
              case 'wait':
                await clock.advanceAsync(step.ms)
                break
              default:
                step satisfies never
            }
            await clock.advanceAsync(0)
            const { phase } = model
            expect(session.status.state).toBe(product[phase.name])
            expect(sync.isRunning).toBe(phase.name === 'in')
            expect((await store.get('session')) !== undefined).toBe(phase.name === 'in')
          }

          expect(startedAs.every((state) => state === 'signedIn')).toBe(true)
          void session.signOut()
          await clock.advanceAsync(15_000)
          expect(session.status.state).toBe('signedOut')
          expect(clock.pending.count).toBe(0)
          session.dispose()
          expect([clock.pending.count, sync.isRunning]).toEqual([0, false])
          for (const [name, count] of Object.entries(model.witnesses)) {
            witnesses[name] = (witnesses[name] ?? 0) + count
          }
        },
      ),
      { numRuns: 150 },
    )
    for (const name of ['linked', 'expired', 'renewed', 'revoked', 'givenUp', 'asked']) {
      expect(witnesses[name], name).toBeGreaterThan(0)
    }
  }, 60_000)
})
