import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createSyncClient } from '../../src/client.js'
import { receive, send } from '../../src/schemas/kull.js'
import { defineProtocol } from '../../src/schemas/protocol.js'
import { createManualClock } from '../../src/testing/clock.js'
import { createFakeTransport } from '../../src/testing/fake-transport.js'
import { decodeJson } from '../../src/transport/json-codec.js'
import { hostileFrame } from './hostile-frame.js'

const kull = defineProtocol({ receive, send })

describe('hostile frames', () => {
  it('[TEST-36] are of every kind that a peer can be bad in', () => {
    const frames = fc.sample(hostileFrame({ protocol: kull }), { numRuns: 2_000, seed: 1 })
    const texts = frames.filter((frame) => typeof frame === 'string')
    const count = (is: (text: string) => boolean) => texts.filter(is).length
    const isJson = (text: string) => decodeJson(text).ok
    const least = {
      binary: frames.length - texts.length,
      json: count(isJson),
      broken: count((text) => !isJson(text)),
      'lone surrogates': count((text) => /\p{Surrogate}/u.test(text)),
      prototype: count((text) => text.includes('__proto__')),
      'deeper than the parser takes': count((text) => /(\[|\{"a":){1000}/.test(text)),
      'huge numbers': count((text) => /\d{300}|1e309/.test(text)),
      'long strings': count((text) => /x{10000}/.test(text)),
      'odd batches': count((text) => text.startsWith('{"type":"BATCH"')),
      'batches without end': count((text) => /(\[\{"type":"BATCH","messages":){9}/.test(text)),
    }
    for (const [kind, met] of Object.entries(least)) expect([kind, met > 8]).toEqual([kind, true])
  })

  it('[TEST-36] need no protocol, and nest no deeper than asked', () => {
    for (const frame of fc.sample(hostileFrame({ maxDepth: 100 }), 2_000)) {
      expect(/(\[|\{"a":){101}/.test(String(frame))).toBe(false)
    }
  })

  it('[CLI-1] neither throw in a client nor end its connection', () => {
    const clock = createManualClock()
    const network = createFakeTransport({ clock, protocol: kull })
    const sync = createSyncClient(kull, { url: 'ws://sync.test/ws', transport: network, clock })
    sync.start()
    clock.advance(0)
    fc.assert(
      fc.property(hostileFrame({ protocol: kull }), (frame) => {
        network.peer.sendsRaw(frame)
        return sync.isConnected
      }),
    )
    sync.stop()
  })
})
