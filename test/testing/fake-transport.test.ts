import { describe, expect, it } from 'vitest'
import * as z from 'zod'
import { createEnvelope } from '../../src/schemas/envelope.js'
import { defineProtocol } from '../../src/schemas/protocol.js'
import { createManualClock } from '../../src/testing/clock.js'
import { createFakeTransport } from '../../src/testing/fake-transport.js'
import type { RawFrame } from '../../src/schemas/message.js'
import type { Socket, Transport } from '../../src/transport/transport.js'

const chat = defineProtocol({
  receive: { SAID: z.object({ text: z.string() }), BYE: null },
  send: { SAY: z.object({ text: z.string() }), BYE: null },
})

/** A client without any sense of its own: it writes down what it is told. */
function connect(transport: Transport, maxMessageBytes = 1_000, url = 'ws://sync.test/ws') {
  const log: string[] = []
  const frames: RawFrame[] = []
  const socket: Socket = transport.connect(
    { url, protocols: [], headers: { 'x-test': '1' }, maxMessageBytes },
    {
      opened: () => log.push('opened'),
      received: (frame) => frames.push(frame),
      closed: (failure) =>
        log.push('closeCode' in failure ? `closed ${failure.closeCode}` : failure.code),
    },
  )
  const say = (text: string) => socket.send(JSON.stringify({ type: 'SAY', payload: { text } }))
  const read = () => frames.map((frame) => JSON.parse(String(frame)) as { type: string })
  return { socket, log, frames, say, read }
}

function create(options: Partial<Parameters<typeof createFakeTransport>[0]> = {}) {
  const clock = createManualClock({ epochMs: 9_000 })
  const network = createFakeTransport({ clock, ...options, protocol: chat })
  return { clock, network, peer: network.peer }
}

describe('a fake transport', () => {
  it('[TEST-10] opens on the next move of the clock, never from inside connect', () => {
    const { clock, network } = create()
    const { log } = connect(network)
    expect([log, network.sockets[0]?.state]).toEqual([[], 'connecting'])
    clock.advance(0)
    expect([log, network.sockets[0]?.state]).toEqual([['opened'], 'open'])
    expect(network.attempts).toEqual([
      { attempt: 1, at: 0, url: 'ws://sync.test/ws', headers: { 'x-test': '1' }, protocols: [] },
    ])
    expect(clock.pending.count).toBe(0)
  })

  it('[TEST-11] plays each way that an attempt can end', () => {
    const { clock, network, peer } = create()
    peer.onAttempt(2).refuses(4001, 'No token provided')
    peer.onNextAttempt().rejects({ status: 503, retryAfterMs: 5_000 })
    peer.onNextAttempt().staysSilent()
    peer.isUnreachable()
    const logs = [1, 2, 3, 4].map(() => connect(network).log)
    clock.advance(60_000)
    expect(logs).toEqual([['upgrade-refused'], ['opened', 'closed 4001'], [], ['network']])
    const message = expect.any(String) as string
    expect(network.sockets.map(({ failure }) => failure)).toEqual([
      { code: 'upgrade-refused', status: 503, retryAfterMs: 5_000, message },
      { code: 'closed', closeCode: 4001, reason: 'No token provided', message },
      undefined,
      { code: 'network', systemCode: 'ECONNREFUSED', message },
    ])
  })

  it('[TEST-11] knows no addresses but those of WebSockets', () => {
    const { clock, network } = create()
    const logs = ['http://sync.test/', 'nonsense'].map((url) => connect(network, 10, url).log)
    clock.advance(0)
    expect(logs).toEqual([['url-unusable'], ['url-unusable']])
  })

  it('[TEST-11] lets an attempt that hangs be answered later', () => {
    const { clock, network, peer } = create()
    peer.staysSilent()
    const { log } = connect(network)
    clock.advance(9_999)
    network.sockets[0]?.accepts()
    expect(log).toEqual(['opened'])
  })

  it('[TEST-11] plays a script of your own, with the request at hand', () => {
    const { clock, network, peer } = create()
    peer.plays((socket) => {
      if (socket.request.url.endsWith('/ws')) socket.accepts((open) => open.sends('BYE'))
      else socket.staysSilent()
    })
    const { read } = connect(network)
    clock.advance(0)
    expect(read()).toEqual([{ type: 'BYE', timestamp: 9_000 }])
  })

  it('[TEST-12] delivers what the peer sends before the call returns', () => {
    const { clock, network, peer } = create()
    const { frames, read } = connect(network)
    clock.advance(0)
    peer.sends('SAID', { text: 'hello' })
    peer.sends('SAID', { text: 'again' }, { deviceId: 'server', timestamp: 1 })
    expect(read()).toEqual([
      { type: 'SAID', data: { text: 'hello' }, timestamp: 9_000 },
      { type: 'SAID', data: { text: 'again' }, timestamp: 1, deviceId: 'server' },
    ])
    peer.sendsBatch([{ type: 'BYE' }, { type: 'SAID', data: { text: 'x' } }])
    expect(read().at(-1)).toMatchObject({ type: 'BATCH', messages: [{ type: 'BYE' }, {}] })
    peer.sendsRaw('{')
    peer.sendsRaw(new Uint8Array([1, 2]))
    expect(frames.slice(-2)).toEqual(['{', new Uint8Array([1, 2])])
  })

  it('[TEST-12] never delivers an event from inside another, nor from inside a call', () => {
    const { clock, network, peer } = create()
    const order: string[] = []
    peer.accepts()
    peer.answers('SAY', () => peer.sends('BYE'))
    const socket = network.connect(
      { url: 'ws://a/', protocols: [], headers: {}, maxMessageBytes: 100 },
      {
        opened() {
          peer.sends('SAID', { text: 'one' })
          socket.send('{"type":"SAY"}')
          order.push('opened ends')
        },
        received: (frame) => order.push(String(frame).slice(9, 13)),
        closed: () => order.push('closed'),
      },
    )
    clock.advance(0)
    expect(order).toEqual(['opened ends', 'SAID', 'BYE"'])
    socket.send('{"type":"SAY"}')
    expect(order).toHaveLength(3)
    clock.advance(0)
    expect(order).toHaveLength(4)
    socket.close(1000, '')
    expect(order).toHaveLength(4)
    clock.advance(0)
    expect(order.at(-1)).toBe('closed')
  })

  it('[TEST-13] shows what the client sent, read by the protocol', () => {
    const { clock, network, peer } = create()
    const { socket, say } = connect(network)
    clock.advance(5)
    say('hi')
    socket.send('{"type":"PING","payload":{"timestamp":4}}')
    socket.send(
      '{"type":"BATCH","messages":[{"type":"BYE"},{"type":"SAY","payload":{"text":"b"}}]}',
    )
    socket.send('not json')
    expect(peer.received.map(({ type }) => type)).toEqual(['SAY', 'PING', 'BYE', 'SAY', undefined])
    expect(peer.messages.map(({ type }) => type)).toEqual(['SAY', 'BYE', 'SAY', undefined])
    expect(peer.received[0]).toMatchObject({ attempt: 1, at: 5, data: { text: 'hi' } })
    expect(network.sockets[0]?.received).toEqual(peer.received)
  })

  it('[TEST-12] speaks the wire of the protocol: fields, batches, pongs', () => {
    const clock = createManualClock({ epochMs: 9_000 })
    const terse = defineProtocol({
      receive: { A: z.number(), hb: z.number() },
      send: {},
      envelope: createEnvelope({ type: 't', data: 'd', payload: 'p', batch: false }),
      heartbeat: { ping: 'hb?', pong: 'hb', body: (epochMs) => epochMs / 1_000 },
    })
    const network = createFakeTransport({ clock, protocol: terse })
    const { socket, read } = connect(network)
    clock.advance(0)
    network.peer.sends('A', 7)
    socket.send('{"t":"hb?"}')
    socket.send('{"t":"A","p":1}')
    socket.send('[]')
    clock.advance(0)
    expect(read()).toEqual([
      { t: 'A', d: 7, timestamp: 9_000 },
      { t: 'hb', d: 9, timestamp: 9_000 },
    ])
    expect(network.peer.messages.map(({ type, data }) => [type, data])).toEqual([
      ['A', 1],
      [undefined, undefined],
    ])
    expect(() => network.peer.sendsBatch([{ type: 'A', data: 1 }])).toThrow(/no batches/)
  })

  it('[TEST-14] answers nothing where the protocol has no heartbeat, and no data where pongs have none', () => {
    for (const [heartbeat, answers] of [
      [false, []],
      [undefined, [{ type: 'PONG', timestamp: 9_000 }]],
    ] as const) {
      const clock = createManualClock({ epochMs: 9_000 })
      const protocol = defineProtocol({
        receive: { PONG: null },
        send: {},
        ...(heartbeat === false && { heartbeat }),
      })
      const network = createFakeTransport({ clock, protocol })
      const { socket, read } = connect(network)
      clock.advance(0)
      socket.send('{"type":"PING"}')
      clock.advance(0)
      expect(read()).toEqual(answers)
    }
  })

  it('[TEST-13] replies to a type, or to anything else, as it is told', () => {
    const { clock, network, peer } = create()
    peer.answers('SAY', ({ data }, socket) => socket.sends('SAID', { text: `${data.text}!` }))
    peer.answersAnything(({ raw }, socket) => socket.sendsRaw(raw))
    const { socket, frames, read, say } = connect(network)
    clock.advance(0)
    say('hi')
    clock.advance(0)
    expect(read()).toMatchObject([{ type: 'SAID', data: { text: 'hi!' } }])
    socket.send(new Uint8Array([7]))
    clock.advance(0)
    expect(frames[1]).toEqual(new Uint8Array([7]))
  })

  it('[TEST-14] answers pings unless told not to', () => {
    const { clock, network, peer } = create()
    const { socket, read } = connect(network)
    clock.advance(0)
    const ping = () => {
      socket.send('{"type":"PING"}')
      clock.advance(0)
      return read().length
    }
    expect(ping()).toBe(1)
    expect(read()[0]).toEqual({ type: 'PONG', data: { timestamp: 9_000 }, timestamp: 9_000 })
    peer.ignoresPings()
    expect(ping()).toBe(1)
    const second = connect(network)
    clock.advance(0)
    second.socket.send('{"type":"PING"}')
    clock.advance(0)
    expect(second.frames).toEqual([])
    peer.answersPings()
    expect(ping()).toBe(2)
  })

  it('[TEST-15] goes silent both ways, and delivers in order once it speaks again', () => {
    const { clock, network, peer } = create()
    const { socket, log, frames, read, say } = connect(network)
    clock.advance(0)
    peer.goesSilent()
    peer.sends('SAID', { text: '1' })
    peer.sends('SAID', { text: '2' })
    say('anyone there?')
    expect(socket.bufferedAmount).toBe(49)
    clock.advance(60_000)
    expect([frames, peer.received, log]).toEqual([[], [], ['opened']])
    peer.speaksAgain()
    expect(read().map(({ type }) => type)).toEqual(['SAID', 'SAID'])
    expect([peer.received.length, socket.bufferedAmount]).toEqual([1, 0])
  })

  it('[TEST-15] lets the client buffer while it does not read', () => {
    const { clock, network, peer } = create()
    const { socket, frames, say } = connect(network)
    clock.advance(0)
    peer.stopsReading()
    say('é')
    peer.sends('BYE')
    expect([socket.bufferedAmount, frames.length, peer.received.length]).toEqual([38, 1, 0])
    peer.readsAgain()
    expect([socket.bufferedAmount, peer.received.length]).toEqual([0, 1])
  })

  it('[TEST-16] ends by the peer: with a handshake, or broken off with what was on its way', () => {
    const { clock, network, peer } = create({ latencyMs: 20 })
    const closed = connect(network)
    clock.advance(20)
    peer.sends('BYE')
    peer.closes(1012, 'restarting')
    expect(() => peer.sends('BYE')).toThrow(/no open connection/)
    clock.advance(20)
    expect([closed.log, closed.frames.length]).toEqual([['opened', 'closed 1012'], 1])

    const dropped = connect(network)
    clock.advance(20)
    peer.sends('BYE')
    dropped.say('lost')
    peer.drops()
    clock.advance(20)
    expect([dropped.log, dropped.frames.length]).toEqual([['opened', 'closed 1006'], 0])
    expect(peer.received).toEqual([])

    peer.accepts((socket) => socket.drops())
    const early = connect(network)
    clock.advance(20)
    expect(early.log).toEqual(['network'])
  })

  it('[TEST-17] ends by the client: handshake, termination, and a handshake that never ends', () => {
    const { clock, network, peer } = create()
    const clean = connect(network)
    clock.advance(0)
    clean.socket.close(4321, 'bye')
    clean.socket.close(4322, 'twice')
    clean.say('too late')
    clock.advance(0)
    expect(clean.log).toEqual(['opened', 'closed 4321'])
    expect(network.sockets[0]?.clientClose).toEqual({ code: 4321, reason: 'bye' })

    peer.neverCloses()
    const hanging = connect(network)
    clock.advance(0)
    hanging.socket.close(1000, '')
    clock.advance(60_000)
    expect([hanging.log, network.sockets[1]?.state]).toEqual([['opened'], 'closing'])
    hanging.socket.terminate()
    hanging.socket.terminate()
    clock.advance(0)
    expect(hanging.log).toEqual(['opened', 'closed 1006'])
    expect(network.sockets[1]?.wasTerminated).toBe(true)
    expect(peer.received).toEqual([])

    peer.closesCleanly()
    const connecting = connect(network)
    connecting.socket.close(1000, '')
    clock.advance(0)
    expect(connecting.log).toEqual(['network'])
  })

  it('[TEST-17] can complete late a closing handshake that hung', () => {
    const { clock, network, peer } = create()
    const { log, socket } = connect(network)
    clock.advance(0)
    peer.neverCloses()
    socket.close(1000, '')
    clock.advance(1_500)
    peer.sends('BYE')
    peer.closes(1000)
    expect(log).toEqual(['opened', 'closed 1000'])
  })

  it('[TEST-18] ends with a message over the limit, and names the limit', () => {
    const { clock, network, peer } = create()
    const { log, frames } = connect(network, 4)
    clock.advance(0)
    peer.sendsRaw('1234')
    peer.sendsRaw('é345')
    expect([frames, log]).toEqual([['1234'], ['opened', 'message-too-large']])
    expect(network.sockets[0]?.failure).toMatchObject({ limitBytes: 4 })
  })

  it('[TEST-19] takes its latency each way, drawn anew, without anything overtaking', () => {
    const delays = [10, 30, 5, 100]
    const { clock, network, peer } = create({ latencyMs: () => delays.shift() ?? 0 })
    const { log, frames, say } = connect(network)
    clock.advance(9)
    expect(log).toEqual([])
    clock.advance(1)
    expect(log).toEqual(['opened'])
    peer.sendsRaw('a')
    peer.sendsRaw('b')
    clock.advance(29)
    expect(frames).toEqual([])
    clock.advance(1)
    expect(frames).toEqual(['a', 'b'])
    say('slow')
    clock.advance(99)
    expect(peer.received).toEqual([])
    clock.advance(1)
    expect(peer.received).toHaveLength(1)
  })

  it('[TEST-19] keeps connections in the order in which their events set out', () => {
    const { network } = create({ delivery: 'manual' })
    const order: string[] = []
    for (const name of ['a', 'b', 'c']) {
      network.connect(
        { url: `ws://${name}/`, protocols: [], headers: {}, maxMessageBytes: 100 },
        {
          opened: () => order.push(`${name} opened`),
          received: (frame) => order.push(`${name} ${String(frame)}`),
          closed: () => {},
        },
      )
    }
    for (const at of [2, 0, 1, 0]) network.sockets[at]?.sendsRaw(String(order.length + at))
    network.sockets[1]?.goesSilent()
    expect(network.inFlight).toBe(5)
    network.flush()
    expect(order).toEqual(['a opened', 'c opened', 'c 2', 'a 0', 'a 0'])
    network.sockets[1]?.speaksAgain()
    expect(network.flush()).toBe(2)
    expect(network.peer.socket).toBe(network.sockets[2])
  })

  it('[TEST-19] waits for flush where delivery is manual', () => {
    const { clock, network, peer } = create({ delivery: 'manual' })
    const { log, frames, socket } = connect(network)
    clock.advance(1_000)
    peer.sends('BYE')
    expect([log, network.inFlight]).toEqual([[], 2])
    expect(network.flush(1)).toBe(1)
    expect([log, frames.length]).toEqual([['opened'], 0])
    expect(network.flush()).toBe(1)
    socket.send('{"type":"PING"}')
    clock.advance(1_000)
    expect([peer.received.length, frames.length]).toEqual([1, 1])
    expect(network.flush()).toBe(1)
    expect(clock.pending.count).toBe(0)
  })

  it('[TEST-20] says so where a script cannot be played', () => {
    const { clock, network, peer } = create()
    expect(() => peer.sends('BYE')).toThrow(/no open connection/)
    expect(() => peer.onAttempt(0)).toThrow(/not to come/)
    connect(network)
    clock.advance(0)
    expect(() => peer.onAttempt(1)).toThrow(/not to come/)
    expect(() => network.sockets[0]?.accepts()).toThrow(/answered before/)
    expect(() => peer.sends('SAID', { text: 1n as never })).toThrow(/cannot send/)
    peer.drops()
    expect(() => network.sockets[0]?.sends('BYE')).toThrow(/not open/)
    const nested = create({ delivery: 'manual' })
    nested.peer.accepts((socket) => socket.sends('BYE'))
    nested.network.connect(
      { url: 'ws://a/', protocols: [], headers: {}, maxMessageBytes: 100 },
      { opened: () => nested.network.flush(), received() {}, closed() {} },
    )
    expect(() => nested.network.flush()).toThrow(/by a handler/)
    expect(() => create({ latencyMs: -1 })).toThrow(/latencyMs/)
    expect(() => create({ latencyMs: 1, delivery: 'manual' })).toThrow(/latencyMs/)
  })
})
