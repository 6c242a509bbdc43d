import { describe, expect, it } from 'vitest'
import type { AnyStateNode, AnyTransitionDefinition, InspectionEvent, SnapshotFrom } from 'xstate'
import type { ConnectionEvent } from '../../../src/machines/connection/context.js'
import {
  type ConnectionMachine,
  createConnectionMachine,
} from '../../../src/machines/connection/machine.js'
import { createConnection } from './create-connection.js'

// Sends every event in every state to the real actor, and compares with a table written from
// docs/spec.md. At the end a witness: every transition of the machine was taken.

const signals = ['online', 'offline', 'visible', 'hidden', 'frozen', 'woke'] as const

type Configuration =
  | 'disconnected'
  | 'connecting'
  | `connected ${'idle' | 'awaitingPong' | 'unwatched'} ${'settling' | 'settled'}`
  | 'reconnecting waiting'
  | 'reconnecting attempting'
  | 'failed'

/**
 * `dropped`: closed with a code after which the client reconnects. `dismissed`: with one after
 * which it does not. `time`: advances to the next timer. `sleep`: an hour, after which every timer
 * is late.
 */
type Happening =
  | 'connect'
  | 'disconnect'
  | 'reconnect'
  | `environment.${(typeof signals)[number]}`
  | 'opened'
  | 'ponged'
  | 'dropped'
  | 'dismissed'
  | 'time'
  | 'sleep'

type Row = Partial<Record<Happening, Configuration>>

const whileConnected: Row = {
  disconnect: 'disconnected',
  reconnect: 'connecting',
  dropped: 'reconnecting waiting',
  dismissed: 'failed',
}

const whileAttempting: Row = {
  disconnect: 'disconnected',
  reconnect: 'connecting',
  opened: 'connected idle settling',
  dropped: 'reconnecting waiting',
  dismissed: 'failed',
  time: 'reconnecting waiting',
  sleep: 'reconnecting waiting',
}

function probing(to: Configuration): Row {
  return {
    'environment.online': to,
    'environment.offline': to,
    'environment.visible': to,
    'environment.woke': to,
  }
}

/** The next configuration for each event. An event without an entry changes nothing. */
const table: Record<Configuration, Row> = {
  disconnected: { connect: 'connecting' },
  connecting: whileAttempting,
  'connected idle settling': {
    ...whileConnected,
    ...probing('connected awaitingPong settling'),
    time: 'connected idle settled',
    sleep: 'connected awaitingPong settled',
  },
  'connected idle settled': {
    ...whileConnected,
    ...probing('connected awaitingPong settled'),
    time: 'connected awaitingPong settled',
    sleep: 'connected awaitingPong settled',
  },
  'connected awaitingPong settling': {
    ...whileConnected,
    ponged: 'connected idle settling',
    time: 'connected awaitingPong settled',
    sleep: 'connected awaitingPong settled',
  },
  'connected awaitingPong settled': {
    ...whileConnected,
    ponged: 'connected idle settled',
    time: 'reconnecting waiting',
    sleep: 'connected awaitingPong settled',
  },
  'connected unwatched settling': {
    ...whileConnected,
    time: 'connected unwatched settled',
    sleep: 'connected unwatched settled',
  },
  'connected unwatched settled': whileConnected,
  'reconnecting waiting': {
    disconnect: 'disconnected',
    reconnect: 'connecting',
    time: 'reconnecting attempting',
    sleep: 'reconnecting attempting',
    connect: 'reconnecting attempting',
    'environment.online': 'reconnecting attempting',
    'environment.visible': 'reconnecting attempting',
    'environment.woke': 'reconnecting attempting',
  },
  'reconnecting attempting': whileAttempting,
  failed: { connect: 'connecting', reconnect: 'connecting', disconnect: 'disconnected' },
}

/** The shortest way to reach each configuration. */
const ways: Record<Configuration, readonly Happening[]> = {
  disconnected: [],
  connecting: ['connect'],
  'connected idle settling': ['connect', 'opened'],
  'connected idle settled': ['connect', 'opened', 'time'],
  'connected awaitingPong settling': ['connect', 'opened', 'environment.woke'],
  'connected awaitingPong settled': ['connect', 'opened', 'time', 'time'],
  'connected unwatched settling': ['connect', 'opened'],
  'connected unwatched settled': ['connect', 'opened', 'time'],
  'reconnecting waiting': ['connect', 'dropped'],
  'reconnecting attempting': ['connect', 'dropped', 'time'],
  failed: ['connect', 'dismissed'],
}

const configurations = Object.keys(table) as Configuration[]
const happenings: readonly Happening[] = [
  ...(['connect', 'disconnect', 'reconnect', 'opened', 'ponged', 'dropped', 'dismissed'] as const),
  ...signals.map((signal) => `environment.${signal}` as const),
  ...(['time', 'sleep'] as const),
]

type Connection = ReturnType<typeof createConnection>

function configurationOf({ value }: Pick<SnapshotFrom<ConnectionMachine>, 'value'>): string {
  if (typeof value === 'string') return value
  return Object.entries(value)
    .map(([state, inner]: [string, string | Record<string, string>]) =>
      [state, ...(typeof inner === 'string' ? [inner] : Object.values(inner))].join(' '),
    )
    .join()
}

function eventOf(happening: Happening, generation: number): ConnectionEvent {
  switch (happening) {
    case 'opened':
    case 'ponged':
      return { type: `socket.${happening}`, generation }
    case 'dropped':
    case 'dismissed': {
      const closeCode = happening === 'dropped' ? 1006 : 1008
      const failure = { code: 'closed', closeCode, reason: '', message: happening } as const
      return { type: 'socket.closed', generation, failure }
    }
    case 'time':
    case 'sleep':
      throw new Error(`${happening} is no event`)
    default:
      return { type: happening }
  }
}

function happen(connection: Connection, happening: Happening): void {
  const { actor, clock, context } = connection
  if (happening === 'time') {
    clock.advanceTo(clock.pending.deadlines[0] ?? clock.now())
  } else if (happening === 'sleep') {
    clock.jump(3_600_000)
  } else {
    actor.send(eventOf(happening, context().generation))
    // Runs what the network still has to deliver, for example the end of a terminated socket.
    clock.advance(0)
  }
}

const machine = createConnectionMachine()
const taken = new Set<AnyTransitionDefinition>()

function witness(event: InspectionEvent): void {
  if (event.type !== '@xstate.microstep') return
  for (const transition of event._transitions) taken.add(transition)
}

/**
 * Brings a connection to a configuration. Its peer does nothing by itself: the test sends the
 * events.
 */
function bring(configuration: Configuration): Connection {
  const isWatched = !configuration.includes('unwatched')
  const pingIntervalMs = isWatched ? 30_000 : Number.POSITIVE_INFINITY
  // Stability settles before a pong can be missing, so that no two timers are due at the same time.
  const policy = { settleMs: 9_000, pingIntervalMs }
  const connection = createConnection({ machine, inspect: witness, policy })
  connection.peer.staysSilent()
  for (const happening of ways[configuration]) happen(connection, happening)
  expect(configurationOf(connection.actor.getSnapshot())).toBe(configuration)
  return connection
}

function* transitionsOf(node: AnyStateNode): Generator<AnyTransitionDefinition> {
  for (const transitions of node.transitions.values()) yield* transitions
  yield* node.always ?? []
  for (const child of Object.values(node.states)) yield* transitionsOf(child)
}

function describeTransition({ source, eventType, guard, target }: AnyTransitionDefinition): string {
  const to = target?.map(({ id }) => id).join(', ') ?? 'nowhere'
  return `${source.id}: ${eventType} [${typeof guard === 'string' ? guard : ''}] -> ${to}`
}

describe('every event in every state', () => {
  for (const from of configurations) {
    it(`[CONN-15] [CONN-12] while ${from}`, () => {
      for (const happening of happenings) {
        const { actor, context, network, ...connection } = bring(from)
        const before = context()
        const attempts = network.attempts.length
        happen({ actor, context, network, ...connection }, happening)

        const follows = table[from][happening]
        const after = configurationOf(actor.getSnapshot())
        expect([happening, after]).toEqual([happening, follows ?? from])
        if (follows === undefined) expect(context()).toBe(before)
        const isAttempt = follows === 'connecting' || follows === 'reconnecting attempting'
        const made = {
          attempts: network.attempts.length - attempts,
          generations: context().generation - before.generation,
        }
        const expected = isAttempt ? 1 : 0
        expect(made).toEqual({ attempts: expected, generations: expected })
      }
    })
  }

  it('[CONN-9] [LIVE-7] of another generation changes nothing', () => {
    let events = 0
    for (const from of configurations) {
      const { actor, clock, network } = bring(from)
      const { value, context } = actor.getSnapshot()
      const attempts = network.attempts.length
      const deadlines = [...clock.pending.deadlines]
      const { generation } = context
      for (const other of new Set([0, generation - 1, generation + 1, Number.NaN])) {
        if (other === generation) continue
        for (const happening of ['opened', 'ponged', 'dropped', 'dismissed'] as const) {
          actor.send(eventOf(happening, other))
          expect(actor.getSnapshot().value).toEqual(value)
          expect(actor.getSnapshot().context).toBe(context)
          events += 1
        }
      }
      expect(network.attempts).toHaveLength(attempts)
      expect(clock.pending.deadlines).toEqual(deadlines)
    }
    expect(events).toBeGreaterThan(100)
  })

  it('[LIVE-4] a fourth late timer, too', () => {
    const connection = bring('connected awaitingPong settled')
    for (let late = 1; late <= 3; late += 1) happen(connection, 'sleep')
    expect(configurationOf(connection.actor.getSnapshot())).toBe('connected awaitingPong settled')
    happen(connection, 'sleep')
    expect(configurationOf(connection.actor.getSnapshot())).toBe('reconnecting waiting')
  })

  it('[BACK-6] that hurries brings an attempt forward, to a second after another such', () => {
    for (const hurry of [
      'connect',
      'environment.online',
      'environment.visible',
      'environment.woke',
    ] as const) {
      const connection = bring('reconnecting waiting')
      const { actor, clock, context } = connection
      for (const happening of ['time', 'dropped', 'connect', 'dropped'] as const) {
        happen(connection, happening)
      }
      expect(context()).toMatchObject({ retryAt: clock.now() + 2_000 })
      happen(connection, hurry)
      expect(configurationOf(actor.getSnapshot())).toBe('reconnecting waiting')
      expect(context()).toMatchObject({ retryAt: clock.now() + 1_000 })
    }
  })

  it('[CONN-13] [CONN-15] leaves no timer where nothing is waited for', () => {
    const quiet = ['disconnected', 'failed', 'connected unwatched settled']
    for (const from of configurations) {
      for (const happening of happenings) {
        const connection = bring(from)
        const { actor, clock, send, liveSockets } = connection
        happen(connection, happening)
        clock.advance(0)
        const isQuiet = quiet.includes(configurationOf(actor.getSnapshot()))
        expect([from, happening, clock.pending.count === 0]).toEqual([from, happening, isQuiet])
        send('disconnect')
        clock.advance(0)
        expect([clock.pending.count, liveSockets(), connection.signals.watchers]).toEqual([0, 0, 0])
      }
    }
  })

  it('[CONN-15] so that each transition of the machine has been taken', () => {
    const all = [...transitionsOf(machine.root)]
    const missed = all.filter((transition) => !taken.has(transition))
    expect(missed.map(describeTransition)).toEqual([])
    expect(all.length).toBeGreaterThan(30)
  })
})
