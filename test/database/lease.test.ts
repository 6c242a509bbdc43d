import * as fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { type Database } from '../../src/database/database.js'
import { acquireLease, LostError } from '../../src/database/lease.js'
import { createMemoryDatabase } from '../../src/database/memory.js'
import { createManualClock } from '../../src/testing/clock.js'
import { drain, leaseMs, Place, STEP_MS, type Tab, table } from './lease-tabs.js'

const never = new AbortController().signal

async function openOwner(options: { readonly hasLocks: boolean }) {
  const place = new Place(options)
  const owner = place.open()
  await owner.claim()
  expect(owner.owns).toBe(true)
  return { place, owner, fence: owner.lease?.fence ?? 0 }
}

async function openStandby(place: Place): Promise<Tab> {
  const standby = place.open()
  await standby.claim()
  return standby
}

/** The methods of a handle, of which a test replaces some. */
function portOf(handle: Database): Database {
  return {
    transact: (reads, change) => handle.transact(reads, change),
    watch: (changed) => handle.watch(changed),
    close: () => handle.close(),
  }
}

/** All that must be gone once nobody owns or waits. */
function leftovers(tabs: readonly Tab[]): number[] {
  return tabs.map((tab) => tab.clock.pending.count + tab.listeners)
}

for (const hasLocks of [true, false]) {
  describe(`ownership by lease, ${hasLocks ? 'with' : 'without'} locks`, () => {
    it('[DB-30] [DB-31] leaves an owner that answers alone, however many wait', async () => {
      const { place, owner } = await openOwner({ hasLocks })
      const standbys = [await openStandby(place), await openStandby(place)]
      await place.pass(10 * leaseMs)
      expect(await place.writers()).toEqual([owner])
      expect(owner.lease?.lost.aborted).toBe(false)
      // Once for each question.
      expect(standbys.map(({ answers }) => answers)).toEqual([11, 11])
    })

    it('[DB-30] [DB-32] passes on at once on release, to one standby, with a larger fence', async () => {
      const { place, owner, fence } = await openOwner({ hasLocks })
      for (let count = 0; count < 3; count += 1) await openStandby(place)
      await owner.release()
      await owner.release()
      const [next, ...more] = await place.writers()
      expect(more).toEqual([])
      expect(next?.lease?.fence).toBe(fence + 1)
      expect(await owner.canWrite()).toBe(false)
      expect(owner.lease?.lost.aborted).toBe(false)
    })

    it('[DB-30] leaves the first of several that start at once alone', async () => {
      const place = new Place({ hasLocks })
      const tabs = [place.open(), place.open(), place.open()]
      await Promise.all(tabs.map((one) => one.claim()))
      await place.pass(5 * leaseMs)
      expect(await place.writers()).toHaveLength(1)
      expect(tabs.filter(({ lease }) => lease !== undefined)).toHaveLength(1)
    })

    it('[DB-33] puts a frozen owner off after its lease, and tells it when it thaws', async () => {
      const { place, owner, fence } = await openOwner({ hasLocks })
      const standbys = [await openStandby(place), await openStandby(place)]
      owner.freeze()
      await place.pass(leaseMs - STEP_MS)
      expect(await place.writers()).toEqual([])
      await place.pass(leaseMs + STEP_MS)
      const writers = await place.writers()
      expect(writers).toHaveLength(1)
      expect(standbys).toContain(writers[0])
      expect(writers[0]?.lease?.fence).toBe(fence + 1)
      await owner.thaw()
      expect(owner.lease?.lost.aborted).toBe(true)
      expect(await owner.canWrite()).toBe(false)
      await place.pass(3 * leaseMs)
      expect(await place.writers()).toEqual(writers)
    })

    it('[DB-34] follows a crashed owner', async () => {
      const { place, owner } = await openOwner({ hasLocks })
      const standby = await openStandby(place)
      await owner.crash()
      expect(standby.owns).toBe(hasLocks)
      await place.pass(2 * leaseMs)
      expect(await place.writers()).toEqual([standby])
      // One that comes later, too.
      await standby.crash()
      const late = await openStandby(place)
      expect(late.owns).toBe(hasLocks)
      await place.pass(leaseMs)
      expect(await place.writers()).toEqual([late])
    })

    it('[DB-35] does not put off an owner when the whole machine slept', async () => {
      const { place, owner } = await openOwner({ hasLocks })
      await openStandby(place)
      for (let night = 0; night < 5; night += 1) {
        await place.pass(night * STEP_MS)
        // Whatever is asked now is answered only after the sleep.
        owner.freeze()
        await place.pass(leaseMs - STEP_MS)
        await place.sleep(3_600_000)
        await owner.thaw()
        await place.pass(leaseMs)
      }
      expect(await place.writers()).toEqual([owner])
    })

    it('[DB-35] puts a frozen owner off in a hidden tab, whose timers are all late', async () => {
      const { place, owner } = await openOwner({ hasLocks })
      const standby = await openStandby(place)
      standby.clock.throttle(60_000)
      owner.freeze()
      await place.pass(240_000)
      expect(await place.writers()).toEqual([standby])
    })

    it('[DB-36] ends a wait with an AbortError, and leaves nothing behind', async () => {
      const { place, owner } = await openOwner({ hasLocks })
      const standby = await openStandby(place)
      await standby.abort()
      expect(standby.error).toMatchObject({ name: 'AbortError' })
      const late = place.open()
      await late.abort()
      await late.claim()
      expect(late.error).toMatchObject({ name: 'AbortError' })
      expect(leftovers([standby, late])).toEqual([0, 0])
      await owner.release()
      expect(leftovers([owner])).toEqual([0])
      expect((await openStandby(place)).owns).toBe(true)
    })

    it('[DB-37] has one owner after the database was deleted', async () => {
      const { place, owner } = await openOwner({ hasLocks })
      const standby = await openStandby(place)
      place.rows.clear()
      await place.pass(leaseMs)
      expect(await place.writers()).toEqual([standby])
      // Its next transaction tells it, together with the other history.
      owner.lease?.lose()
      expect(leftovers([owner])).toEqual([0])
    })
  })
}

describe('ownership by lease', () => {
  it('[DB-34] does not take a lock that was free too late for that of the next owner', async () => {
    const { place, owner } = await openOwner({ hasLocks: true })
    const [sleeper, next] = [await openStandby(place), await openStandby(place)]
    // The lock of the owner goes to a tab that is frozen.
    sleeper.freeze()
    await owner.crash()
    await place.pass(2 * leaseMs)
    expect(await place.writers()).toEqual([next])
    await sleeper.thaw()
    await place.pass(2 * leaseMs)
    expect(await place.writers()).toEqual([next])
    expect(next.lease?.lost.aborted).toBe(false)
  })

  it('[DB-38] does not look at each write of an owner that has answered and holds its lock', async () => {
    const { place, owner } = await openOwner({ hasLocks: true })
    const standby = await openStandby(place)
    const before = standby.transactions
    for (let count = 0; count < 100; count += 1) await owner.canWrite()
    await drain()
    expect(standby.transactions).toBe(before)
    await owner.release()
    expect(standby.owns).toBe(true)
  })

  const locks: readonly [string, () => Promise<never>, number][] = [
    ['forbids', () => Promise.reject(new DOMException('forbidden', 'SecurityError')), 0],
    [
      'throws for',
      () => {
        throw new DOMException('forbidden', 'SecurityError')
      },
      0,
    ],
    ['never answers about', () => new Promise<never>(() => undefined), leaseMs],
  ]
  it.each(locks)('[DB-34] goes on where the system %s locks', async (_, lock, passMs) => {
    const rows = createMemoryDatabase()
    const clock = createManualClock()
    const open = (): Database => ({ ...portOf(rows.open()), lock })
    const options = () => ({ database: open(), table, clock, leaseMs, signal: never })
    const first = acquireLease(options())
    await clock.advanceAsync(passMs)
    const owner = await first
    const next = acquireLease(options())
    await clock.advanceAsync(5 * leaseMs)
    expect(owner.lost.aborted).toBe(false)
    await owner.release()
    expect((await next).fence).toBe(owner.fence + 1)
    expect(clock.pending.count).toBe(0)
  })

  it('[DB-34] gives back its own lock when it comes too late', async () => {
    const clock = createManualClock()
    let grant: (unlock: () => void) => void = () => undefined
    const lock = (): Promise<() => void> =>
      new Promise((resolve) => {
        grant = resolve
      })
    const database: Database = { ...portOf(createMemoryDatabase()), lock }
    const waiting = acquireLease({ database, table, clock, leaseMs, signal: never })
    await clock.advanceAsync(leaseMs)
    await waiting
    const unlock = vi.fn()
    grant(unlock)
    await drain()
    expect(unlock).toHaveBeenCalledTimes(1)
  })

  it('[DB-36] rejects when the watch of the database throws', async () => {
    const clock = createManualClock()
    const watch = (): never => {
      throw new Error('no watch')
    }
    const database: Database = { ...portOf(createMemoryDatabase()), watch }
    const waiting = acquireLease({ database, table, clock, leaseMs, signal: never })
    await expect(waiting).rejects.toThrow('no watch')
    expect(clock.pending.count).toBe(0)
  })

  it('[DB-36] gives back what it took while the signal aborted', async () => {
    const rows = createMemoryDatabase()
    const clock = createManualClock()
    for (let turns = 0; turns < 12; turns += 1) {
      const controller = new AbortController()
      const database = rows.open()
      const waiting = acquireLease({ database, table, clock, leaseMs, signal: controller.signal })
      for (let turn = 0; turn < turns; turn += 1) await Promise.resolve()
      controller.abort()
      const lease = await waiting.catch(() => undefined)
      await lease?.release()
    }
    const last = await acquireLease({ database: rows.open(), table, clock, leaseMs, signal: never })
    expect(last.lost.aborted).toBe(false)
    expect(clock.pending.count).toBe(0)
  })

  it('[DB-36] rejects with what the database rejects with', async () => {
    const handle = createMemoryDatabase()
    const clock = createManualClock()
    await handle.close()
    const waiting = acquireLease({ database: handle, table, clock, leaseMs, signal: never })
    await expect(waiting).rejects.toThrow('was closed')
    expect(clock.pending.count).toBe(0)
  })

  it('[DB-31] rejects the writes of a former owner with a LostError', async () => {
    const { place, owner } = await openOwner({ hasLocks: false })
    await owner.release()
    await openStandby(place)
    const { lease } = owner
    await expect(
      place.rows.transact(lease ? [lease.read] : [], ({ rows: [rows] }) => ({
        writes: lease?.keep(rows) ?? [],
        result: undefined,
      })),
    ).rejects.toThrow(LostError)
  })
})

type Step =
  | { readonly op: 'open' | 'release' }
  | { readonly op: 'abort' | 'crash' | 'freeze' | 'thaw'; readonly tab: number }
  | { readonly op: 'pass' | 'sleep'; readonly ms: number }

const tab = fc.nat(5)
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ op: fc.constant('open' as const) }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('release' as const) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      op: fc.constantFrom('abort', 'crash', 'freeze', 'freeze', 'thaw', 'thaw'),
      tab,
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      op: fc.constant('pass' as const),
      ms: fc.constantFrom(STEP_MS, 3_000, leaseMs - STEP_MS, leaseMs, 2 * leaseMs),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ op: fc.constant('sleep' as const), ms: fc.constantFrom(2_000, 60_000) }),
  },
)

async function take(place: Place, move: Step): Promise<void> {
  switch (move.op) {
    case 'open':
      if (place.tabs.length < 6) await openStandby(place)
      break
    case 'release':
      await place.tabs.find(({ owns }) => owns)?.release()
      break
    case 'abort':
    case 'crash':
    case 'freeze':
    case 'thaw':
      await place.tabs[move.tab]?.[move.op]()
      break
    case 'pass':
    case 'sleep':
      await place[move.op](move.ms)
      break
    default:
      move satisfies never
  }
}

/** Whether a tab is there to own: one that was told that it lost its lease waits no more. */
const isThere = ({ state, lease, error }: Tab): boolean =>
  state === 'running' && error === undefined && lease?.lost.aborted !== true

describe('ownership by lease, whatever happens', () => {
  for (const hasLocks of [true, false]) {
    it(`[DB-30] [DB-31] has one owner, ${hasLocks ? 'with' : 'without'} locks`, async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
          const place = new Place({ hasLocks })
          let fence = 0
          const released = new Set<Tab>()
          for (const move of steps) {
            const owner = place.tabs.find(({ owns }) => owns)
            await take(place, move)
            if (move.op === 'release' && owner) released.add(owner)
            const writers = await place.writers()
            expect(writers.length).toBeLessThanOrEqual(1)
            const current = writers[0]?.lease?.fence ?? fence
            expect(current).toBeGreaterThanOrEqual(fence)
            fence = current
            for (const { lease, longestFrozenMs } of place.tabs) {
              // Only who did not answer for a whole lease has lost it.
              if (lease?.lost.aborted === true)
                expect(longestFrozenMs).toBeGreaterThanOrEqual(leaseMs)
            }
          }
          const waiting = place.tabs.filter((one) => isThere(one) && !released.has(one))
          await place.pass(3 * leaseMs)
          expect(await place.writers()).toHaveLength(waiting.length > 0 ? 1 : 0)
          const running = place.tabs.filter(({ state }) => state === 'running')
          for (const one of running) await one.abort()
          for (const one of running) await one.release()
          expect(leftovers(running)).toEqual(running.map(() => 0))
        }),
        { numRuns: 100 },
      )
    })
  }
})
