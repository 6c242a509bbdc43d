import { describe, expect, it } from 'vitest'
import { bring, createHarness, type Harness, states } from './harness.js'

type State = (typeof states)[number]

/** What is seen of a client after a call: the cells of docs/spec.md in the terms of a test. */
interface Outcome {
  readonly state: State
  /** Sockets asked for since the call. */
  readonly attempts: number
  /** Loads of the state since the call. */
  readonly loads: number
  /** Whether what had been folded is still there. */
  readonly keepsState: boolean
}

interface Row {
  readonly call: string
  readonly act: (harness: Harness) => void
  /** The first rule of the row; the cells count on from it. */
  readonly rule: number
  readonly cells: Readonly<Record<State, Outcome>>
}

const stays = (state: State): Outcome => ({ state, attempts: 0, loads: 0, keepsState: true })
const connects: Outcome = { state: 'connected', attempts: 1, loads: 0, keepsState: true }
const disconnects: Outcome = { state: 'disconnected', attempts: 0, loads: 0, keepsState: true }
const clears: Outcome = { ...disconnects, keepsState: false }

const rows: readonly Row[] = [
  {
    call: 'start()',
    act: ({ sync }) => sync.start(),
    rule: 1,
    cells: {
      // Once at start, once more when the connection is there: see COORD.
      disconnected: { ...connects, loads: 2 },
      connecting: { ...stays('connecting'), loads: 1 },
      connected: { ...stays('connected'), loads: 1 },
      reconnecting: { ...connects, loads: 2 },
      failed: { ...connects, loads: 2 },
    },
  },
  {
    call: 'stop()',
    act: ({ sync }) => sync.stop(),
    rule: 6,
    cells: {
      disconnected: clears,
      connecting: clears,
      connected: clears,
      reconnecting: clears,
      failed: clears,
    },
  },
  {
    call: 'connect()',
    act: ({ sync }) => sync.connect(),
    rule: 11,
    cells: {
      disconnected: connects,
      connecting: stays('connecting'),
      connected: stays('connected'),
      reconnecting: connects,
      failed: connects,
    },
  },
  {
    call: 'disconnect()',
    act: ({ sync }) => sync.disconnect(),
    rule: 16,
    cells: {
      disconnected: stays('disconnected'),
      connecting: disconnects,
      connected: disconnects,
      reconnecting: disconnects,
      failed: disconnects,
    },
  },
  {
    call: 'reconnect(target)',
    act: ({ sync }) => sync.reconnect({ url: 'ws://other.test/ws' }),
    rule: 21,
    cells: {
      disconnected: stays('disconnected'),
      connecting: connects,
      connected: connects,
      reconnecting: connects,
      failed: connects,
    },
  },
  {
    call: 'send()',
    act: ({ sync }) => void sync.send('SAY', { text: 'hello' }),
    rule: 26,
    cells: allStay(),
  },
  {
    call: 'on, select, subscribe, getSnapshot',
    act: ({ sync }) => {
      sync.on('SAID', () => undefined)()
      sync
        .select(({ lines }) => lines.size)
        .subscribe()
        .unsubscribe()
      sync.subscribe(() => undefined)()
      sync.getSnapshot()
    },
    rule: 31,
    cells: allStay(),
  },
  {
    call: 'dispose()',
    act: ({ sync }) => sync.dispose(),
    rule: 36,
    cells: {
      disconnected: clears,
      connecting: clears,
      connected: clears,
      reconnecting: clears,
      failed: clears,
    },
  },
]

const signalRows: readonly Row[] = [
  signalRow('online', 1, { reconnecting: connects }),
  signalRow('offline', 6),
  signalRow('visible', 11, { reconnecting: connects }),
  signalRow('woke', 16, { reconnecting: connects }),
  signalRow('hidden', 21),
  signalRow('frozen', 21),
]

const probing: ReadonlySet<string> = new Set(['online', 'offline', 'visible', 'woke'])

describe('each public call in each state', () => {
  for (const { call, act, rule, cells } of rows) {
    for (const [at, state] of states.entries()) {
      it(`[CALL-${rule + at}] ${call} while ${state}`, async () => {
        const harness = createHarness()
        const seen = await play(harness, state, act)
        expect(seen).toEqual(cells[state])
      })
    }
  }
})

describe('each signal of the surroundings in each state', () => {
  for (const { call, act, rule, cells } of signalRows) {
    for (const [at, state] of states.entries()) {
      it(`[SIG-${rule + at}] ${call} while ${state}`, async () => {
        const harness = createHarness()
        await bring(harness, state)
        const { received } = harness.peer
        const before = received.length
        const isListening = harness.isWatched
        const seen = await observe(harness, act)
        expect(seen).toEqual({ ...cells[state], keepsState: seen.keepsState })
        expect(isListening).toBe(state !== 'disconnected' && state !== 'failed')
        const pings = received.slice(before).filter(({ type }) => type === 'PING')
        expect(pings).toHaveLength(state === 'connected' && probing.has(call) ? 1 : 0)
      })
    }
  }
})

describe('what a call leaves behind', () => {
  it('[CALL-8] [CALL-18] [CALL-23] closes the socket with 1000', async () => {
    for (const call of ['stop', 'disconnect', 'reconnect'] as const) {
      const harness = createHarness()
      await bring(harness, 'connected')
      harness.sync[call]()
      await harness.settle()
      expect(harness.network.sockets[0]?.clientClose?.code).toBe(1000)
    }
  })

  it('[CALL-21] [CALL-25] keeps the target for the next connection', async () => {
    const harness = createHarness()
    harness.sync.reconnect({ url: 'ws://other.test/ws' })
    harness.sync.connect()
    await harness.settle()
    expect(harness.network.attempts.map(({ url }) => new URL(url).host)).toEqual(['other.test'])
  })

  it('[CALL-26] [CALL-27] [CALL-28] [CALL-29] [CALL-30] tells the outcome on the receipt', async () => {
    for (const state of states) {
      const harness = createHarness()
      await bring(harness, state)
      const receipt = harness.sync.send('SAY', { text: 'hello' })
      await harness.settle()
      if (state === 'connected') {
        expect(receipt.outcome).toEqual({ outcome: 'sent' })
        expect(harness.peer.messages.map(({ type }) => type)).toEqual(['SAY'])
      } else {
        expect(receipt.outcome).toMatchObject({ outcome: 'notSent', reason: 'notConnected' })
        // Not now, and not when there is a connection either.
        harness.sync.reconnect()
        harness.sync.connect()
        await harness.settle()
        expect(harness.sync.isConnected).toBe(true)
        expect(harness.peer.messages).toEqual([])
      }
    }
  })

  it('[CALL-36] [CALL-37] [CALL-38] [CALL-39] [CALL-40] [CALL-41] is disposed for good', async () => {
    for (const state of states) {
      const harness = createHarness()
      const { sync } = harness
      const completed: string[] = []
      sync.status$.subscribe({ complete: () => completed.push('status') })
      sync.state$.subscribe({ complete: () => completed.push('state') })
      sync.on('SAID').subscribe({ complete: () => completed.push('messages') })
      sync.select(({ topic }) => topic).subscribe({ complete: () => completed.push('selection') })
      await bring(harness, state)
      sync.dispose()
      sync.dispose()
      expect(completed.sort()).toEqual(['messages', 'selection', 'state', 'status'])
      for (const call of ['start', 'connect', 'reconnect'] as const) {
        expect(() => sync[call]()).toThrow(expect.objectContaining({ code: 'disposed' }))
      }
      sync.stop()
      sync.disconnect()
      expect(sync.send('BYE').outcome).toMatchObject({ outcome: 'notSent', reason: 'disposed' })
      await harness.clock.advanceAsync(2_000)
      expect(harness.clock.pending.count).toBe(0)
      expect(harness.isWatched).toBe(false)
    }
  })

  it('[CALL-42] a second start changes nothing', async () => {
    const harness = createHarness()
    harness.sync.start()
    harness.sync.start()
    await harness.settle()
    const { loads } = harness
    harness.sync.start()
    await harness.settle()
    expect(harness.network.attempts).toHaveLength(1)
    expect(harness.loads).toBe(loads)
  })

  it('[CALL-43] an aborted signal disposes', async () => {
    const abort = new AbortController()
    const harness = createHarness({ signal: abort.signal })
    await bring(harness, 'connected')
    abort.abort()
    expect(harness.sync.status.state).toBe('disconnected')
    expect(() => harness.sync.connect()).toThrow(expect.objectContaining({ code: 'disposed' }))
    const late = createHarness({ signal: abort.signal })
    expect(() => late.sync.start()).toThrow(expect.objectContaining({ code: 'disposed' }))
  })
})

async function play(harness: Harness, state: State, act: Row['act']): Promise<Outcome> {
  // Folded over a connection of before, so that there is something to keep or to clear.
  await bring(harness, 'connected')
  harness.peer.sends('SAID', { id: '1', text: 'hello' })
  await harness.settle()
  harness.sync.disconnect()
  await bring(harness, state)
  return observe(harness, act)
}

async function observe(harness: Harness, act: Row['act']): Promise<Outcome> {
  const { sync, network } = harness
  const attempts = network.attempts.length
  const { loads } = harness
  act(harness)
  await harness.settle()
  return {
    state: sync.status.state,
    attempts: network.attempts.length - attempts,
    loads: harness.loads - loads,
    keepsState: sync.state.lines.size > 0,
  }
}

function allStay(): Row['cells'] {
  return {
    disconnected: stays('disconnected'),
    connecting: stays('connecting'),
    connected: stays('connected'),
    reconnecting: stays('reconnecting'),
    failed: stays('failed'),
  }
}

function signalRow(
  signal: 'online' | 'offline' | 'visible' | 'woke' | 'hidden' | 'frozen',
  rule: number,
  changed: Partial<Row['cells']> = {},
): Row {
  return {
    call: signal,
    act: (harness) => harness.signal(signal),
    rule,
    cells: { ...allStay(), ...changed },
  }
}
