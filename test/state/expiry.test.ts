import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { PersistentMap } from '../../src/base/persistent-map.js'
import { createBench, here, initial, put, taken, title } from './board.js'

describe('expiry', () => {
  it('[COORD-13] removes an entry exactly as long after its condition held as the rule says', () => {
    const { folding, batch, clock } = createBench()
    clock.advance(100)
    batch(put('a', 'done'), put('b'))
    expect(folding.nextExpiryAt()).toBe(5_100)
    clock.advance(4_999)
    folding.removeExpired()
    expect([...folding.state.notes.keys()]).toEqual(['a', 'b'])
    clock.advance(1)
    folding.removeExpired()
    expect([...folding.state.notes.keys()]).toEqual(['b'])
    expect(folding.nextExpiryAt()).toBeUndefined()
  })

  it('[COORD-14] decides anew whenever the entry changes', () => {
    const { folding, batch, clock } = createBench()
    batch(put('cancelled', 'done'), put('restarted', 'done'), put('taken', 'done'))
    clock.advance(3_000)
    batch(put('cancelled'), put('restarted', 'done'), taken('taken'))
    expect(folding.nextExpiryAt()).toBe(8_000)
    clock.advance(2_000)
    folding.removeExpired()
    expect([...folding.state.notes.keys()]).toEqual(['cancelled', 'restarted'])
    clock.advance(3_000)
    folding.removeExpired()
    expect([...folding.state.notes.keys()]).toEqual(['cancelled'])
  })

  it('[COORD-14] goes by what a batch comes to', () => {
    const { folding, batch } = createBench()
    batch(put('a', 'done'), put('a'), put('b'), put('b', 'done'), put('c', 'done'), taken('c'))
    expect(folding.nextExpiryAt()).toBe(5_000)
    batch(put('b'))
    expect(folding.nextExpiryAt()).toBeUndefined()
  })

  it('[COORD-14] leaves alone what a fold that threw, or a change elsewhere, did not change', () => {
    const { folding, batch, clock } = createBench()
    batch(put('a', 'done'))
    clock.advance(1_000)
    batch(title('t'), put('a', 'throw'), put('b', 'done'))
    expect(folding.nextExpiryAt()).toBe(5_000)
    clock.advance(4_000)
    folding.removeExpired()
    expect([...folding.state.notes.keys()]).toEqual(['b'])
    expect(folding.nextExpiryAt()).toBe(6_000)
  })

  it('[COORD-14] keeps the deadlines of entries that came along into another map', () => {
    const { folding, batch, clock } = createBench({
      fold: {
        PUT(state, { data: { id, text } }) {
          state.notes = PersistentMap.from([...state.notes]).set(id, { text })
        },
        TAKEN(state, { data: { id } }) {
          state.notes = PersistentMap.from([...state.notes].filter(([name]) => name !== id))
        },
      },
    })
    batch(put('a', 'done'), put('b', 'done'))
    clock.advance(2_000)
    batch(put('c', 'done'))
    expect(folding.nextExpiryAt()).toBe(5_000)
    batch(taken('a'))
    batch(put('b', 'done'))
    expect(folding.nextExpiryAt()).toBe(7_000)
    clock.advance(5_000)
    folding.removeExpired()
    expect(folding.state.notes.size).toBe(0)
  })

  it('[COORD-14] counts what is in the open batch as newer than the deadline', () => {
    const { folding, batch, clock } = createBench()
    batch(put('a', 'done'), put('b', 'done'))
    clock.advance(5_000)
    folding.fold(put('a', 'done'))
    folding.removeExpired()
    expect([...folding.state.notes.keys()]).toEqual(['a'])
    expect(folding.nextExpiryAt()).toBe(10_000)
  })

  it('[COORD-15] keeps an entry whose condition throws, and reports it', () => {
    const { folding, batch, errors } = createBench({
      expire: {
        notes: {
          afterMs: 5_000,
          when({ text }) {
            if (text === 'odd') throw new Error('when')
            return text === 'done'
          },
        },
      },
    })
    batch(put('a', 'odd'), put('b', 'done'))
    expect(errors).toMatchObject([{ code: 'fold-threw', cause: new Error('when') }])
    expect(errors[0]?.message).toContain('expire.notes.when')
    expect([...folding.state.notes.keys()]).toEqual(['a', 'b'])
    expect(folding.nextExpiryAt()).toBe(5_000)
  })

  it('[COORD-16] says when the next entry leaves only when that is sooner than it said', () => {
    const { folding, batch, clock } = createBench()
    batch(put('before', 'done'))
    clock.advance(100)
    const said: number[] = []
    const unwatch = folding.watch({
      committed: () => undefined,
      expiryScheduled: (at) => said.push(at),
    })
    expect(said).toEqual([5_000])
    batch(put('a', 'done'))
    batch(put('before'), put('a', 'done'))
    expect(said).toEqual([5_000])
    clock.advance(4_900)
    folding.removeExpired()
    expect(said).toEqual([5_000, 5_100])
    clock.advance(100)
    folding.removeExpired()
    expect(said).toEqual([5_000, 5_100])
    batch(put('b', 'done'))
    expect(said).toEqual([5_000, 5_100, 10_100])
    unwatch()
    clock.advance(5_000)
    folding.removeExpired()
    batch(put('c', 'done'))
    expect(said).toHaveLength(3)
  })

  it.each([
    { field: 'notes', notes: 1_000, peers: 2_000 },
    { field: 'peers', notes: 2_000, peers: 1_000 },
  ])('[COORD-16] waits for the entry of $field where it leaves first', ({ notes, peers }) => {
    const { folding, batch } = createBench({
      expire: {
        notes: { when: () => true, afterMs: notes },
        peers: { when: () => true, afterMs: peers },
      },
    })
    batch(put('a'))
    expect(folding.nextExpiryAt()).toBe(notes)
    batch(here('p'))
    expect(folding.nextExpiryAt()).toBe(1_000)
    batch(taken('a'))
    expect(folding.nextExpiryAt()).toBe(peers)
  })

  it('[COORD-17] begins again with the entries of the initial state when it is cleared', () => {
    const notes = PersistentMap.from([['i', { text: 'done' }]])
    const { folding, batch, clock } = createBench({ initial: { ...initial, notes } })
    expect(folding.nextExpiryAt()).toBe(5_000)
    batch(put('a', 'done'))
    clock.advance(5_000)
    folding.removeExpired()
    expect(folding.state.notes.size).toBe(0)
    batch(put('b', 'done'))
    folding.clear()
    expect([...folding.state.notes.keys()]).toEqual(['i'])
    expect(folding.nextExpiryAt()).toBe(10_000)
    clock.advance(5_000)
    folding.removeExpired()
    expect(folding.state.notes.size).toBe(0)
  })

  it('[COORD-13] [COORD-14] agrees with a model of one deadline per key, for any history', () => {
    const witnessed = { expired: 0, restarted: 0, cancelled: 0, returned: 0 }
    const id = fc.integer({ min: 0, max: 9 }).map(String)
    const step = fc.oneof(
      fc.record({ op: fc.constant('put'), id, text: fc.constantFrom('', 'done', 'done', 'throw') }),
      fc.record({ op: fc.constant('taken'), id }),
      fc.record({ op: fc.constant('wait'), ms: fc.constantFrom(1, 500, 1_000, 2_500) }),
    )
    fc.assert(
      fc.property(fc.array(fc.array(step), { size: 'max', maxLength: 60 }), (batches) => {
        const { folding, clock } = createBench()
        const deadlines = new Map<string, number>()
        const present = new Set<string>()
        const gone = new Set<string>()
        for (const steps of batches) {
          const touched = new Set<string>()
          const due = new Set<string>()
          for (const one of steps) {
            if (one.op === 'put' && 'text' in one && one.text !== 'throw') {
              folding.fold(put(one.id, one.text))
              if (gone.delete(one.id)) witnessed.returned += 1
              present.add(one.id)
              touched.add(one.id)
              if (one.text === 'done') due.add(one.id)
              else due.delete(one.id)
            } else if (one.op === 'put' && 'text' in one) {
              folding.fold(put(one.id, one.text))
            } else if (one.op === 'taken' && 'id' in one && present.delete(one.id)) {
              folding.fold(taken(one.id))
              touched.add(one.id)
              due.delete(one.id)
            }
          }
          folding.commit()
          for (const key of touched) {
            const before = deadlines.get(key)
            deadlines.delete(key)
            if (due.has(key)) deadlines.set(key, clock.now() + 5_000)
            if (before !== undefined) witnessed[due.has(key) ? 'restarted' : 'cancelled'] += 1
          }
          expect(folding.nextExpiryAt()).toBe(
            deadlines.size === 0 ? undefined : Math.min(...deadlines.values()),
          )
          for (const one of steps) {
            if (!('ms' in one)) continue
            clock.advance(one.ms)
            folding.removeExpired()
            for (const [key, at] of deadlines) {
              if (at > clock.now()) continue
              deadlines.delete(key)
              present.delete(key)
              gone.add(key)
              witnessed.expired += 1
            }
            expect(new Set(folding.state.notes.keys())).toEqual(present)
          }
        }
      }),
      { numRuns: 100 },
    )
    for (const count of Object.values(witnessed)) expect(count).toBeGreaterThan(50)
  })
})
