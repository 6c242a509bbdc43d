import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type * as z from 'zod/mini'
import type { SyncError } from '../../src/base/errors.js'
import { createFolding, type Folding } from '../../src/state/folding.js'
import { createManualClock } from '../../src/testing/clock.js'
import { PersistentMap } from '../../src/base/persistent-map.js'
import type { Draft } from '../../src/schemas/coordinator.js'
import type { ReadMessage } from '../../src/schemas/reader.js'
import type { Schema } from '../../src/schemas/schema.js'
import {
  type Board,
  type BoardDefinition,
  board,
  createBench,
  here,
  initial,
  message,
  type Note,
  plain,
  put,
  taken,
  title,
} from './board.js'

const unexpected = (error: SyncError) => expect.unreachable(error.message)

describe('folding', () => {
  it('[COORD-1] takes a changed draft and a returned state alike', () => {
    const { folding, batch } = createBench()
    expect(folding.state).toBe(initial)
    expect(batch(put('a', 'x'), put('b', 'y'), taken('a'), here('p'), title('t'))).toBe(true)
    expect(plain(folding.state)).toEqual({ notes: ['b: y'], peers: ['p'], title: 't' })
  })

  it('[COORD-1] publishes nothing before the batch is committed', () => {
    const { folding } = createBench()
    folding.fold(put('a'))
    expect(folding.state).toBe(initial)
    folding.commit()
    expect(folding.state.notes.has('a')).toBe(true)
  })

  it('[COORD-2] keeps the state, and each map in it, that a batch did not change', () => {
    const { folding, batch } = createBench()
    batch(put('a', 'x'), title('t'))
    const { state } = folding
    expect(batch(title('u'), title('t'))).toBe(false)
    expect(batch(message('NOISE'), taken('nobody'))).toBe(false)
    expect(batch()).toBe(false)
    expect(folding.state).toBe(state)

    expect(batch(title('u'))).toBe(true)
    expect(folding.state).not.toBe(state)
    expect(folding.state.notes).toBe(state.notes)
    expect(folding.state.peers).toBe(state.peers)
  })

  it('[COORD-2] tells a field that came or went from one that is undefined', () => {
    interface Bag {
      readonly kept: number
      readonly extra?: number | undefined
    }
    const folding = createFolding<{ ADD: null; REMOVE: null }, Bag, Schema, Schema>(
      {
        initial: { kept: 1 },
        fold: {
          ADD: () => ({ kept: 1, extra: undefined }),
          REMOVE: () => ({ kept: 1 }),
        },
      },
      { clock: { now: () => 0 }, report: unexpected },
    )
    const meta = { timestamp: undefined, deviceId: undefined, userId: undefined }
    folding.fold({ type: 'ADD', data: undefined, meta })
    expect(folding.commit()).toBe(true)
    expect('extra' in folding.state).toBe(true)
    folding.fold({ type: 'REMOVE', data: undefined, meta })
    expect(folding.commit()).toBe(true)
    expect('extra' in folding.state).toBe(false)
  })

  it('[COORD-3] never changes a state that was published', () => {
    const { folding, batch } = createBench()
    const seen: { readonly state: Board; readonly then: unknown }[] = []
    const look = () => seen.push({ state: folding.state, then: plain(folding.state) })
    for (let n = 0; n < 50; n += 1) {
      batch(put(`n${n % 7}`, `${n}`), here(`p${n % 3}`), put('x', n % 4 === 0 ? 'throw' : 'ok'))
      look()
      if (n % 5 === 0) folding.unconfirmPeers()
      look()
      if (n % 6 === 0) batch(taken(`n${n % 7}`))
      look()
    }
    for (const { state, then } of seen) expect(plain(state)).toEqual(then)
    expect(plain(initial)).toEqual({ notes: [], peers: [], title: '' })
  })

  it('[COORD-1] publishes a map where a fold put a draft into a field without one', () => {
    const initial: { notes: PersistentMap<string>; saved: unknown } = {
      notes: PersistentMap.from([['a', 'x']]),
      saved: undefined,
    }
    const folding = createFolding(
      {
        initial,
        fold: {
          SAVE(draft) {
            draft.saved = draft.notes
          },
        },
      },
      { clock: createManualClock(), report: () => expect.unreachable() },
    )
    folding.fold({
      type: 'SAVE',
      data: undefined,
      meta: { timestamp: 0, deviceId: '', userId: '' },
    })
    folding.commit()
    expect(folding.state.saved).toBeInstanceOf(PersistentMap)
    expect(folding.state.saved).toEqual(folding.state.notes)
  })

  it('[COORD-26] names the rule of presence that threw, and leaves the peer as it was', () => {
    const fails = () => {
      throw new Error('no')
    }
    for (const name of ['unconfirm', 'isUnconfirmed'] as const) {
      const { folding, batch, errors } = createBench({
        presence: { ...board.presence!, [name]: fails },
      })
      batch(here('a'))
      folding.unconfirmPeers()
      expect(errors[0]?.message).toBe(`coordinator.presence.${name} threw`)
      expect(folding.state.peers.has('a')).toBe(true)
    }
  })

  it('[COORD-3] never changes a published state by a draft that a fold kept', () => {
    const kept: { state?: Draft<Board>; notes?: Draft<Board>['notes'] } = {}
    const { folding, batch, errors } = createBench({
      fold: {
        PUT(state, { data }) {
          kept.state ??= state
          kept.notes ??= state.notes
          state.notes.set(data.id, { text: data.text })
        },
        TITLE() {
          kept.notes?.set('late', { text: '' })
        },
        HERE(state) {
          state.notes = kept.notes!
        },
      },
    })
    batch(put('a', 'x'))
    const { state } = folding
    kept.state!.title = 'late'
    kept.state!.notes = PersistentMap.empty()
    expect(() => kept.notes!.set('a', { text: 'late' })).toThrow(/draft/)
    expect(plain(state)).toEqual({ notes: ['a: x'], peers: [], title: '' })

    // Nor does it get into a later one, but where a fold puts it there.
    batch(put('b'), title(''))
    expect(plain(folding.state)).toEqual({ notes: ['a: x', 'b: '], peers: [], title: '' })
    expect(errors).toMatchObject([{ code: 'fold-threw' }])
    batch(here(''), put('c'))
    expect(plain(folding.state).notes).toEqual(['a: x', 'c: '])
    expect(plain(state).notes).toEqual(['a: x'])
  })

  it('[COORD-4] takes what a draft gives for the map that it stands for', () => {
    const { folding, batch, errors } = createBench({
      fold: {
        PUT(state, { data }) {
          state.notes = state.notes.set(data.id, { text: data.text })
        },
        TITLE: (state) => ({ ...state, notes: state.notes.set('t', { text: '' }) }),
        TAKEN(state) {
          for (const [id] of state.notes) state.notes.delete(id)
        },
        HERE: () => ({ ...initial, notes: initial.notes.set('h', { text: '' }) }),
      },
    })
    batch(put('a'), title(''), put('b'))
    expect(plain(folding.state).notes).toEqual(['a: ', 't: ', 'b: '])
    batch(taken(''))
    expect(plain(folding.state).notes).toEqual([])
    batch(here(''), put('c'))
    expect(plain(folding.state).notes).toEqual(['h: ', 'c: '])
    expect(initial.notes.size).toBe(0)
    expect(errors).toEqual([])
  })

  it('[COORD-4] opens maps that a fold puts in place, whichever way', () => {
    const another = PersistentMap.from<Note>([['old', { text: 'o' }]])
    const { folding, batch, errors } = createBench({
      fold: {
        PUT(state, { data }) {
          state.notes.set(data.id, { text: data.text })
        },
        TITLE(state) {
          state.notes = another
        },
        TAKEN: (state) => ({ ...state, notes: PersistentMap.empty() }),
        HERE: () => initial,
      },
    })
    batch(put('a'), title(''), put('b'))
    expect(plain(folding.state).notes).toEqual(['old: o', 'b: '])
    batch(taken(''), put('c'))
    expect(plain(folding.state).notes).toEqual(['c: '])
    batch(here(''), put('d'))
    expect(plain(folding.state).notes).toEqual(['d: '])
    batch(here(''))
    expect(plain(folding.state).notes).toEqual([])
    expect([...another.keys()]).toEqual(['old'])
    expect(errors).toEqual([])
  })

  it('[COORD-4] lets a fold move a map from one field to another', () => {
    interface Two {
      readonly now: PersistentMap<number>
      readonly before: PersistentMap<number>
      readonly shelf: readonly PersistentMap<number>[]
    }
    const empty = PersistentMap.empty<number>()
    type Types = { SET: z.ZodMiniNumber; SWAP: null; SHELVE: null }
    const folding = createFolding<Types, Two, Schema, Schema>(
      {
        initial: { now: empty, before: empty, shelf: [] },
        fold: {
          SET(draft, { data }) {
            draft.now.set(String(data), data)
          },
          SWAP(draft) {
            ;[draft.now, draft.before] = [draft.before, draft.now]
          },
          SHELVE(draft) {
            draft.shelf = [...draft.shelf, PersistentMap.from(draft.now)]
            draft.now = empty
          },
        },
      },
      { clock: { now: () => 0 }, report: unexpected },
    )
    const meta = { timestamp: undefined, deviceId: undefined, userId: undefined }
    const fold = (type: string, data?: number) => {
      folding.fold({ type, data, meta })
    }
    fold('SET', 1)
    fold('SWAP')
    fold('SET', 2)
    fold('SWAP')
    fold('SET', 3)
    folding.commit()
    const { now, before } = folding.state
    expect([[...now.keys()], [...before.keys()]]).toEqual([['1', '3'], ['2']])

    fold('SET', 4)
    fold('SHELVE')
    fold('SET', 5)
    folding.commit()
    const { shelf } = folding.state
    expect(shelf.map((map) => [...map.keys()])).toEqual([['1', '3', '4']])
    expect([...folding.state.now.keys()]).toEqual(['5'])
    expect(shelf[0]?.set('6', 6)).not.toBe(shelf[0])
  })

  it('[COORD-5] undoes a fold that throws, and reports what it threw', () => {
    const { folding, batch, errors } = createBench()
    batch(put('a', 'x'), put('b', 'throw'), put('c', 'z'))
    expect(plain(folding.state)).toMatchObject({ notes: ['a: x', 'c: z'], title: 'last put: c' })
    expect(errors).toMatchObject([{ code: 'fold-threw', cause: new Error('fold') }])
    expect(errors[0]?.message).toContain('fold.PUT')

    const { state } = folding
    expect(batch(put('d', 'throw'))).toBe(false)
    expect(folding.state).toBe(state)
  })

  it.each([
    ['opened', (folding: Folding) => folding.openConnection()],
    ['snapshot.fold', (folding: Folding) => folding.applySnapshot({ title: 't' })],
  ])('[COORD-5] names the rule where %s throws, and keeps the batch before it', (rule, change) => {
    const fail = () => {
      throw new Error(rule)
    }
    const { folding, errors } = createBench({
      opened: fail,
      snapshot: { schema: board.snapshot!.schema, fold: fail },
    })
    folding.fold(put('a'))
    change(folding)
    expect(errors).toMatchObject([{ code: 'fold-threw', cause: new Error(rule) }])
    expect(errors[0]?.message).toContain(`coordinator.${rule} `)
    expect(plain(folding.state).notes).toEqual(['a: '])
  })

  it('[COORD-21] says that a snapshot does not fit, and where', () => {
    const { folding, errors } = createBench()
    expect(folding.applySnapshot({ title: 5 })).toBe(false)
    expect(errors).toMatchObject([{ code: 'snapshot-failed' }])
    expect(errors[0]?.message).toMatch(
      /^what was loaded does not fit the snapshot's schema: .*title/,
    )
  })

  it('[COORD-6] folds each message at most twice, however many throw', () => {
    let folds = 0
    const { folding, errors } = createBench({
      fold: {
        PUT(state, { data }) {
          folds += 1
          state.notes.set(data.id, { text: data.text })
          if (data.text === 'throw') throw new Error('fold')
        },
      },
    })
    for (let n = 0; n < 2_000; n += 1) folding.fold(put(`n${n}`, n % 2 === 0 ? 'throw' : ''))
    folding.commit()
    expect(folding.state.notes.size).toBe(1_000)
    expect(errors).toHaveLength(1_000)
    expect(folds).toBeLessThanOrEqual(3_000)
  })

  it('[COORD-6] leaves out a fold that throws only when it is run again', () => {
    const runs = new Map<string, number>()
    const { folding, errors, batch } = createBench({
      fold: {
        PUT(state, { data: { id, text } }) {
          runs.set(id, (runs.get(id) ?? 0) + 1)
          state.notes.set(id, { text })
          if (text === 'throw' || (text === 'once' && runs.get(id) === 2)) throw new Error(id)
        },
      },
    })
    batch(put('a'), put('b', 'once'), put('c'), put('d', 'throw'), put('e'))
    // The third run of `b` is fine again.
    expect([...folding.state.notes.keys()]).toEqual(['a', 'b', 'c', 'e'])
    expect(errors.map(({ cause }) => String(cause))).toEqual(['Error: d', 'Error: b'])
  })

  it('[COORD-6] has nothing left of a fold that throws ever after', () => {
    let isBroken = false
    const { folding, batch } = createBench({
      fold: {
        PUT(state, { data: { id, text } }) {
          state.notes.set(id, { text })
          if (text === 'throw') isBroken = true
          if (isBroken && text !== '') throw new Error(id)
        },
      },
    })
    batch(put('a', 'x'), put('b'), put('c', 'throw'), put('d'))
    expect([...folding.state.notes.keys()]).toEqual(['b', 'd'])
  })

  it('[COORD-7] undoes a fold that returns what is no state', async () => {
    const returned: Record<string, unknown> = {
      promise: Promise.reject(new Error('later')),
      thenable: { then: () => undefined },
      number: 5,
      function: () => undefined,
      null: null,
      mapless: { ...initial, notes: {} },
    }
    const { folding, batch, errors } = createBench({
      fold: {
        PUT(state, { data }) {
          state.notes.set(data.id, { text: data.text })
          return returned[data.text] as undefined
        },
        TAKEN(state) {
          state.notes = undefined as never
        },
      },
    })
    batch(put('a'), ...Object.keys(returned).map((name) => put(name, name)), taken('a'), put('z'))
    expect([...folding.state.notes.keys()]).toEqual(['a', 'z'])
    expect(errors.map(({ message }) => message)).toEqual([
      'coordinator.fold.PUT returned a promise: a fold is synchronous',
      'coordinator.fold.PUT returned a promise: a fold is synchronous',
      'coordinator.fold.PUT returned number',
      'coordinator.fold.PUT returned function',
      'coordinator.fold.PUT returned object',
      'coordinator.fold.PUT left no PersistentMap in state.notes',
      'coordinator.fold.TAKEN left no PersistentMap in state.notes',
    ])
    // The rejected promise of a fold is nobody's unhandled rejection.
    await new Promise((resolve) => setTimeout(resolve, 0))
  })

  it('[COORD-7] undoes a fold that returns a state which cannot be read', () => {
    const unreadable = new Proxy(initial, {
      ownKeys() {
        throw new Error('trap')
      },
    })
    const { folding, batch, errors } = createBench({ fold: { TITLE: () => unreadable } })
    expect(batch(title('x'))).toBe(false)
    expect(folding.state).toBe(initial)
    expect(errors).toMatchObject([
      {
        code: 'fold-threw',
        message: 'coordinator.fold.TITLE returned a state that cannot be read',
      },
    ])
  })

  it('[COORD-8] leaves the state alone for types without a fold, and without a definition', () => {
    const { folding, batch, errors } = createBench()
    const odd = ['constructor', '__proto__', 'toString', 'NOISE']
    expect(batch(...odd.map((type) => ({ ...message('NOISE'), type })))).toBe(false)
    expect(folding.state).toBe(initial)
    expect(errors).toEqual([])

    const none = createFolding(undefined, { clock: { now: () => 0 }, report: unexpected })
    none.fold(put('a'))
    none.openConnection()
    none.unconfirmPeers()
    none.removeUnconfirmedPeers()
    none.removeExpired()
    none.beginLoad()
    expect(none.applySnapshot({})).toBe(false)
    none.clear()
    expect(none.commit()).toBe(false)
    expect(none.state).toEqual({})
    expect([none.hasSnapshot, none.nextExpiryAt()]).toEqual([false, undefined])
    expect(none.leaveAfterMs).toBe(0)
  })

  it('[COORD-9] lets a fold finish before what it causes by calling back happens', () => {
    const calls: string[] = []
    const bench = createBench({
      fold: {
        PUT(state, { data }) {
          calls.push(`begin ${data.id}`)
          if (data.id === 'a') {
            bench.folding.fold(put('nested'))
            expect(bench.folding.commit()).toBe(false)
            bench.folding.unconfirmPeers()
            bench.folding.openConnection()
          }
          state.notes.set(data.id, { text: data.text })
          calls.push(`end ${data.id}`)
        },
        HERE: board.fold.HERE!,
      },
    })
    bench.batch(here('p'))
    bench.batch(put('a'), put('b'))
    expect(calls).toEqual(['begin a', 'end a', 'begin nested', 'end nested', 'begin b', 'end b'])
    expect(plain(bench.folding.state)).toMatchObject({
      notes: ['a: ', 'nested: ', 'b: '],
      peers: ['p?'],
    })
    expect(bench.folding.state.connections).toBe(1)
  })

  it('[COORD-9] survives a fold, and an error handler, that clear the state', () => {
    const bench = createBench({
      fold: {
        PUT(state, { data }) {
          state.notes.set(data.id, { text: data.text })
          if (data.id === 'clear') bench.folding.clear()
          if (data.id === 'discard') bench.folding.discard()
          if (data.text === 'throw') throw new Error('fold')
        },
      },
    })
    bench.batch(put('a'))
    bench.batch(put('b'), put('clear'), put('c'))
    expect([...bench.folding.state.notes.keys()]).toEqual(['c'])
    bench.batch(put('d'), put('discard'), put('e'))
    expect([...bench.folding.state.notes.keys()]).toEqual(['c', 'e'])
    bench.batch(put('f'), put('clear', 'throw'), put('g'))
    expect([...bench.folding.state.notes.keys()]).toEqual(['g'])
  })

  it('[COORD-2] tells its watcher of no state when it is cleared and was clear', () => {
    const { folding, batch } = createBench()
    const committed: object[] = []
    folding.watch({
      committed: (state) => committed.push(state),
      expiryScheduled: () => undefined,
    })
    folding.clear()
    expect(committed).toEqual([])
    batch(put('a'))
    folding.clear()
    folding.clear()
    expect(committed).toHaveLength(2)
    expect(committed[1]).toBe(initial)
  })

  it('[COORD-29] keeps telling a watcher when the one before it is removed', () => {
    const { folding, batch } = createBench()
    const told: string[] = []
    const watch = (name: string) =>
      folding.watch({ committed: () => told.push(name), expiryScheduled: () => undefined })
    const removeFirst = watch('first')
    const removeSecond = watch('second')
    removeFirst()
    batch(put('a'))
    expect(told).toEqual(['second'])
    removeSecond()
    batch(put('b'))
    expect(told).toEqual(['second'])
  })

  it('[COORD-10] forgets an open batch that is discarded', () => {
    const { folding, batch, clock } = createBench()
    batch(put('a', 'x'))
    const { state } = folding
    folding.fold(put('b', 'done'))
    folding.fold(put('c', 'throw'))
    folding.fold(put('d'))
    folding.discard()
    expect(folding.commit()).toBe(false)
    expect(folding.state).toBe(state)
    expect(folding.nextExpiryAt()).toBeUndefined()
    clock.advance(1)
    batch(put('a', 'done'))
    expect(folding.nextExpiryAt()).toBe(5_001)
  })

  it('[COORD-11] gives what a model of plain maps gives, for any messages and batches', () => {
    const witnessed = { throws: 0, unchanged: 0, discards: 0, long: 0 }
    const id = fc.integer({ min: 0, max: 5 }).map(String)
    const text = fc.constantFrom('', 'x', 'done', 'throw')
    const step = fc.oneof(
      { weight: 8, arbitrary: fc.tuple(id, text).map(([i, t]) => put(i, t)) },
      { weight: 4, arbitrary: id.map(taken) },
      { weight: 3, arbitrary: fc.constantFrom('', 't').map(title) },
      { weight: 2, arbitrary: id.map(here) },
      { weight: 1, arbitrary: fc.constant(message('NOISE')) },
      { weight: 2, arbitrary: fc.constant('commit' as const) },
      { weight: 1, arbitrary: fc.constant('discard' as const) },
    )
    fc.assert(
      fc.property(fc.array(step, { size: 'max', maxLength: 300 }), (steps) => {
        const { folding, errors } = createBench()
        let model = createModel()
        let next = createModel()
        let size = 0
        for (const one of steps) {
          if (one === 'commit') {
            const before = folding.state
            const isSame = JSON.stringify(model) === JSON.stringify(next)
            folding.commit()
            // An entry that was put again is another entry, though it says the same.
            if (folding.state === before) expect(isSame).toBe(true)
            if (isSame && folding.state === before) witnessed.unchanged += 1
            if (size > 20) witnessed.long += 1
            model = structuredClone(next)
            size = 0
          } else if (one === 'discard') {
            folding.discard()
            next = structuredClone(model)
            witnessed.discards += 1
            size = 0
          } else {
            folding.fold(one)
            applyToModel(next, one)
            size += 1
          }
          expect(plain(folding.state)).toEqual(asPlain(model))
        }
        witnessed.throws += errors.length
      }),
      { numRuns: 150 },
    )
    expect(witnessed.throws).toBeGreaterThan(500)
    expect(witnessed.unchanged).toBeGreaterThan(100)
    expect(witnessed.discards).toBeGreaterThan(100)
    expect(witnessed.long).toBeGreaterThan(10)
  })

  it.each([
    ['initial', { initial: null }],
    ['fold', { fold: [] }],
    ['fold.PUT', { fold: { PUT: 'x' } }],
    ['opened', { opened: 1 }],
    ['expire', { expire: 1 }],
    ['expire.title', { expire: { title: { when: () => true, afterMs: 1 } } }],
    ['expire.notes', { expire: { notes: 5 } }],
    ['expire.notes.when', { expire: { notes: { afterMs: 1 } } }],
    ['expire.notes.afterMs', { expire: { notes: { when: () => true, afterMs: -1 } } }],
    ['expire.notes.afterMs', { expire: { notes: { when: () => true, afterMs: Number.NaN } } }],
    ['expire.notes.afterMs', { expire: { notes: { when: () => true, afterMs: 2 ** 31 } } }],
    ['expire.notes.afterMs', { expire: { notes: { when: () => true, afterMs: '5' } } }],
    ['snapshot', { snapshot: 1 }],
    ['snapshot.schema', { snapshot: { schema: {}, fold: () => undefined } }],
    ['snapshot.fold', { snapshot: { schema: board.snapshot!.schema } }],
    ['presence', { presence: 1 }],
    ['presence.field', { presence: { ...board.presence!, field: 'title' } }],
    ['presence.unconfirm', { presence: { ...board.presence!, unconfirm: 1 } }],
    ['presence.isUnconfirmed', { presence: { ...board.presence!, isUnconfirmed: 1 } }],
    ['presence.leaveAfterMs', { presence: { ...board.presence!, leaveAfterMs: Infinity } }],
  ])('[COORD-12] refuses a definition whose %s makes no sense', (part, change) => {
    const refused = expect.objectContaining({
      code: 'protocol-invalid',
      message: expect.stringMatching(new RegExp(`^coordinator\\.${part}[ :]`)) as string,
    }) as Error
    expect(() => createBench(change as unknown as BoardDefinition)).toThrow(refused)
  })
})

interface Model {
  notes: [string, string][]
  peers: string[]
  title: string
}

function createModel(): Model {
  return { notes: [], peers: [], title: '' }
}

function applyToModel(model: Model, { type, data }: ReadMessage): void {
  const { id, text, title } = (data ?? {}) as { id: string; text: string; title: string }
  if (type === 'PUT' && text !== 'throw') {
    const known = model.notes.find(([name]) => name === id)
    if (known === undefined) model.notes.push([id, text])
    else known[1] = text
    model.title = `last put: ${id}`
  }
  if (type === 'TAKEN') model.notes = model.notes.filter(([name]) => name !== id)
  if (type === 'TITLE') model.title = title
  if (type === 'HERE' && !model.peers.includes(id)) model.peers.push(id)
}

function asPlain({ notes, peers, title }: Model) {
  return { notes: notes.map(([id, text]) => `${id}: ${text}`), peers, title }
}
