import { describe, expect, it } from 'vitest'
import type { ConnectionStatus } from '../../../src/machines/connection/status.js'
import type { EnvironmentSignal } from '../../../src/transport/environment.js'
import { createConnection } from './create-connection.js'

type Connection = ReturnType<typeof createConnection>
type State = ConnectionStatus['state']

/** A connection in a given state; while reconnecting it waits, 1 s long, for attempt 1. */
function createIn(state: State): Connection {
  const connection = createConnection()
  const { clock, peer } = connection
  switch (state) {
    case 'disconnected':
      break
    case 'connecting':
      peer.staysSilent()
      connection.open()
      break
    case 'connected':
      connection.open()
      break
    case 'reconnecting':
      peer.isUnreachable()
      connection.open()
      break
    case 'failed':
      peer.refuses(1008)
      connection.open()
      break
    default:
      state satisfies never
  }
  clock.advance(100)
  expect(connection.state()).toBe(state)
  return connection
}

/** What is seen to change when `act` is done: nothing, a ping at once, or an attempt at once. */
function effectOf(connection: Connection, act: () => void): 'nothing' | 'probes' | 'hurries' {
  const { clock, actor } = connection
  const before = actor.getSnapshot()
  const attempts = connection.attemptTimes().length
  const pings = connection.pings.length
  act()
  const isUntouched = actor.getSnapshot().context === before.context
  clock.advance(0)
  if (connection.attemptTimes().length > attempts) return 'hurries'
  if (connection.pings.length > pings) return 'probes'
  expect(isUntouched).toBe(true)
  return 'nothing'
}

const states: readonly State[] = [
  'disconnected',
  'connecting',
  'connected',
  'reconnecting',
  'failed',
]

// Independent of the machine: the table of docs/spec.md, row by row.
const table: readonly {
  readonly signals: readonly EnvironmentSignal[]
  readonly first: number
  readonly connected: 'nothing' | 'probes'
  readonly reconnecting: 'nothing' | 'hurries'
}[] = [
  { signals: ['online'], first: 1, connected: 'probes', reconnecting: 'hurries' },
  { signals: ['offline'], first: 6, connected: 'probes', reconnecting: 'nothing' },
  { signals: ['visible'], first: 11, connected: 'probes', reconnecting: 'hurries' },
  { signals: ['woke'], first: 16, connected: 'probes', reconnecting: 'hurries' },
  { signals: ['hidden', 'frozen'], first: 21, connected: 'nothing', reconnecting: 'nothing' },
]

describe('signals of the surroundings', () => {
  for (const { signals, first, ...effects } of table) {
    for (const [at, state] of states.entries()) {
      const effect = state === 'connected' || state === 'reconnecting' ? effects[state] : 'nothing'
      const isHeard = state !== 'disconnected' && state !== 'failed'
      for (const signal of signals) {
        const what = isHeard ? effect : 'is not listened to'
        it(`[SIG-${first + at}] ${signal} while ${state}: ${what}`, () => {
          const connection = createIn(state)
          expect(connection.signals.watchers).toBe(isHeard ? 1 : 0)
          expect(effectOf(connection, () => connection.signals.signal(signal))).toBe(effect)
          // Even one that comes all the same, from a source that does not stop.
          const late = createIn(state)
          const send = () => late.actor.send({ type: `environment.${signal}` })
          expect(effectOf(late, send)).toBe(effect)
        })
      }
    }
  }

  it('[SIG-7] [SIG-9] offline is a hint: attempts are made all the same', () => {
    const { clock, peer, signals, send, attemptTimes } = createConnection()
    peer.isUnreachable()
    send('connect')
    signals.signal('offline')
    clock.advance(1_500)
    signals.signal('offline')
    clock.advance(1_500)
    expect(attemptTimes()).toEqual([0, 1_000, 3_000])
  })

  it('[SIG-28] listening starts once, goes on through retries, and ends with the connection', () => {
    let started = 0
    const watching = new Set<object>()
    const { clock, peer, send } = createConnection({
      environment: {
        watch() {
          started += 1
          const token = {}
          watching.add(token)
          return () => watching.delete(token)
        },
      },
    })
    expect(watching.size).toBe(0)
    peer.isUnreachable()
    send('connect')
    clock.advance(10_000)
    send('reconnect')
    clock.advance(10_000)
    expect([started, watching.size]).toEqual([1, 1])
    send('disconnect')
    expect([started, watching.size]).toEqual([1, 0])
    send('connect')
    expect([started, watching.size]).toEqual([2, 1])
    clock.advance(400_000)
    expect([started, watching.size]).toEqual([2, 0])
  })

  it('[SIG-28] stopping the actor ends listening', () => {
    const { open, actor, signals } = createConnection()
    open()
    expect(signals.watchers).toBe(1)
    actor.stop()
    expect(signals.watchers).toBe(0)
  })

  it('[SIG-26] a source that throws is reported, whenever it does, and changes nothing', () => {
    const cause = new Error('no events on this platform')
    const throwing = () => {
      throw cause
    }
    for (const environment of [{ watch: throwing }, { watch: () => throwing }]) {
      const { clock, open, send, states, errors, actor } = createConnection({ environment })
      open()
      clock.advance(60_000)
      send('disconnect')
      expect(states()).toEqual(['disconnected', 'connecting', 'connected', 'disconnected'])
      expect(errors).toMatchObject([{ code: 'environment-failed', cause }])
      send('connect')
      clock.advance(0)
      actor.stop()
      expect(errors).toHaveLength(2)
      expect(actor.getSnapshot().status).toBe('stopped')
    }
  })

  it('[SIG-26] a source that signals at once, for ever, or after it was stopped', () => {
    let signal: ((signal: EnvironmentSignal) => void) | undefined
    const connection = createConnection({
      environment: {
        watch(listener) {
          signal = listener
          listener('online')
          return () => undefined
        },
      },
    })
    const { clock, open, send, actor } = connection
    open()
    clock.advance(5_000)
    send('disconnect')
    clock.advance(5_000)
    signal?.('online')
    expect(connection.state()).toBe('disconnected')
    expect(clock.pending.count).toBe(0)
    actor.stop()
    signal?.('woke')
    expect(clock.pending.count).toBe(0)
  })
})
