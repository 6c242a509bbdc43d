import { describe, expect, it } from 'vitest'
import {
  type ActorRefFrom,
  createActor,
  type InspectionEvent,
  sendTo,
  setup as setUp,
  type SnapshotFrom,
} from 'xstate'
import * as z from 'zod'
import type { ConnectionInput } from '../../../src/machines/connection/context.js'
import {
  type ConnectionMachine,
  createConnectionMachine,
} from '../../../src/machines/connection/machine.js'
import { getConnectionStatus } from '../../../src/machines/connection/status.js'
import type { AttemptInfo } from '../../../src/transport/target.js'
import {
  createConnection,
  createSurroundings,
  expectTerminationAfter2s,
} from './create-connection.js'

function settle(): Promise<void> {
  return new Promise((done) => setImmediate(done))
}

describe('a connection', () => {
  it('[CONN-1] is connected when the handshake is done, not before', () => {
    const { clock, peer, send, status, log } = createConnection({ latencyMs: 150 })
    peer.plays((socket) => {
      clock.setTimeout(() => socket.accepts(), 300)
    })
    send('connect')
    expect(status()).toEqual({ state: 'connecting' })
    clock.advance(449)
    expect(status()).toEqual({ state: 'connecting' })
    clock.advance(1)
    expect(status()).toEqual({ state: 'connected', since: clock.epoch() })
    clock.advance(60_000)
    expect(log.map(({ at, status }) => [at, status.state])).toEqual([
      [0, 'disconnected'],
      [0, 'connecting'],
      [450, 'connected'],
    ])
  })

  it('[CONN-2] gives up an attempt after 10 s, whatever it is waiting for', async () => {
    const hanging = () => new Promise<never>(() => undefined)
    for (const setup of [{ url: hanging }, { credentials: hanging }, {}]) {
      const { clock, peer, send, status, network } = createConnection(setup)
      peer.staysSilent()
      send('connect')
      clock.advance(9_999)
      await settle()
      expect(status().state).toBe('connecting')
      clock.advance(1)
      expect(status()).toMatchObject({
        state: 'reconnecting',
        attempt: 1,
        cause: { code: 'connect-timeout', afterMs: 10_000 },
      })
      clock.advance(0)
      expect(network.sockets.every(({ state }) => state === 'closed')).toBe(true)
    }
  })

  it('[CONN-2] counts the time of the providers and the socket together', async () => {
    const { clock, peer, send, states, network } = createConnection({
      url: () =>
        new Promise((answer) => void clock.setTimeout(() => answer('ws://sync.test'), 6_000)),
    })
    peer.staysSilent()
    send('connect')
    clock.advance(6_000)
    await settle()
    expect(network.attempts).toMatchObject([{ at: 6_000 }])
    clock.advance(3_999)
    expect(states()).toEqual(['disconnected', 'connecting'])
    clock.advance(1)
    expect(states()).toEqual(['disconnected', 'connecting', 'reconnecting'])
  })

  it('[CONN-3] [CONN-4] asks the providers for each attempt, and tells them which it is', () => {
    const told: Partial<AttemptInfo>[] = []
    const { clock, peer, send, network } = createConnection({
      url: ({ attempt, refused, signal }: AttemptInfo) => {
        told.push({ attempt, refused, signal })
        return `ws://sync.test/${told.length}`
      },
    })
    peer.isUnreachable()
    send('connect')
    clock.advance(3_000)
    send('reconnect')
    expect(told.map(({ attempt, refused }) => [attempt, refused])).toEqual([
      [0, false],
      [1, false],
      [2, false],
      [0, false],
    ])
    expect(network.attempts.map(({ url }) => url.at(-1))).toEqual(['1', '2', '3', '4'])
  })

  it('[CONN-4] aborts the signal of an attempt that is given up, by whatever', () => {
    type Act = (connection: ReturnType<typeof createConnection>) => void
    const acts: Record<string, Act> = {
      disconnect: ({ send }) => send('disconnect'),
      reconnect: ({ send }) => send('reconnect'),
      stop: ({ actor }) => actor.stop(),
      timeout: ({ clock }) => clock.advance(10_000),
    }
    for (const act of Object.values(acts)) {
      const signals: AbortSignal[] = []
      const connection = createConnection({
        url: ({ signal }: AttemptInfo) => {
          signals.push(signal)
          return new Promise<string>(() => undefined)
        },
      })
      connection.send('connect')
      expect(signals.map(({ aborted }) => aborted)).toEqual([false])
      act(connection)
      expect(signals[0]?.aborted).toBe(true)
    }
  })

  it('[CONN-3] takes a provider that fails for a failed attempt, and asks again', async () => {
    let asked = 0
    const { clock, send, status, errors, attemptTimes } = createConnection({
      url: () => {
        asked += 1
        if (asked === 1) throw new Error('not yet')
        if (asked === 2) return Promise.reject(new Error('not yet'))
        return 'ws://sync.test'
      },
    })
    send('connect')
    expect(status()).toMatchObject({
      state: 'reconnecting',
      attempt: 1,
      cause: { code: 'provider-rejected', provider: 'url' },
    })
    clock.advance(1_000)
    await settle()
    clock.advance(2_000)
    expect(attemptTimes()).toEqual([3_000])
    expect(status().state).toBe('connected')
    expect(errors.map(({ code }) => code)).toEqual(['provider-rejected', 'provider-rejected'])
  })

  it('[CONN-4] ignores what a provider gives when nobody waits for it any more', async () => {
    const answers: ((url: string) => void)[] = []
    const { clock, send, state, network } = createConnection({
      url: () => new Promise<string>((answer) => answers.push(answer)),
    })
    send('connect')
    send('disconnect')
    answers[0]?.('ws://sync.test')
    await settle()
    expect([state(), network.attempts.length]).toEqual(['disconnected', 0])
    send('connect')
    send('reconnect')
    answers[1]?.('ws://sync.test/old')
    answers[2]?.('ws://sync.test/new')
    await settle()
    clock.advance(0)
    expect(network.attempts.map(({ url }) => url)).toEqual(['ws://sync.test/new'])
    expect(state()).toBe('connected')
  })

  it('[CALL-12] [CALL-13] connect() twice is one connection', () => {
    const { clock, send, network, states } = createConnection()
    send('connect')
    send('connect')
    clock.advance(0)
    send('connect')
    clock.advance(20_000)
    send('connect')
    clock.advance(0)
    expect(network.attempts).toHaveLength(1)
    expect(states()).toEqual(['disconnected', 'connecting', 'connected'])
  })

  it('[CONN-10] [CALL-18] is disconnected at once, and terminates the socket within 2 s', () => {
    const { clock, peer, open, send, state, network } = createConnection()
    peer.neverCloses()
    open()
    send('disconnect')
    expect(state()).toBe('disconnected')
    expect(clock.pending.deadlines).toEqual([2_000])
    expectTerminationAfter2s(clock, network)
  })

  it('[CONN-13] has no timer left after failed or disconnected, from wherever', () => {
    for (const end of ['disconnect', 'fail'] as const) {
      for (const afterMs of [0, 1, 5_000, 10_000, 29_999, 30_000, 35_000, 90_000]) {
        const { clock, peer, send, state } = createConnection()
        send('connect')
        clock.advance(afterMs)
        if (end === 'disconnect') send('disconnect')
        else if (peer.socket === undefined) continue
        else peer.closes(1008)
        clock.advance(0)
        expect([state(), clock.pending.count]).toEqual([
          end === 'disconnect' ? 'disconnected' : 'failed',
          0,
        ])
      }
    }
  })

  it('[CONN-2] [LIVE-2] [CONN-11] waits by its policy, each thing by its own', () => {
    const policy = {
      ...{ connectTimeoutMs: 1_100, pingIntervalMs: 9_000, pongTimeoutMs: 2_300, settleMs: 3_700 },
      backoff: { stepsMs: [500, 700], jitter: 'none', maxAttempts: 9 },
    } as const
    const { clock, peer, send, log, pings } = createConnection({ policy })
    peer.onNextAttempt().staysSilent()
    send('connect')
    clock.advance(1_100 + 500)
    clock.advance(3_699)
    peer.drops()
    clock.advance(700)
    clock.advance(3_700)
    peer.drops()
    clock.advance(500)
    peer.ignoresPings()
    clock.advance(9_000 + 2_300)
    const changes = log.map(({ at, status }) =>
      status.state === 'reconnecting'
        ? [at, status.attempt, status.cause.code]
        : [at, status.state],
    )
    expect(changes).toEqual([
      [0, 'disconnected'],
      [0, 'connecting'],
      [1_100, 1, 'connect-timeout'],
      [1_600, 1, 'connect-timeout'],
      [1_600, 'connected'],
      [5_299, 2, 'closed'],
      [5_999, 2, 'closed'],
      [5_999, 'connected'],
      [9_699, 1, 'closed'],
      [10_199, 1, 'closed'],
      [10_199, 'connected'],
      [21_499, 1, 'pong-timeout'],
    ])
    expect(pings).toEqual([19_199])
  })

  it('[CONN-9] [CONN-12] has no socket left in failed, however silent the peer was', () => {
    const backoff = { stepsMs: [0], jitter: 'none', maxAttempts: 0 } as const
    for (const code of ['connect-timeout', 'pong-timeout'] as const) {
      const { clock, peer, send, status, network } = createConnection({ policy: { backoff } })
      if (code === 'connect-timeout') peer.staysSilent()
      peer.ignoresPings()
      peer.neverCloses()
      send('connect')
      clock.advance(50_000)
      expect(status()).toMatchObject({ state: 'failed', error: { cause: { code } } })
      expect(network.sockets.map(({ state }) => state)).toEqual(['closed'])
      expect(clock.pending.count).toBe(0)
    }
  })

  it('[CONN-9] has one live socket at most, over 1,000 cycles of any kind, and leaves nothing', () => {
    const { clock, peer, send, network, liveSockets, actor, signals } = createConnection()
    const acts = ['connect', 'reconnect', 'disconnect', 'connect', 'connect', 'disconnect'] as const
    let dropped = 0
    for (let cycle = 0; cycle < 1_000; cycle += 1) {
      if (cycle % 13 === 0) peer.neverCloses()
      if (cycle % 13 === 6) peer.closesCleanly()
      send(acts[(cycle * 7) % 6] ?? 'connect')
      clock.advance((cycle * 37) % 1_100)
      if (cycle % 5 === 0 && network.sockets.at(-1)?.isOpen === true) {
        network.sockets.at(-1)?.drops()
        dropped += 1
      }
      expect(liveSockets()).toBeLessThanOrEqual(1)
    }
    expect([dropped > 50, network.attempts.length > 500]).toEqual([true, true])
    actor.stop()
    clock.advance(2_000)
    expect(clock.pending.count).toBe(0)
    expect(signals.watchers).toBe(0)
    expect(network.sockets.every(({ state }) => state === 'closed')).toBe(true)
  })

  it('[CONN-9] 1,000 times connect and disconnect leave nothing', () => {
    const { clock, send, network, signals } = createConnection()
    for (let cycle = 0; cycle < 1_000; cycle += 1) {
      send('connect')
      if (cycle % 2 === 0) clock.advance(0)
      send('disconnect')
    }
    clock.advance(0)
    expect(network.attempts).toHaveLength(1_000)
    expect(network.sockets.every(({ state }) => state === 'closed')).toBe(true)
    expect([clock.pending.count, signals.watchers]).toEqual([0, 0])
  })

  it('[CONN-4] commands from inside a provider, an abort listener and a status change take their turn', () => {
    const { clock, send, actor, states, network } = createConnection({
      url: ({ attempt, signal }: AttemptInfo) => {
        signal.addEventListener('abort', () => send('connect'))
        if (attempt === 0 && network.attempts.length === 0) send('disconnect')
        return 'ws://sync.test'
      },
    })
    send('connect')
    clock.advance(0)
    // Disconnected from inside the provider, connected again from inside the abort.
    expect(states()).toEqual([
      'disconnected',
      'connecting',
      'disconnected',
      'connecting',
      'connected',
    ])
    const subscription = actor.subscribe((snapshot) => {
      if (getConnectionStatus(snapshot).state === 'reconnecting') send('disconnect')
    })
    network.sockets.at(-1)?.drops()
    expect(states().slice(-2)).toEqual(['reconnecting', 'disconnected'])
    subscription.unsubscribe()
    actor.stop()
  })

  it('[CLI-14] stopping its actor releases everything', () => {
    for (const afterMs of [0, 5_000, 35_000]) {
      const { clock, peer, send, actor, network } = createConnection()
      peer.neverCloses()
      send('connect')
      clock.advance(afterMs)
      actor.stop()
      clock.advance(2_000)
      expect(clock.pending.count).toBe(0)
      expect(network.sockets[0]?.state).toBe('closed')
    }
  })
})

describe('secrets', () => {
  it('[CLI-13] are in no event, context, status or error, as an inspector sees them', async () => {
    const secret = 'canary-9d40c2'
    const seen: string[] = []
    const inspect = ({ actorRef, ...event }: InspectionEvent) => {
      seen.push(print([actorRef.sessionId, event]))
    }
    let url: () => unknown = () => `ws://${secret}.test/?key=${secret}`
    let credentials: () => unknown = () => ({ token: secret })
    const { clock, peer, send, actor, log, errors, network } = createConnection({
      inspect,
      url: () => url() as string,
      credentials: () => credentials(),
      rule: {
        schema: z.object({ token: z.string() }),
        apply: (request, { token }: { token?: unknown }) => {
          request.url.searchParams.set('token', String(token))
          request.headers['authorization'] = `Bearer ${String(token)}`
        },
      },
    })
    send('connect')
    clock.advance(31_000)
    peer.drops()
    peer.rejects({ status: 401 })
    clock.advance(1_000)
    peer.isUnreachable()
    clock.advance(2_000)
    peer.staysSilent()
    clock.advance(20_000)
    url = () => {
      throw new Error(secret)
    }
    clock.advance(8_000)
    url = () => Promise.reject(new Error(secret))
    clock.advance(16_000)
    await settle()
    url = () => `ftp://${secret}.test`
    send('reconnect')
    url = () => `ws://${secret}.test`
    credentials = () => ({ tokens: secret })
    send('connect')
    peer.accepts()
    credentials = () => ({ token: secret })
    send('connect')
    clock.advance(0)
    send('disconnect')

    expect(network.attempts[0]?.url).toContain(secret)
    expect(new Set(log.map(({ status }) => status.state)).size).toBe(5)
    expect(seen.length).toBeGreaterThan(100)
    for (const text of seen) expect(text).not.toContain(secret)
    expect(print([log, errors.map(({ code, message }) => [code, message])])).not.toContain(secret)
    expect(print(actor).length).toBeGreaterThan(10_000)
    expect(print(actor)).not.toContain(secret)
    // What the user's own code threw is theirs, and is in `cause` alone.
    expect(print(errors.map(({ cause }) => String(cause)))).toContain(secret)
  })
})

/** Everything that can be reached from a value without calling it, as text. */
function print(value: unknown): string {
  const seen = new Set<unknown>()
  const parts: string[] = []
  function visit(part: unknown): void {
    if (typeof part === 'string') parts.push(part)
    if ((typeof part !== 'object' && typeof part !== 'function') || part === null) return
    if (seen.has(part)) return
    seen.add(part)
    for (const key of Reflect.ownKeys(part)) {
      parts.push(String(key))
      const descriptor = Object.getOwnPropertyDescriptor(part, key)
      if (descriptor !== undefined && 'value' in descriptor) visit(descriptor.value)
    }
    if (part instanceof Map) for (const [key, held] of part) visit([key, held])
    if (part instanceof Set) for (const held of part) visit(held)
    if (part instanceof URL) parts.push(part.href)
  }
  visit(value)
  return parts.join('\n')
}

describe('the machine in a machine of the user’s own', () => {
  const app = setUp({
    types: {
      context: {} as { starts: number },
      events: {} as { type: 'signedIn' } | { type: 'signedOut' } | { type: 'moved' },
      input: {} as ConnectionInput,
    },
    actors: { connection: createConnectionMachine() },
  })

  it('[CONN-16] runs as an invoked child: it is born and dies with a state', () => {
    const { clock, input, network, signals, peer } = createSurroundings()
    const machine = app.createMachine({
      context: ({ input }) => ({ starts: 0, ...input }),
      initial: 'out',
      states: {
        out: { on: { signedIn: 'in' } },
        in: {
          entry: sendTo('sync', { type: 'connect' }),
          invoke: { src: 'connection', id: 'sync', input: () => input },
          on: { signedOut: 'out', moved: { actions: sendTo('sync', { type: 'reconnect' }) } },
        },
      },
    })
    const actor = createActor(machine, { clock, input })
    actor.start()
    expect(clock.pending.count).toBe(0)
    actor.send({ type: 'signedIn' })
    clock.advance(0)
    const child = () => actor.getSnapshot().children['sync'] as ActorRefFrom<ConnectionMachine>
    const status = () => getConnectionStatus(child().getSnapshot())
    expect(status().state).toBe('connected')
    clock.advance(60_000)
    expect(peer.received).toHaveLength(2)
    peer.drops()
    expect(status()).toMatchObject({ state: 'reconnecting', attempt: 1 })
    clock.advance(1_000)
    actor.send({ type: 'moved' })
    clock.advance(0)
    expect(status().state).toBe('connected')
    actor.send({ type: 'signedOut' })
    clock.advance(0)
    expect(network.sockets.map(({ state }) => state)).toEqual(['closed', 'closed', 'closed'])
    expect([clock.pending.count, signals.watchers]).toEqual([0, 0])
    actor.send({ type: 'signedIn' })
    clock.advance(0)
    expect(status().state).toBe('connected')
    actor.stop()
    clock.advance(0)
    expect([clock.pending.count, signals.watchers]).toEqual([0, 0])
  })

  it('[CONN-16] runs as a spawned child, several at a time, each with its own link', () => {
    const rooms = ['red', 'blue', 'green'].map((name) => ({
      name,
      ...createSurroundings({ url: `ws://${name}.test` }),
    }))
    const clock = rooms[0]?.clock
    if (clock === undefined) throw new Error('no rooms')
    const machine = setUp({
      types: { context: {} as { rooms: ActorRefFrom<ConnectionMachine>[] } },
      actors: { connection: createConnectionMachine() },
    }).createMachine({
      context: ({ spawn }) => ({
        rooms: rooms.map(({ name, input }) =>
          spawn('connection', { id: name, input: { ...input, clock } }),
        ),
      }),
    })
    const actor = createActor(machine, { clock }).start()
    const { rooms: children } = actor.getSnapshot().context
    const states = () => children.map((child) => getConnectionStatus(child.getSnapshot()).state)
    children[0]?.send({ type: 'connect' })
    children[2]?.send({ type: 'connect' })
    for (const room of rooms) room.clock.advance(0)
    expect(states()).toEqual(['connected', 'disconnected', 'connected'])
    rooms[2]?.peer.drops()
    expect(states()).toEqual(['connected', 'disconnected', 'reconnecting'])
    expect(rooms.map(({ network }) => network.attempts.map(({ url }) => url))).toEqual([
      ['ws://red.test/'],
      [],
      ['ws://green.test/'],
    ])
    actor.stop()
    for (const room of rooms) room.clock.advance(0)
    expect(rooms.map(({ clock }) => clock.pending.count)).toEqual([0, 0, 0])
  })
})

describe('the status', () => {
  it('[CONN-15] is total: every snapshot of a long life has one of the five', () => {
    const states = new Set<string>()
    const connection = createConnection()
    const { clock, peer, send, actor } = connection
    actor.subscribe((snapshot: SnapshotFrom<ConnectionMachine>) => {
      states.add(getConnectionStatus(snapshot).state)
      const isDisconnected = getConnectionStatus(snapshot).state === 'disconnected'
      expect(isDisconnected).toBe(snapshot.value === 'disconnected')
    })
    send('connect')
    clock.advance(40_000)
    peer.refuses(4401)
    peer.drops()
    clock.advance(100_000)
    send('disconnect')
    expect([...states].sort()).toEqual([
      'connected',
      'connecting',
      'disconnected',
      'failed',
      'reconnecting',
    ])
  })
})
