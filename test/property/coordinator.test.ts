import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { here, plain, put, taken, title } from '../state/board.js'
import { createCoordinator } from '../machines/coordinator/create-coordinator.js'

type Step =
  | { readonly op: 'start' | 'stop' | 'opened' | 'dropped' | 'reject' }
  | { readonly op: 'resolve' | 'title' | 'here' | 'taken'; readonly id: string }
  | { readonly op: 'put'; readonly id: string; readonly text: string }
  | { readonly op: 'wait'; readonly ms: number }

const id = fc.integer({ min: 0, max: 4 }).map(String)
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ op: fc.constantFrom('start' as const) }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constantFrom('stop' as const) }) },
  {
    weight: 3,
    arbitrary: fc.record({ op: fc.constantFrom('opened' as const, 'dropped' as const) }),
  },
  { weight: 3, arbitrary: fc.record({ op: fc.constantFrom('reject' as const) }) },
  {
    weight: 14,
    arbitrary: fc.record({
      op: fc.constantFrom('resolve', 'resolve', 'title', 'title', 'here', 'here', 'here', 'taken'),
      id,
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      op: fc.constant('put' as const),
      id,
      text: fc.constantFrom('', 'done'),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      op: fc.constant('wait' as const),
      ms: fc.constantFrom(1, 999, 1_000, 2_500, 5_000, 10_000, 59_999, 60_000, 60_000, 60_000),
    }),
  },
)

// A long time without connection, which single steps rarely make.
const outage = fc
  .constantFrom(5_000, 59_999, 60_000)
  .map((ms): Step[] => [{ op: 'dropped' }, { op: 'opened' }, { op: 'wait', ms }])
const history = fc
  .array(
    fc.oneof({ weight: 30, arbitrary: step.map((one) => [one]) }, { weight: 1, arbitrary: outage }),
    { size: 'max', minLength: 20, maxLength: 120 },
  )
  .map((parts) => parts.flat())

const ladder = [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000]

// A simple model of a coordinator: each thing that waits has the time at which it happens, and time
// moves from one to the next.
class Model {
  now = 0
  snapshot: 'stopped' | 'loading' | 'loaded' | 'retrying' = 'stopped'
  presence: 'confirmed' | 'dropped' | 'unconfirmed' = 'confirmed'
  loadEndsAt = Infinity
  retryAt = Infinity
  leaveAt = Infinity
  failures = 0
  heardTitle = false
  title = ''
  notes = new Map<string, { readonly text: string; readonly leavesAt: number }>()
  peers = new Map<string, boolean>()
  readonly witnessed = { loads: 0, timeouts: 0, retries: 0, left: 0, expired: 0, liveWon: 0 }

  private load(): void {
    this.snapshot = 'loading'
    this.loadEndsAt = this.now + 10_000
    this.retryAt = Infinity
    this.heardTitle = false
  }

  private endLoad(next: 'loaded' | 'retrying'): void {
    this.snapshot = next
    this.loadEndsAt = Infinity
    if (next === 'loaded') return
    this.failures += 1
    this.retryAt = this.now + ladder[Math.min(this.failures, ladder.length) - 1]!
  }

  apply(one: Step): void {
    switch (one.op) {
      case 'start':
        if (this.snapshot !== 'stopped') return
        this.failures = 0
        this.load()
        return
      case 'stop':
        this.snapshot = 'stopped'
        this.presence = 'confirmed'
        this.loadEndsAt = this.retryAt = this.leaveAt = Infinity
        this.title = ''
        this.notes.clear()
        this.peers.clear()
        return
      case 'opened':
        if (this.snapshot !== 'stopped') {
          this.failures = 0
          this.load()
        }
        if (this.presence !== 'dropped') return
        this.presence = 'unconfirmed'
        this.leaveAt = this.now + 60_000
        return
      case 'dropped':
        if (this.presence === 'dropped') return
        this.presence = 'dropped'
        this.leaveAt = Infinity
        for (const peer of this.peers.keys()) this.peers.set(peer, false)
        return
      case 'resolve':
        if (this.snapshot !== 'loading') return
        if (this.heardTitle) this.witnessed.liveWon += 1
        else this.title = `loaded ${one.id}`
        this.endLoad('loaded')
        this.witnessed.loads += 1
        return
      case 'reject':
        if (this.snapshot === 'loading') this.endLoad('retrying')
        return
      case 'title':
        this.title = one.id
        this.heardTitle = true
        return
      case 'here':
        this.peers.set(one.id, true)
        return
      case 'taken':
        this.notes.delete(one.id)
        return
      case 'put':
        this.notes.set(one.id, {
          text: one.text,
          leavesAt: one.text === 'done' ? this.now + 5_000 : Infinity,
        })
        this.title = `last put: ${one.id}`
        return
      case 'wait':
        this.wait(one.ms)
        return
      default:
        one satisfies never
    }
  }

  private wait(ms: number): void {
    const until = this.now + ms
    for (;;) {
      const leaves = [...this.notes.values()].map(({ leavesAt }) => leavesAt)
      const next = Math.min(this.loadEndsAt, this.retryAt, this.leaveAt, ...leaves)
      if (next > until) break
      this.now = next
      for (const [name, { leavesAt }] of this.notes) {
        if (leavesAt > next) continue
        this.notes.delete(name)
        this.witnessed.expired += 1
      }
      if (this.leaveAt <= next) this.letPeersLeave()
      if (this.loadEndsAt <= next) {
        this.endLoad('retrying')
        this.witnessed.timeouts += 1
      } else if (this.retryAt <= next) {
        this.load()
        this.witnessed.retries += 1
      }
    }
    this.now = until
  }

  private letPeersLeave(): void {
    this.presence = 'confirmed'
    this.leaveAt = Infinity
    for (const [peer, isSure] of this.peers) {
      if (isSure) continue
      this.peers.delete(peer)
      this.witnessed.left += 1
    }
  }

  seen() {
    const isWaiting = [...this.notes.values()].some(({ leavesAt }) => leavesAt < Infinity)
    return {
      value: { snapshot: this.snapshot, presence: this.presence },
      state: {
        notes: [...this.notes].map(([name, { text }]) => `${name}: ${text}`),
        peers: [...this.peers].map(([name, isSure]) => (isSure ? name : `${name}?`)),
        title: this.title,
      },
      isWaiting,
    }
  }
}

describe('a coordinator', () => {
  it('[COORD-31] does what a model of time and state does, under any events', async () => {
    const witnessed = { loads: 0, timeouts: 0, retries: 0, left: 0, expired: 0, liveWon: 0 }
    await fc.assert(
      fc.asyncProperty(history, async (steps) => {
        const { actor, batch, clock, folding, loads, value } = createCoordinator()
        const model = new Model()
        for (const one of steps) {
          model.apply(one)
          switch (one.op) {
            case 'start':
            case 'stop':
              actor.send({ type: `coordinator.${one.op}` })
              break
            case 'opened':
            case 'dropped':
              actor.send({ type: `connection.${one.op}` })
              break
            case 'resolve':
              // Every load that was started. A load that was given up must change nothing.
              for (const load of loads) load.resolve({ title: `loaded ${one.id}` })
              await clock.advanceAsync(0)
              break
            case 'reject':
              for (const load of loads) load.reject(new Error('down'))
              await clock.advanceAsync(0)
              break
            case 'title':
              batch(title(one.id))
              break
            case 'here':
              batch(here(one.id))
              break
            case 'taken':
              batch(taken(one.id))
              break
            case 'put':
              batch(put(one.id, one.text))
              break
            case 'wait':
              await clock.advanceAsync(one.ms)
              break
            default:
              one satisfies never
          }
          const { isWaiting, ...expected } = model.seen()
          expect({ value: value(), state: plain(folding.state) }).toMatchObject(expected)
          if (isWaiting) expect(value()).toMatchObject({ expiry: 'waiting' })
        }
        actor.send({ type: 'coordinator.stop' })
        expect(clock.pending.count).toBe(0)
        for (const [name, count] of Object.entries(model.witnessed)) {
          witnessed[name as keyof typeof witnessed] += count
        }
      }),
      { numRuns: 80 },
    )
    for (const [name, count] of Object.entries(witnessed))
      expect([name, count > 5]).toEqual([name, true])
  })
})
