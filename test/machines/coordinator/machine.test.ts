import { describe, expect, it } from 'vitest'
import { createActor, sendTo, setup } from 'xstate'
import { createConnectionMachine } from '../../../src/machines/connection/machine.js'
import { createCoordinatorMachine } from '../../../src/machines/coordinator/machine.js'
import { board, createBench, here, plain, put, title } from '../../state/board.js'
import { createCoordinator } from './create-coordinator.js'

describe('expiry on the machine', () => {
  it('[COORD-13] removes an entry after 5,000 ms and not after 4,999', () => {
    const { batch, clock, folding, changes } = createCoordinator()
    batch(put('a', 'done'))
    clock.advance(4_999)
    expect(folding.state.notes.has('a')).toBe(true)
    clock.advance(1)
    expect(folding.state.notes.has('a')).toBe(false)
    expect(changes).toEqual([folding.state])
    expect(clock.pending.count).toBe(0)
  })

  it('[COORD-14] waits for the entry that is next, when the one it waited for has stayed', () => {
    const { batch, clock, folding, value } = createCoordinator()
    batch(put('a', 'done'))
    clock.advance(1_000)
    batch(put('a'), put('b', 'done'))
    clock.advance(4_000)
    expect(value()).toMatchObject({ expiry: 'waiting' })
    expect(clock.pending.deadlines).toEqual([6_000])
    clock.advance(1_000)
    expect([...folding.state.notes.keys()]).toEqual(['a'])
    expect(value()).toMatchObject({ expiry: 'idle' })
  })

  it('[COORD-16] has one timer, for 10,000 entries that leave one by one', () => {
    const { batch, clock, folding, changes } = createCoordinator()
    for (let n = 0; n < 10_000; n += 1) {
      clock.advance(0.25)
      batch(put(`n${n}`, 'done'))
    }
    expect(clock.pending.count).toBe(1)
    expect(folding.state.notes.size).toBe(10_000)
    clock.advance(2_500.25)
    expect(folding.state.notes.size).toBe(9_999)
    let left = 9_999
    while (left > 0) {
      clock.advance(0.25)
      left -= 1
      if (folding.state.notes.size !== left) break
    }
    expect(left).toBe(0)
    expect(changes).toHaveLength(10_000)
    expect(clock.pending.count).toBe(0)
  })

  it('[COORD-16] arms its timer again for an entry that leaves sooner', () => {
    const coordinator = createCoordinator({
      definition: {
        expire: {
          notes: { when: ({ text }) => text === 'done', afterMs: 5_000 },
          peers: { when: () => true, afterMs: 1_000 },
        },
      },
    })
    const { batch, clock, folding } = coordinator
    batch(put('a', 'done'))
    expect(clock.pending.deadlines).toEqual([5_000])
    batch(here('p'))
    expect(clock.pending.deadlines).toEqual([1_000])
    clock.advance(1_000)
    expect(plain(folding.state)).toMatchObject({ notes: ['a: done'], peers: [] })
    expect(clock.pending.deadlines).toEqual([5_000])
  })

  it('[COORD-16] removes everything that fell due while no timer could fire', () => {
    const { batch, clock, folding } = createCoordinator()
    batch(put('a', 'done'))
    clock.advance(1_000)
    batch(put('b', 'done'), put('c'))
    clock.jump(60_000)
    expect([...folding.state.notes.keys()]).toEqual(['c'])
  })

  it('[COORD-17] expires the entries of an initial state, from the start on and after a stop', () => {
    const bench = createBench()
    bench.batch(put('i', 'done'))
    const coordinator = createCoordinator({ definition: { initial: bench.folding.state } })
    expect(coordinator.clock.pending.deadlines).toEqual([5_000])
    coordinator.clock.advance(5_000)
    expect(coordinator.folding.state.notes.size).toBe(0)
    coordinator.actor.send({ type: 'coordinator.stop' })
    expect(coordinator.folding.state.notes.size).toBe(1)
    expect(coordinator.clock.pending.deadlines).toEqual([10_000])
  })
})

describe('loading', () => {
  it('[COORD-18] loads once at the start, and not before', async () => {
    const { actor, loads, folding, changes, settle, value, clock } = createCoordinator()
    actor.send({ type: 'connection.opened' })
    expect(loads).toHaveLength(0)
    actor.send({ type: 'coordinator.start' })
    actor.send({ type: 'coordinator.start' })
    expect(loads).toHaveLength(1)
    expect(value()).toMatchObject({ snapshot: 'loading' })
    loads[0]?.resolve({ title: 'loaded' })
    await settle()
    expect(folding.state.title).toBe('loaded')
    expect(changes.at(-1)).toBe(folding.state)
    expect(value()).toMatchObject({ snapshot: 'loaded' })
    expect(clock.pending.count).toBe(0)
    actor.send({ type: 'coordinator.start' })
    expect(loads).toHaveLength(1)
  })

  it('[COORD-18] loads again each time a connection opens', async () => {
    const { actor, loads, folding, settle } = createCoordinator()
    actor.send({ type: 'coordinator.start' })
    loads[0]?.resolve({ title: 'one' })
    await settle()
    actor.send({ type: 'connection.opened' })
    expect(loads).toHaveLength(2)
    loads[1]?.resolve({ title: 'two' })
    await settle()
    actor.send({ type: 'connection.dropped' })
    actor.send({ type: 'connection.opened' })
    expect(loads).toHaveLength(3)
    loads[2]?.resolve({ title: 'three' })
    await settle()
    expect(folding.state.title).toBe('three')
  })

  it('[COORD-19] abandons a load that is under way when a connection opens, and begins anew', async () => {
    const { actor, loads, folding, settle, value, clock } = createCoordinator()
    actor.send({ type: 'coordinator.start' })
    actor.send({ type: 'connection.opened' })
    expect(loads.map(({ signal }) => signal.aborted)).toEqual([true, false])
    loads[0]?.resolve({ title: 'old' })
    await settle()
    expect(folding.state.title).toBe('')
    expect(value()).toMatchObject({ snapshot: 'loading' })
    loads[1]?.resolve({ title: 'new' })
    await settle()
    expect(folding.state.title).toBe('new')
    expect(clock.pending.count).toBe(0)
  })

  it('[COORD-19] takes nothing from a load whose result was on its way when it was abandoned', async () => {
    const { actor, loads, folding, settle, value } = createCoordinator()
    actor.send({ type: 'coordinator.start' })
    loads[0]?.resolve({ title: 'old' })
    actor.send({ type: 'connection.opened' })
    await settle()
    expect(folding.state.title).toBe('')
    expect(value()).toMatchObject({ snapshot: 'loading' })
  })

  it('[COORD-20] lets a message that came while loading win', async () => {
    const { actor, loads, folding, batch, settle } = createCoordinator()
    batch(title('before'))
    actor.send({ type: 'coordinator.start' })
    batch(title('live'))
    loads[0]?.resolve({ title: 'old' })
    await settle()
    expect(folding.state.title).toBe('live')

    actor.send({ type: 'connection.opened' })
    loads[1]?.resolve({ title: 'newer' })
    await settle()
    expect(folding.state.title).toBe('newer')
  })

  it('[COORD-20] counts a message in the open batch, and publishes it with what was loaded', async () => {
    const { actor, loads, folding, settle, changes } = createCoordinator()
    actor.send({ type: 'coordinator.start' })
    folding.fold(title('live'))
    folding.fold(put('a'))
    loads[0]?.resolve({ title: 'old' })
    await settle()
    expect(plain(folding.state)).toMatchObject({ notes: ['a: '], title: 'last put: a' })
    expect(changes).toEqual([folding.state])
    expect(folding.commit()).toBe(false)
  })

  it('[COORD-20] counts messages of the present load alone', async () => {
    const { actor, loads, folding, batch, settle } = createCoordinator()
    actor.send({ type: 'coordinator.start' })
    batch(title('live'))
    loads[0]?.reject(new Error('503'))
    await settle()
    batch(title('while waiting'))
    actor.send({ type: 'connection.opened' })
    loads[1]?.resolve({ title: 'loaded' })
    await settle()
    expect(folding.state.title).toBe('loaded')
  })

  it('[COORD-20] counts messages of a load that a handler begins when another has changed the state', async () => {
    let isFirst = true
    const { actor, loads, folding, batch, settle } = createCoordinator({
      onChanged() {
        if (folding.state.title === 'one' && isFirst) {
          isFirst = false
          actor.send({ type: 'connection.opened' })
        }
      },
    })
    actor.send({ type: 'coordinator.start' })
    loads[0]?.resolve({ title: 'one' })
    await settle()
    expect(loads).toHaveLength(2)
    batch(title('live'))
    loads[1]?.resolve({ title: 'old' })
    await settle()
    expect(folding.state.title).toBe('live')
  })

  it('[COORD-21] gives up a load after 10 s', async () => {
    const { actor, loads, clock, errors, value } = createCoordinator()
    actor.send({ type: 'coordinator.start' })
    await clock.advanceAsync(9_999)
    expect(value()).toMatchObject({ snapshot: 'loading' })
    await clock.advanceAsync(1)
    expect(value()).toMatchObject({ snapshot: 'retrying' })
    expect(loads[0]?.signal.aborted).toBe(true)
    expect(errors).toMatchObject([{ code: 'snapshot-failed' }])
    expect(errors[0]?.message).toBe('loadSnapshot gave nothing within 10000 ms')
  })

  it.each([
    ['rejects', () => Promise.reject(new Error('503')), 'snapshot-failed'],
    [
      'throws',
      () => {
        throw new Error('503')
      },
      'snapshot-failed',
    ],
    ['gives what does not fit the schema', () => ({ title: 5 }), 'snapshot-failed'],
    ['gives nothing', () => undefined, 'snapshot-failed'],
  ])('[COORD-21] reports and repeats a load that %s', async (_how, loadSnapshot, code) => {
    const { actor, clock, errors, folding, value, settle } = createCoordinator({ loadSnapshot })
    actor.send({ type: 'coordinator.start' })
    await settle()
    expect(value()).toMatchObject({ snapshot: 'retrying' })
    expect(errors).toMatchObject([{ code }])
    await clock.advanceAsync(1_000)
    expect(errors).toHaveLength(2)
    expect(folding.state.title).toBe('')
  })

  it('[COORD-21] reports what a load threw', async () => {
    const { actor, loads, errors, settle } = createCoordinator()
    actor.send({ type: 'coordinator.start' })
    loads[0]?.reject(new Error('503'))
    await settle()
    expect(errors).toMatchObject([
      { message: 'loadSnapshot threw or rejected', cause: new Error('503') },
    ])
  })

  it('[COORD-21] reports and repeats a load that the snapshot fold throws on', async () => {
    const loaded = { title: 'throw' }
    const { actor, clock, errors, folding, settle } = createCoordinator({
      loadSnapshot: () => loaded,
      definition: {
        snapshot: {
          schema: board.snapshot!.schema,
          fold(state, { title }) {
            state.title = title
            if (title === 'throw') throw new Error('fold')
          },
        },
      },
    })
    actor.send({ type: 'coordinator.start' })
    await settle()
    expect(errors).toMatchObject([{ code: 'fold-threw', cause: new Error('fold') }])
    expect(folding.state.title).toBe('')
    loaded.title = 'fine'
    await clock.advanceAsync(1_000)
    expect(folding.state.title).toBe('fine')
  })

  it('[COORD-22] waits 1, 2, 4, 8, 16, 32, 60 and again 60 s between loads that fail', async () => {
    const at: number[] = []
    const { actor, clock } = createCoordinator({
      loadSnapshot() {
        at.push(clock.now())
        throw new Error('down')
      },
    })
    actor.send({ type: 'coordinator.start' })
    await clock.advanceAsync(300_000)
    const waits = at.slice(1).map((time, before) => (time - (at[before] ?? 0)) / 1_000)
    expect(waits).toEqual([1, 2, 4, 8, 16, 32, 60, 60, 60])
  })

  it('[COORD-22] draws each wait at random below its step', async () => {
    const at: number[] = []
    const { actor, clock } = createCoordinator({
      random: () => 0.25,
      loadSnapshot() {
        at.push(clock.now())
        throw new Error('down')
      },
    })
    actor.send({ type: 'coordinator.start' })
    await clock.advanceAsync(2_000)
    expect(at).toEqual([0, 250, 750, 1_750])
  })

  it('[COORD-22] begins the waits afresh after a load, a connection, and a start', async () => {
    const { actor, loads, clock, settle, value } = createCoordinator()
    const failNext = async () => {
      loads.at(-1)?.reject(new Error('down'))
      await settle()
    }
    actor.send({ type: 'coordinator.start' })
    await failNext()
    await clock.advanceAsync(1_000)
    await failNext()
    await clock.advanceAsync(1_999)
    expect(value()).toMatchObject({ snapshot: 'retrying' })

    actor.send({ type: 'connection.opened' })
    expect(value()).toMatchObject({ snapshot: 'loading' })
    await failNext()
    await clock.advanceAsync(1_000)
    expect(value()).toMatchObject({ snapshot: 'loading' })
    await failNext()

    actor.send({ type: 'coordinator.stop' })
    actor.send({ type: 'coordinator.start' })
    await failNext()
    await clock.advanceAsync(1_000)
    expect(value()).toMatchObject({ snapshot: 'loading' })
  })

  it.each(['connection.opened', 'state.restored'] as const)(
    '[COORD-22] begins the waits afresh at %s, whether it loads, has loaded or waits',
    async (type) => {
      const { actor, loads, clock, settle, value } = createCoordinator()
      const failTwice = async () => {
        loads.at(-1)?.reject(new Error('down'))
        await clock.advanceAsync(1_000)
        loads.at(-1)?.reject(new Error('down'))
        await settle()
      }
      const waitsOneSecond = async () => {
        expect(value()).toMatchObject({ snapshot: 'loading' })
        loads.at(-1)?.reject(new Error('down'))
        await clock.advanceAsync(999)
        expect(value()).toMatchObject({ snapshot: 'retrying' })
        await clock.advanceAsync(1)
        expect(value()).toMatchObject({ snapshot: 'loading' })
      }
      actor.send({ type: 'coordinator.start' })
      await failTwice()
      actor.send({ type })
      await waitsOneSecond()

      actor.send({ type })
      await waitsOneSecond()

      loads.at(-1)?.resolve({ title: 'loaded' })
      await settle()
      actor.send({ type })
      await waitsOneSecond()
    },
  )

  it('[DLV-8] loads again what stands beside a state that was restored', async () => {
    const { actor, loads, folding, settle, value } = createCoordinator()
    actor.send({ type: 'state.restored' })
    expect(loads).toHaveLength(0)
    actor.send({ type: 'coordinator.start' })
    actor.send({ type: 'state.restored' })
    expect(loads.map(({ signal }) => signal.aborted)).toEqual([true, false])
    loads[1]?.resolve({ title: 'one' })
    await settle()
    expect(value()).toMatchObject({ snapshot: 'loaded' })
    actor.send({ type: 'state.restored' })
    loads[2]?.resolve({ title: 'two' })
    await settle()
    expect(folding.state.title).toBe('two')
    expect(loads).toHaveLength(3)
  })

  it('[COORD-23] calls nothing where there is nothing to load, or nothing to load it with', () => {
    const without = createCoordinator({ loadSnapshot: false })
    without.actor.send({ type: 'coordinator.start' })
    without.actor.send({ type: 'connection.opened' })
    expect(without.value()).toMatchObject({ snapshot: 'unneeded' })

    const { actor, loads, value } = createCoordinator({
      definition: { snapshot: undefined } as never,
    })
    actor.send({ type: 'coordinator.start' })
    actor.send({ type: 'connection.opened' })
    actor.send({ type: 'state.restored' })
    expect([loads, value()]).toMatchObject([[], { snapshot: 'unneeded' }])
  })
})

describe('stopping', () => {
  it('[COORD-24] clears the state, aborts the load, and leaves no timer', async () => {
    const { actor, batch, clock, folding, loads, changes, settle } = createCoordinator()
    const initialState = folding.state
    actor.send({ type: 'coordinator.start' })
    actor.send({ type: 'connection.opened' })
    batch(put('a', 'done'), here('p'))
    actor.send({ type: 'connection.dropped' })
    actor.send({ type: 'connection.opened' })
    expect(clock.pending.count).toBe(3)

    folding.fold(put('in the open batch'))
    actor.send({ type: 'coordinator.stop' })
    expect(folding.state).toBe(initialState)
    expect(changes.at(-1)).toBe(initialState)
    expect(loads.at(-1)?.signal.aborted).toBe(true)
    expect(clock.pending.count).toBe(0)

    loads.at(-1)?.resolve({ title: 'late' })
    await settle()
    expect(folding.commit()).toBe(false)
    expect(folding.state).toBe(initialState)
  })

  it('[COORD-24] leaves no timer while it waits to load again', async () => {
    const { actor, clock, loads, settle, value } = createCoordinator()
    actor.send({ type: 'coordinator.start' })
    loads[0]?.reject(new Error('down'))
    await settle()
    expect(clock.pending.count).toBe(1)
    actor.send({ type: 'coordinator.stop' })
    expect(clock.pending.count).toBe(0)
    expect(value()).toEqual({ snapshot: 'stopped', expiry: 'idle', presence: 'confirmed' })
  })

  it('[COORD-24] clears what was folded without a start, too', () => {
    const { actor, batch, folding, changes } = createCoordinator()
    const before = folding.state
    batch(put('a'))
    actor.send({ type: 'coordinator.stop' })
    expect(folding.state).toBe(before)
    actor.send({ type: 'coordinator.stop' })
    expect(changes).toEqual([before])
  })

  it('[COORD-24] leaves nothing behind when the actor system stops', async () => {
    const { actor, batch, clock, loads, folding, settle, changes } = createCoordinator()
    actor.send({ type: 'coordinator.start' })
    batch(put('a', 'done'))
    actor.stop()
    expect(loads[0]?.signal.aborted).toBe(true)
    expect(clock.pending.count).toBe(0)
    loads[0]?.resolve({ title: 'late' })
    await settle()
    batch(put('b', 'done'))
    expect(plain(folding.state).notes).toEqual(['a: done', 'b: done'])
    expect(changes).toEqual([])
  })
})

describe('presence', () => {
  it('[COORD-25] keeps entries when the connection drops, unconfirmed', () => {
    const { actor, batch, folding, changes } = createCoordinator()
    actor.send({ type: 'connection.opened' })
    batch(here('p'), here('q'))
    changes.length = 0
    actor.send({ type: 'connection.dropped' })
    expect(plain(folding.state).peers).toEqual(['p?', 'q?'])
    actor.send({ type: 'connection.dropped' })
    expect(changes).toHaveLength(1)
  })

  it('[COORD-26] removes what is still unconfirmed 60 s after the connection is back', () => {
    const { actor, batch, clock, folding } = createCoordinator()
    actor.send({ type: 'connection.opened' })
    batch(here('p'), here('q'))
    actor.send({ type: 'connection.dropped' })
    clock.advance(1_000_000)
    actor.send({ type: 'connection.opened' })
    batch(here('q'), here('r'))
    clock.advance(59_999)
    expect(plain(folding.state).peers).toEqual(['p?', 'q', 'r'])
    clock.advance(1)
    expect(plain(folding.state).peers).toEqual(['q', 'r'])
    expect(clock.pending.count).toBe(0)
  })

  it('[COORD-26] counts the 60 s anew when the connection drops in between', () => {
    const { actor, batch, clock, folding } = createCoordinator()
    batch(here('p'))
    actor.send({ type: 'connection.dropped' })
    actor.send({ type: 'connection.opened' })
    clock.advance(59_000)
    actor.send({ type: 'connection.dropped' })
    clock.advance(100_000)
    actor.send({ type: 'connection.opened' })
    clock.advance(59_999)
    expect(plain(folding.state).peers).toEqual(['p?'])
    clock.advance(1)
    expect(plain(folding.state).peers).toEqual([])
  })

  it('[COORD-26] reports a presence rule that throws, and leaves the entry as it was', () => {
    const { actor, batch, folding, errors, clock } = createCoordinator({
      definition: {
        presence: {
          field: 'peers',
          isUnconfirmed({ isSure }) {
            if (!isSure) throw new Error('isUnconfirmed')
            return false
          },
          unconfirm: () => {
            throw new Error('unconfirm')
          },
          leaveAfterMs: 60_000,
        },
        fold: {
          HERE(state, { data }) {
            state.peers.set(data.id, { isSure: data.id !== 'unsure' })
          },
        },
      },
    })
    batch(here('p'), here('unsure'))
    actor.send({ type: 'connection.dropped' })
    actor.send({ type: 'connection.opened' })
    clock.advance(60_000)
    expect(plain(folding.state).peers).toEqual(['p', 'unsure?'])
    expect(errors.map(({ cause }) => String(cause))).toEqual([
      'Error: unconfirm',
      'Error: isUnconfirmed',
      'Error: unconfirm',
      'Error: isUnconfirmed',
    ])
  })

  it('[DLV-17] removes, when the roster is complete, who was not on it', () => {
    const { actor, batch, clock, folding, changes } = createCoordinator()
    actor.send({ type: 'connection.opened' })
    batch(here('p'), here('q'))
    actor.send({ type: 'roster.begun' })
    expect(plain(folding.state).peers).toEqual(['p?', 'q?'])
    expect(changes.at(-1)).toBe(folding.state)
    batch(here('q'), here('r'))
    actor.send({ type: 'roster.complete' })
    expect(plain(folding.state).peers).toEqual(['q', 'r'])
    expect(changes.at(-1)).toBe(folding.state)
    expect(clock.pending.count).toBe(0)
  })

  it('[DLV-17] [COORD-26] removes, 60 s after it began, who is not on a roster without an end', () => {
    const { actor, batch, clock, folding, value } = createCoordinator()
    batch(here('p'), here('q'))
    actor.send({ type: 'connection.dropped' })
    actor.send({ type: 'connection.opened' })
    clock.advance(30_000)
    batch(here('q'))
    actor.send({ type: 'roster.begun' })
    expect(plain(folding.state).peers).toEqual(['p?', 'q?'])
    batch(here('q'))
    clock.advance(59_999)
    expect(plain(folding.state).peers).toEqual(['p?', 'q'])
    clock.advance(1)
    expect(plain(folding.state).peers).toEqual(['q'])
    expect(value()).toMatchObject({ presence: 'confirmed' })
  })

  it('[COORD-25] keeps peers unconfirmed until a connection opens, however long it takes', () => {
    const { actor, batch, clock, folding, value } = createCoordinator()
    batch(here('p'))
    actor.send({ type: 'connection.dropped' })
    actor.send({ type: 'roster.complete' })
    clock.advance(1_000_000)
    expect(plain(folding.state).peers).toEqual(['p?'])
    expect(value()).toMatchObject({ presence: 'dropped' })
    expect(clock.pending.count).toBe(0)
  })

  it('[COORD-27] changes the state at each connection before its first message', () => {
    const { actor, folding, changes } = createCoordinator()
    actor.send({ type: 'connection.opened' })
    expect(folding.state.connections).toBe(1)
    actor.send({ type: 'connection.dropped' })
    actor.send({ type: 'connection.opened' })
    actor.send({ type: 'connection.opened' })
    expect(folding.state.connections).toBe(3)
    expect(changes.map(({ connections }) => connections)).toEqual([1, 2, 3])
  })
})

describe('the coordinator actor', () => {
  it('[COORD-28] says when something but a batch changed the state, and only then', () => {
    const { actor, batch, changes } = createCoordinator({ definition: { opened: () => undefined } })
    batch(put('a'))
    actor.send({ type: 'connection.opened' })
    actor.send({ type: 'connection.dropped' })
    actor.send({ type: 'coordinator.start' })
    expect(changes).toEqual([])
  })

  it('[COORD-28] outlives an `onChanged` that throws', () => {
    const { clock, errors, folding, batch } = createBench()
    const actor = createActor(createCoordinatorMachine(), {
      clock,
      input: {
        folding,
        clock,
        random: () => 1,
        onChanged() {
          throw new Error('onChanged')
        },
      },
    })
    actor.start()
    actor.send({ type: 'connection.opened' })
    expect(errors).toMatchObject([
      { code: 'handler-threw', message: 'onChanged threw', cause: new Error('onChanged') },
    ])
    batch(put('a', 'done'))
    clock.advance(5_000)
    expect(folding.state.notes.size).toBe(0)
    expect(actor.getSnapshot().status).toBe('active')
  })

  it('[COORD-29] shows the published state as a child', () => {
    const { actor, batch, clock, folding } = createCoordinator()
    const { state } = actor.getSnapshot().context
    actor.send({ type: 'coordinator.start' })
    expect(Object.keys(actor.getSnapshot().children).sort()).toEqual(['load', 'state', 'watch'])
    expect(actor.getSnapshot().children['state']).toBe(state)
    expect(state.getSnapshot().context).toBe(folding.state)
    batch(put('a', 'done'))
    expect(state.getSnapshot().context).toBe(folding.state)
    clock.advance(5_000)
    expect(state.getSnapshot().context).toBe(folding.state)
    actor.send({ type: 'coordinator.stop' })
    expect(state.getSnapshot().context).toBe(folding.state)
  })

  it('[COORD-29] shows it to an inspector', () => {
    const { clock, folding, batch } = createBench()
    const seen: unknown[] = []
    const actor = createActor(createCoordinatorMachine(), {
      clock,
      input: { folding, clock, random: () => 1, onChanged: () => undefined },
      inspect(inspected) {
        if (inspected.type === '@xstate.event' && inspected.event.type === 'state.committed') {
          seen.push((inspected.event as unknown as { state: unknown }).state)
        }
      },
    })
    actor.start()
    batch(put('a'))
    expect(seen).toEqual([folding.state])
  })

  it('[COORD-30] works as a child of a machine of the user’s own', async () => {
    const { clock, folding, batch } = createBench()
    const changes: unknown[] = []
    const parent = createActor(
      setup({ actors: { coordinator: createCoordinatorMachine() } }).createMachine({
        invoke: {
          src: 'coordinator',
          id: 'sync',
          input: {
            folding,
            clock,
            random: () => 1,
            loadSnapshot: () => ({ title: 'loaded' }),
            onChanged: () => changes.push(plain(folding.state)),
          },
        },
        on: {
          online: { actions: sendTo('sync', { type: 'connection.opened' }) },
          begin: { actions: sendTo('sync', { type: 'coordinator.start' }) },
          end: { actions: sendTo('sync', { type: 'coordinator.stop' }) },
        },
      }),
      { clock },
    )
    parent.start()
    parent.send({ type: 'begin' })
    parent.send({ type: 'online' })
    await clock.advanceAsync(0)
    batch(put('a', 'done'))
    clock.advance(5_000)
    expect(changes.at(-1)).toEqual({ notes: [], peers: [], title: 'last put: a' })
    parent.send({ type: 'end' })
    expect(clock.pending.count).toBe(0)
    parent.stop()
  })
})

it('is made once, on the first call', () => {
  expect(createCoordinatorMachine()).toBe(createCoordinatorMachine())
  expect(createConnectionMachine()).toBe(createConnectionMachine())
})
