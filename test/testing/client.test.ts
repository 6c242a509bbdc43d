import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import * as z from 'zod'
import { createSyncClient } from '../../src/client.js'
import { defineProtocol } from '../../src/schemas/protocol.js'
import { arbitraryFaultScript } from '../../src/testing/arbitraries.js'
import { createManualClock } from '../../src/testing/clock.js'
import { createFakeTransport } from '../../src/testing/fake-transport.js'
import { playFaults } from '../../src/testing/fault-script.js'
import { createSeededRandom } from '../../src/testing/random.js'
import { createRecorder } from '../../src/testing/recorder.js'
import { immediateBatches } from '../../src/streams/batching.js'

const chat = defineProtocol({
  receive: { SAID: z.object({ text: z.string() }) },
  send: { SAY: z.object({ text: z.string() }) },
  coordinator: {
    initial: { said: 0 },
    fold: { SAID: ({ said }) => ({ said: said + 1 }) },
  },
})

function create(seed: number, latencyMs = 0) {
  const clock = createManualClock()
  const network = createFakeTransport({ clock, protocol: chat, latencyMs })
  const recorder = createRecorder({ clock })
  const sync = createSyncClient(chat, {
    url: 'ws://sync.test/ws',
    transport: network,
    clock,
    random: createSeededRandom(seed),
    batches: immediateBatches,
    onError: recorder.onError,
  })
  return { clock, network, sync, recording: recorder.record(sync) }
}

// A pong or connect bound that runs out, the longest step, what 1012 adds to it, and the attempt.
const BACK_WITHIN_MS = 10_000 + 60_000 + 30_000 + 10_000
const DURATION_MS = 300_000

describe('a client on the kit', () => {
  it('[TEST-30] [TEST-38] is seen whole and in order', () => {
    const { clock, network, sync, recording } = create(1)
    sync.start()
    clock.advance(0)
    network.peer.sends('SAID', { text: 'hello' })
    network.peer.sendsRaw('{"type":"NEW"}')
    network.peer.sendsRaw('{')
    network.peer.drops()
    sync.stop()
    expect(recording.entries.map(({ kind }) => kind)).toEqual([
      ...['status', 'state', 'status', 'status'],
      ...['state', 'message', 'unknown', 'invalid'],
      ...['status', 'status', 'state'],
    ])
    expect(recording.values('status').map(({ state }) => state)).toEqual([
      ...['disconnected', 'connecting', 'connected', 'reconnecting', 'disconnected'],
    ])
    expect(recording.values('state').map(({ said }) => said)).toEqual([0, 1, 0])
    const texts: string[] = recording.values('message').map(({ data }) => data.text)
    expect(texts).toEqual(['hello'])
  })

  it('[TEST-38] is connected again after any faults, once, and leaves nothing when it stops', () => {
    const met = { drops: 0, attempts: 0, ladders: 0 }
    fc.assert(
      fc.property(
        arbitraryFaultScript({ durationMs: DURATION_MS, count: 12 }),
        fc.nat(),
        fc.constantFrom(0, 40),
        (script, seed, latencyMs) => {
          const { clock, network, sync, recording } = create(seed, latencyMs)
          playFaults(network, clock, script)
          sync.start()
          clock.advance(DURATION_MS + BACK_WITHIN_MS)
          expect(sync.status.state).toBe('connected')
          expect(network.sockets.filter(({ isOpen }) => isOpen)).toHaveLength(1)
          expect(recording.values('error')).toEqual([])

          const statuses = recording.values('status').map(({ state }) => state)
          met.drops += statuses.filter(
            (state, at) => statuses[at - 1] === 'connected' && state !== 'connected',
          ).length
          met.attempts += network.attempts.length
          if (network.attempts.length > 5) met.ladders += 1

          sync.stop()
          clock.advance(2_000 + 2 * latencyMs)
          expect(clock.pending.count).toBe(0)
          expect(network.sockets.every(({ state }) => state === 'closed')).toBe(true)
        },
      ),
      { numRuns: 100 },
    )
    expect(met.drops).toBeGreaterThan(100)
    expect(met.attempts).toBeGreaterThan(400)
    expect(met.ladders).toBeGreaterThan(20)
  })
})
