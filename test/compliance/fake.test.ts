import type { Clock } from '../../src/base/clock.js'
import { createManualClock } from '../../src/testing/clock.js'
import type { FakeSocket } from '../../src/testing/fake-socket.js'
import { createFakeTransport } from '../../src/testing/fake-transport.js'
import { playOfUrl, textOfBytes, urlOfPlay } from './play.js'
import { describeTransport, type TransportHarness } from './transport.suite.js'

// Without latency every event arrives at the next advance of the clock; with latency, during it.
for (const latencyMs of [0, 7]) {
  describeTransport(`the fake, ${latencyMs} ms away`, () => createHarness(latencyMs))
}

function createHarness(latencyMs: number): TransportHarness {
  const clock = createManualClock()
  const network = createFakeTransport({ clock, latencyMs })
  network.peer.plays((socket) => perform(socket, clock))
  network.peer.answersAnything(({ raw }, socket) => socket.sendsRaw(raw))
  return {
    transport: network,
    url: (play) => urlOfPlay('ws://fake', play),
    async until(condition) {
      for (let ms = 0; !condition(); ms += 1) {
        if (ms > 1_000) throw new Error('not so within 1,000 ms of the clock')
        await clock.advanceAsync(1)
      }
    },
    settle: () => clock.advanceAsync(1_000),
    isNode: true,
  }
}

function perform(socket: FakeSocket, clock: Clock): void {
  const play = playOfUrl(socket.request.url)
  switch (play.does) {
    case 'echo':
      socket.accepts()
      break
    case 'count':
      socket.accepts(() => {
        for (let at = 0; at < play.count; at += 1) socket.sendsRaw(String(at))
        if (play.closeCode !== undefined) socket.closes(play.closeCode)
      })
      break
    case 'sendBytes':
      socket.accepts(() => socket.sendsRaw(textOfBytes(play.bytes)))
      break
    case 'close':
      socket.refuses(play.closeCode, play.reason)
      break
    case 'drop':
      socket.accepts()
      // The client must know that it is open.
      clock.setTimeout(() => socket.drops(), 20)
      break
    case 'neverClose':
      socket.accepts()
      socket.neverCloses()
      break
    case 'tell': {
      const { protocols, headers } = socket.request
      const told = { protocol: protocols[0], header: headers['x-compliance'] ?? null }
      socket.accepts(() => socket.sendsRaw(JSON.stringify(told)))
      break
    }
    case 'reject':
      socket.rejects({
        status: play.status,
        ...(play.retryAfterS !== undefined && { retryAfterMs: play.retryAfterS * 1_000 }),
      })
      break
    case 'staySilent':
      socket.staysSilent()
      break
    case 'refuse':
      socket.isUnreachable()
      break
    default:
      play satisfies never
  }
}
