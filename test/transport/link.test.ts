import { describe, expect, it, vi } from 'vitest'
import * as z from 'zod'
import type { SyncError } from '../../src/base/errors.js'
import type { RawFrame } from '../../src/schemas/message.js'
import { createManualClock } from '../../src/testing/clock.js'
import { createFakeTransport } from '../../src/testing/fake-transport.js'
import { createLink, type LinkEvent, type LinkOptions } from '../../src/transport/link.js'
import type { Socket, SocketHandlers, Transport } from '../../src/transport/transport.js'
import { expectTerminationAfter2s } from '../machines/connection/create-connection.js'

function watch(options: Pick<LinkOptions, 'transport' | 'clock'> & Partial<LinkOptions>) {
  const events: LinkEvent[] = []
  const errors: SyncError[] = []
  const frames: RawFrame[] = []
  const link = createLink({
    target: { url: 'ws://sync.test/ws' },
    makePing: () => 'ping',
    onFrame: (frame) => frames.push(frame),
    report: (error) => errors.push(error),
    maxMessageBytes: 1_000,
    maxBufferedBytes: 100,
    closeTimeoutMs: 2_000,
    ...options,
  })
  link.listen((event) => events.push(event))
  let generation = 0
  return {
    link,
    events,
    errors,
    frames,
    /** What happened, in short: `opened 1`, `network 2`. */
    log: () =>
      events.map((event) =>
        event.type === 'socket.closed'
          ? `${event.failure.code} ${event.generation}`
          : `${event.type.slice('socket.'.length)} ${event.generation}`,
      ),
    open(attempt = 0, refused = false) {
      generation += 1
      link.open({ generation, attempt, refused })
      return generation
    },
  }
}

/** Over the fake network, which keeps the contract of transports. */
function create(options: Partial<LinkOptions> = {}) {
  const clock = createManualClock()
  const network = createFakeTransport({ clock })
  return { clock, network, peer: network.peer, ...watch({ transport: network, clock, ...options }) }
}

/** Over a transport played by hand, which need not. */
function play(socket: Partial<Socket> = {}, options: Partial<LinkOptions> = {}) {
  const clock = createManualClock()
  const played: SocketHandlers[] = []
  const calls: string[] = []
  let connecting: (handlers: SocketHandlers) => void = () => undefined
  const transport: Transport = {
    connect(_request, handlers) {
      played.push(handlers)
      connecting(handlers)
      const usual: Socket = {
        bufferedAmount: 0,
        send: (frame) => calls.push(`send ${String(frame)}`) > 0,
        close: (code) => calls.push(`close ${code}`),
        terminate: () => calls.push('terminate'),
      }
      return Object.defineProperties(usual, Object.getOwnPropertyDescriptors(socket))
    },
  }
  return {
    clock,
    calls,
    transport,
    handlers(at = 0): SocketHandlers {
      const handlers = played[at]
      if (handlers === undefined) throw new Error(`there was no attempt ${at}`)
      return handlers
    },
    whileConnecting(act: (handlers: SocketHandlers) => void) {
      connecting = act
    },
    ...watch({ transport, clock, ...options }),
  }
}

const dropped = { code: 'closed', closeCode: 1006, reason: '', message: 'dropped' } as const

function throwing(message: string): () => never {
  return () => {
    throw new Error(message)
  }
}

function settle(): Promise<void> {
  return new Promise((done) => setImmediate(done))
}

describe('generations', () => {
  it('[CONN-9] tells of each with its number, and of the newest alone', () => {
    const { clock, peer, log, open, link, frames, network } = create()
    peer.neverCloses()
    open()
    clock.advance(0)
    open()
    network.sockets[0]?.sends('SAID')
    clock.advance(0)
    peer.sendsRaw('hello')
    expect(log()).toEqual(['opened 1', 'opened 2'])
    expect(frames).toEqual(['hello'])
    link.release(1)
    expect(link.send('x')).toBe('sent')
    peer.drops()
    expect(log()).toEqual(['opened 1', 'opened 2', 'closed 2'])
  })

  it('[CONN-9] hears nothing that a socket does after it was released', () => {
    const { log, link, open, handlers, frames, calls } = play()
    link.release(open())
    open()
    handlers(0).opened()
    handlers(0).received('old')
    handlers(0).closed(dropped)
    expect(log()).toEqual([])
    expect(frames).toEqual([])
    expect(calls).toEqual(['close 1000'])
    handlers(1).opened()
    expect(log()).toEqual(['opened 2'])
  })

  it('[CONN-9] a ping, a pong and a frame of an old generation go nowhere', () => {
    const { log, link, open, handlers, calls } = play()
    open()
    link.ping(1)
    link.ponged()
    expect([log(), calls]).toEqual([[], []])
    handlers(0).opened()
    link.ping(0)
    link.ping(2)
    link.ping(1)
    link.ponged()
    expect(log()).toEqual(['opened 1', 'ponged 1'])
    expect(calls).toEqual(['send ping'])
    open()
    link.ping(1)
    link.ponged()
    expect(log()).toEqual(['opened 1', 'ponged 1'])
    expect(calls).toEqual(['send ping', 'close 1000'])
  })

  it('has one listener, and stopping an old one does not silence the new', () => {
    const { log, link, open, handlers } = play()
    const heard: LinkEvent[] = []
    const stopFirst = link.listen(() => expect.unreachable())
    const stop = link.listen((event) => heard.push(event))
    stopFirst()
    open()
    handlers().opened()
    expect(heard).toEqual([{ type: 'socket.opened', generation: 1 }])
    stop()
    handlers().closed(dropped)
    expect(heard).toHaveLength(1)
    expect(log()).toEqual([])
  })
})

describe('providers', () => {
  it('[BACK-1] connects from inside open() where no provider is asynchronous', () => {
    const { network, open } = create({ target: { url: () => 'ws://sync.test/now' } })
    open()
    expect(network.attempts).toMatchObject([{ at: 0, url: 'ws://sync.test/now' }])
  })

  it('[CONN-4] ignores what comes after an attempt was given up, however it was', async () => {
    const giveUp: ((made: ReturnType<typeof create>) => void)[] = [
      ({ link }) => link.release(1),
      ({ link }) => link.dispose(),
      (made) => void made.open(),
    ]
    for (const act of giveUp) {
      const signals: AbortSignal[] = []
      const answers: ((address: string) => void)[] = []
      const made = create({
        target: {
          url: ({ signal }) => {
            signals.push(signal)
            return new Promise((answer) => answers.push(answer))
          },
        },
      })
      made.open()
      expect(signals[0]?.aborted).toBe(false)
      act(made)
      expect(signals.map(({ aborted }) => aborted)).toEqual([true, false].slice(0, signals.length))
      answers[0]?.('ws://sync.test/late')
      await settle()
      expect(made.network.attempts).toEqual([])
      answers[1]?.('ws://sync.test/new')
      await settle()
      expect(made.network.attempts).toHaveLength(signals.length - 1)
      expect(made.log()).toEqual([])
      expect(made.errors).toEqual([])
    }
  })

  it('[CONN-3] reports what a provider throws or rejects with, and fails the attempt', async () => {
    const cause = new Error('no token today')
    for (const provider of ['url', 'credentials'] as const) {
      for (const fail of [throwing(cause.message), () => Promise.reject(cause)]) {
        const { open, log, errors, network } = create({
          target: { url: 'ws://sync.test', [provider]: fail },
        })
        open()
        await settle()
        expect(log()).toEqual(['provider-rejected 1'])
        expect(errors).toMatchObject([{ code: 'provider-rejected', cause }])
        expect(network.attempts).toEqual([])
      }
    }
  })

  it('[CONN-5] fails without a report and without a socket where what they give does not do', () => {
    const rule = { schema: z.object({ token: z.string() }), apply: () => undefined }
    const { open, log, errors, network, link } = create({ credentials: rule })
    open()
    link.retarget({ url: 'ftp://sync.test' })
    open()
    expect(log()).toEqual(['credentials-missing 1', 'url-unusable 2'])
    expect([errors, network.attempts]).toEqual([[], []])
  })

  it('[CALL-21] a new target counts from the next attempt on', () => {
    const { open, link, network, clock, log } = create()
    open()
    link.retarget({ url: 'ws://other.test/' })
    clock.advance(0)
    expect(log()).toEqual(['opened 1'])
    open()
    link.retarget({ credentials: 'unused' })
    open()
    expect(network.attempts.map(({ url }) => url)).toEqual([
      'ws://sync.test/ws',
      'ws://other.test/',
      'ws://other.test/',
    ])
  })

  it('[CONN-9] opens no socket for an attempt given up while its credentials were written', () => {
    const made = create({
      credentials: {
        schema: z.unknown(),
        apply: () => {
          made.link.dispose()
        },
      },
    })
    made.open()
    made.clock.advance(0)
    expect([made.network.attempts, made.log(), made.errors]).toEqual([[], [], []])
  })

  it('[CONN-9] an abort listener that comes back in finds the new attempt in place', () => {
    let reentered = 0
    const made = create({
      target: {
        url: ({ signal }) => {
          signal.addEventListener('abort', () => {
            reentered += 1
            made.link.release(1)
          })
          return new Promise(() => undefined)
        },
      },
    })
    made.open()
    made.open()
    expect(reentered).toBe(1)
    made.link.dispose()
    expect(made.log()).toEqual([])
  })
})

describe('releasing a connection', () => {
  it('[CONN-10] closes with 1000 and terminates after exactly 2 s', () => {
    const { clock, peer, open, link, network } = create()
    peer.neverCloses()
    const generation = open()
    clock.advance(0)
    link.release(generation)
    expectTerminationAfter2s(clock, network)
  })

  it('[CONN-10] leaves no timer where the handshake completes', () => {
    const { clock, open, link, network } = create()
    const generation = open()
    clock.advance(0)
    link.release(generation)
    link.release(generation)
    clock.advance(0)
    expect(network.sockets[0]).toMatchObject({ state: 'closed', wasTerminated: false })
    expect(clock.pending.count).toBe(0)
  })

  it('[CONN-10] terminates an attempt under way, too', () => {
    const { clock, peer, open, link, network, log } = create()
    peer.staysSilent()
    link.release(open())
    clock.advance(0)
    expect(network.sockets[0]?.state).toBe('closed')
    expect([log(), clock.pending.count]).toEqual([[], 0])
  })

  it('[CLI-14] dispose releases everything and is not heard of again', () => {
    const { clock, peer, open, link, network, log } = create()
    peer.neverCloses()
    open()
    clock.advance(0)
    open()
    clock.advance(500)
    link.dispose()
    link.dispose()
    expect(link.send('x')).toBe('notConnected')
    clock.advance(2_000)
    expect(network.sockets.map(({ state }) => state)).toEqual(['closed', 'closed'])
    expect(log()).toEqual(['opened 1', 'opened 2'])
    expect(clock.pending.count).toBe(0)
  })

  it('[CLI-14] 1,000 cycles leave no socket, no timer and no abort listener', () => {
    const listening = { added: 0, aborted: 0 }
    const { clock, peer, open, link, network } = create({
      target: {
        url: ({ signal }) => {
          listening.added += 1
          signal.addEventListener('abort', () => {
            listening.aborted += 1
          })
          return 'ws://sync.test'
        },
      },
    })
    for (let cycle = 0; cycle < 1_000; cycle += 1) {
      if (cycle % 3 === 0) peer.neverCloses()
      else peer.closesCleanly()
      if (cycle % 5 === 0) peer.staysSilent()
      else peer.accepts()
      const generation = open()
      clock.advance(cycle % 7)
      if (cycle % 2 === 0) link.release(generation)
      const live = network.sockets.filter(({ state }) => state === 'connecting' || state === 'open')
      expect(live.length).toBe(cycle % 2)
      clock.advance(cycle % 11)
    }
    link.dispose()
    clock.advance(2_000)
    expect(network.sockets.every(({ state }) => state === 'closed')).toBe(true)
    expect(network.sockets.filter(({ wasTerminated }) => wasTerminated).length).toBeGreaterThan(100)
    expect(listening).toEqual({ added: 1_000, aborted: 1_000 })
    expect(clock.pending.count).toBe(0)
  })
})

describe('a transport that does not keep its contract', () => {
  it('[NET-4] one that throws at connect is reported, and the attempt has failed', () => {
    const { whileConnecting, open, log, errors, link, clock } = play()
    whileConnecting(throwing('no sockets here'))
    open()
    expect(log()).toEqual(['network 1'])
    expect(errors).toMatchObject([{ code: 'transport-threw', cause: { message: /no sockets/ } }])
    expect(link.send('x')).toBe('notConnected')
    link.release(1)
    expect(clock.pending.count).toBe(0)
  })

  it('[NET-4] one that throws at send has not sent', () => {
    const made = [
      play({ send: throwing('no send') }),
      play({
        get bufferedAmount(): number {
          throw new Error('no number')
        },
      }),
    ]
    for (const { open, handlers, link, errors } of made) {
      open()
      handlers().opened()
      expect(link.send('x')).toBe('notConnected')
      expect(errors).toMatchObject([{ code: 'transport-threw' }])
    }
    const { open, handlers, link, errors, log } = play({ send: throwing('no send') })
    open()
    handlers().opened()
    link.ping(1)
    expect(errors).toMatchObject([{ code: 'transport-threw' }])
    expect(log()).toEqual(['opened 1'])
  })

  it('[NET-4] one that throws at close is terminated after the close bound', () => {
    const calls: string[] = []
    const { open, link, errors, clock } = play({
      close: throwing('no close'),
      terminate() {
        calls.push('terminate')
        throw new Error('no end')
      },
    })
    link.release(open())
    expect(errors).toHaveLength(1)
    clock.advance(1_999)
    expect(calls).toEqual([])
    clock.advance(1)
    expect(calls).toEqual(['terminate'])
    expect(errors).toMatchObject([{ code: 'transport-threw' }, { code: 'transport-threw' }])
    expect(clock.pending.count).toBe(0)
  })

  it('[NET-4] one that closes before connect has returned: heard once, nothing left', () => {
    const { whileConnecting, open, log, link, clock, calls } = play()
    whileConnecting(({ closed }) => closed(dropped))
    open()
    expect(log()).toEqual(['closed 1'])
    expect(link.send('x')).toBe('notConnected')
    link.release(1)
    link.dispose()
    expect([clock.pending.count, calls]).toEqual([0, []])
  })

  it('[NET-4] one that opens before connect has returned is used all the same', () => {
    const { whileConnecting, open, log, link, calls } = play()
    whileConnecting(({ opened }) => opened())
    open()
    expect(log()).toEqual(['opened 1'])
    expect(link.send('x')).toBe('sent')
    expect(calls).toEqual(['send x'])
  })

  it('[NET-4] one that opens and then throws from connect has failed once', () => {
    const { whileConnecting, open, log, errors, handlers } = play()
    whileConnecting(({ opened }) => {
      opened()
      throw new Error('after all not')
    })
    open()
    handlers().closed(dropped)
    expect(log()).toEqual(['opened 1', 'network 1'])
    expect(errors).toHaveLength(1)
  })

  it('[CONN-9] terminates a socket whose attempt was given up before connect returned', () => {
    const { whileConnecting, open, link, clock, calls, handlers, log } = play()
    whileConnecting(() => link.release(1))
    open()
    expect(calls).toEqual(['close 1000'])
    clock.advance(2_000)
    expect(calls).toEqual(['close 1000', 'terminate'])
    handlers().closed(dropped)
    expect(log()).toEqual([])
  })

  it('[CONN-9] hears nothing after the end', () => {
    const { open, log, handlers, frames, link } = play()
    open()
    handlers().closed(dropped)
    handlers().opened()
    handlers().received('x')
    handlers().closed(dropped)
    link.ping(1)
    link.ponged()
    expect(log()).toEqual(['closed 1'])
    expect(frames).toEqual([])
  })
})

describe('frames', () => {
  it('[SEND-2] [SEND-3] sends over an open connection and nowhere else', () => {
    const { open, link, handlers, calls } = play()
    expect(link.send('1')).toBe('notConnected')
    open()
    expect(link.send('2')).toBe('notConnected')
    handlers().opened()
    expect(link.send('3')).toBe('sent')
    handlers().closed(dropped)
    expect(link.send('4')).toBe('notConnected')
    expect(calls).toEqual(['send 3'])
  })

  it('[SEND-2] does not claim to have sent what the socket did not take', () => {
    // As ws while the peer's close has been read and the end of the stream has not.
    const { open, link, handlers } = play({ send: () => false })
    open()
    handlers().opened()
    expect(link.send('x')).toBe('notConnected')
  })

  it('[SEND-6] says full beyond the bound, counted in bytes', () => {
    const socket = { bufferedAmount: 90, send: () => true }
    const { open, link, handlers } = play(socket)
    open()
    handlers().opened()
    const frames: [frame: RawFrame, expected: string][] = [
      ['x'.repeat(10), 'sent'],
      ['x'.repeat(11), 'full'],
      ['é'.repeat(5), 'sent'],
      ['é'.repeat(6), 'full'],
      ['漢'.repeat(3), 'sent'],
      ['漢'.repeat(4), 'full'],
      [new Uint8Array(10), 'sent'],
      [new Uint8Array(11), 'full'],
    ]
    for (const [frame, expected] of frames) expect(link.send(frame)).toBe(expected)
  })

  it('[LIVE-9] pings with what makePing makes, where it makes something', () => {
    const makePing = vi.fn<() => RawFrame | undefined>(() => undefined)
    const { open, link, handlers, calls } = play({}, { makePing })
    open()
    link.ping(1)
    expect(makePing).not.toHaveBeenCalled()
    handlers().opened()
    link.ping(1)
    expect(calls).toEqual([])
    makePing.mockReturnValue('sign of life')
    link.ping(1)
    expect(calls).toEqual(['send sign of life'])
  })

  it('[CLI-1] survives a ping that cannot be made and a frame that cannot be taken', () => {
    const { open, link, handlers, calls, errors, log } = play(
      {},
      { makePing: throwing('no body'), onFrame: throwing('no reader') },
    )
    open()
    handlers().opened()
    link.ping(1)
    handlers().received('x')
    handlers().received('y')
    expect(calls).toEqual([])
    expect(errors.map(({ code }) => code)).toEqual([
      'handler-threw',
      'handler-threw',
      'handler-threw',
    ])
    expect(log()).toEqual(['opened 1'])
  })

  it('[CONN-9] survives a frame whose reader closes the connection', () => {
    const { open, link, handlers, log, calls, clock } = play({}, { onFrame: () => link.release(1) })
    open()
    handlers().opened()
    handlers().received('x')
    handlers().received('y')
    expect(calls).toEqual(['close 1000'])
    handlers().closed(dropped)
    expect([log(), clock.pending.count]).toEqual([['opened 1'], 0])
  })
})

describe('secrets', () => {
  it('[CLI-13] are in no event, whatever goes wrong', async () => {
    const secret = 'canary-51be'
    const rule = {
      schema: z.object({ token: z.string() }),
      apply: (request: { url: URL }, { token }: { token: string }) => {
        request.url.searchParams.set('token', token)
      },
    }
    const target = { url: `ws://${secret}.test`, credentials: { token: secret } }
    const { open, link, events, clock, peer, network } = create({ credentials: rule, target })
    open()
    clock.advance(0)
    peer.drops()
    peer.rejects({ status: 401 })
    open()
    clock.advance(0)
    peer.isUnreachable()
    open()
    clock.advance(0)
    link.retarget({ credentials: { tokens: secret } })
    open()
    link.retarget({ url: () => Promise.reject(new Error(secret)) })
    open()
    await settle()
    expect(network.attempts[0]?.url).toContain(secret)
    expect(events).toHaveLength(6)
    expect(JSON.stringify(events)).not.toContain(secret)
  })
})
