import { describe, expect, it } from 'vitest'
import { createManualClock } from '../../src/testing/clock.js'
import { drawFaultScript, faultKinds } from '../../src/testing/draw-faults.js'
import { createFakeTransport } from '../../src/testing/fake-transport.js'
import { type FaultScript, playFaults } from '../../src/testing/fault-script.js'
import { createSeededRandom } from '../../src/testing/random.js'

/** A client that connects once a second unless it has a connection, and pings on it. */
function play(script: FaultScript) {
  const clock = createManualClock()
  const network = createFakeTransport({ clock })
  const log: string[] = []
  const write = (fact: string) => log.push(`${fact}@${clock.now()}`)
  const end = playFaults(network, clock, script)
  const connect = () =>
    network.connect(
      { url: 'ws://a/', protocols: [], headers: {}, maxMessageBytes: 1_000 },
      {
        opened: () => write('opened'),
        received: (frame) => write(String(frame).includes('PONG') ? 'pong' : 'frame'),
        closed: (failure) => {
          const detail = 'closeCode' in failure ? failure.closeCode : undefined
          write(String(detail ?? ('status' in failure ? failure.status : failure.code)))
        },
      },
    )
  return { clock, network, log, end, connect }
}

describe('a fault script', () => {
  it('[TEST-31] plays what goes wrong at once, on every connection', () => {
    const { clock, log, connect } = play([
      { atMs: 20, fault: 'close', closeCode: 1012 },
      { atMs: 10, fault: 'frame', frame: '{' },
      { atMs: 40, fault: 'drop' },
    ])
    connect()
    connect()
    clock.advance(30)
    connect()
    clock.advance(30)
    expect(log).toEqual([
      ...['opened@0', 'opened@0', 'frame@10', 'frame@10', '1012@20', '1012@20'],
      ...['opened@30', '1006@40'],
    ])
  })

  it('[TEST-31] plays what lasts, and mends it; of two, the last to begin decides', () => {
    const { clock, log, connect } = play([
      { atMs: 10, fault: 'reject', status: 503, forMs: 90 },
      { atMs: 20, fault: 'unreachable', forMs: 20 },
      { atMs: 50, fault: 'refuse', closeCode: 1013, forMs: 10 },
    ])
    connect()
    for (const at of [15, 25, 45, 55, 65, 100]) {
      clock.advanceTo(at)
      connect()
    }
    clock.advance(0)
    expect(log).toEqual([
      ...['opened@0', '503@15', '1006@20', 'network@25', '503@45'],
      ...['opened@55', '1013@55', '503@65', 'opened@100'],
    ])
  })

  it('[TEST-31] falls silent both ways, for connections and attempts alike', () => {
    const { clock, log, network, connect } = play([{ atMs: 10, fault: 'blackhole', forMs: 100 }])
    const socket = connect()
    clock.advance(20)
    connect()
    socket.send('{"type":"PING"}')
    clock.advance(80)
    expect([log, network.peer.received]).toEqual([['opened@0'], []])
    clock.advance(20)
    expect([log, network.sockets[1]?.state]).toEqual([['opened@0', 'pong@110'], 'connecting'])
  })

  it('[TEST-31] impairs old and new connections: pings, closing, reading', () => {
    const { clock, log, network, connect } = play([
      { atMs: 10, fault: 'ignorePings', forMs: 40 },
      { atMs: 10, fault: 'neverClose', forMs: 40 },
      { atMs: 10, fault: 'stopReading', forMs: 20 },
    ])
    const before = connect()
    clock.advance(15)
    const after = connect()
    clock.advance(5)
    for (const socket of [before, after]) socket.send('{"type":"PING"}')
    expect([before.bufferedAmount > 0, after.bufferedAmount > 0]).toEqual([true, true])
    clock.advance(15)
    expect(network.peer.received).toHaveLength(2)
    before.close(1000, '')
    clock.advance(100)
    after.send('{"type":"PING"}')
    after.close(1000, '')
    clock.advance(0)
    expect(log).toEqual(['opened@0', 'opened@15', 'pong@135', '1000@135'])
    expect(network.sockets[0]?.state).toBe('closing')
  })

  it('[TEST-31] ends early on request, with everything mended and no timer left', () => {
    const { clock, log, end, connect } = play([
      { atMs: 5, fault: 'unreachable' },
      { atMs: 6, fault: 'ignorePings' },
      { atMs: 50, fault: 'drop' },
    ])
    clock.advance(10)
    end()
    connect().send('lost, for it is not open yet')
    expect(clock.pending.count).toBe(1)
    clock.advance(100)
    expect(log).toEqual(['opened@10'])
  })

  it('[TEST-31] refuses times that make no sense', () => {
    expect(() => play([{ atMs: Number.NaN, fault: 'drop' }])).toThrow(/"drop"/)
    expect(() => play([{ atMs: 0, fault: 'blackhole', forMs: -1 }])).toThrow(/"blackhole"/)
  })

  it('[TEST-32] draws the same script for the same seed, with all kinds of faults', () => {
    const draw = (seed: number) =>
      drawFaultScript(createSeededRandom(seed), { durationMs: 1_000, count: 200 })
    expect(draw(1)).toEqual(draw(1))
    expect(draw(1)).not.toEqual(draw(2))
    expect(new Set(draw(1).map(({ fault }) => fault))).toEqual(new Set(faultKinds))
    expect(() => drawFaultScript(createSeededRandom(1), { durationMs: 1, faults: [] })).toThrow(
      /nothing to draw/,
    )
  })

  it('[TEST-32] draws scripts after which the network is whole', () => {
    let begun = 0
    for (let seed = 0; seed < 200; seed += 1) {
      const script = drawFaultScript(createSeededRandom(seed), { durationMs: 1_000 })
      const { clock, log, connect } = play(script)
      const early = connect()
      clock.advance(1_000)
      begun += script.length
      early.terminate()
      log.length = 0
      const socket = connect()
      clock.advance(0)
      socket.send('{"type":"PING"}')
      clock.advance(0)
      socket.close(1000, '')
      clock.advance(0)
      expect([seed, ...log]).toEqual([seed, 'opened@1000', 'pong@1000', '1000@1000'])
      expect(clock.pending.count).toBe(0)
    }
    expect(begun).toBe(1_600)
  })
})
