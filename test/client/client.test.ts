import { filter, map } from 'rxjs'
import {
  createConsoleLogger,
  createEnvelope,
  createSyncClient,
  defineProtocol,
  type LogEntry,
  type PersistentMap,
} from 'statewire'
import { createFakeTransport, createManualClock } from 'statewire/testing'
import { describe, expect, it, vi } from 'vitest'
import * as z from 'zod'
import { compile } from 'zod/mini'
import { bring, chat, createHarness } from './harness.js'

describe('what comes in', () => {
  it('[CLI-2] surfaces unknown types and stops nothing', async () => {
    const harness = createHarness()
    await bring(harness, 'connected')
    const unknown: unknown[] = []
    harness.sync.unknown$.subscribe((message) => unknown.push(message))
    harness.peer.sendsRaw('{"type":"NEWER","data":{"a":1},"timestamp":5,"deviceId":"server"}')
    harness.peer.sendsRaw('{"type":"constructor","data":1}')
    await harness.settle()
    expect(unknown).toEqual([
      { type: 'NEWER', data: { a: 1 }, meta: { timestamp: 5, deviceId: 'server' } },
      { type: 'constructor', data: 1, meta: {} },
    ])
    expect(harness.errors).toEqual([])
    expect(harness.sync.isConnected).toBe(true)
  })

  it('[CLI-3] takes several handlers per type, each with its own unsubscribe', async () => {
    const harness = createHarness()
    await bring(harness, 'connected')
    const calls: string[] = []
    const off = harness.sync.on('NOTICE', () => calls.push('a'))
    harness.sync.on('NOTICE', () => calls.push('b'))
    harness.peer.sends('NOTICE')
    await harness.settle()
    off()
    off()
    harness.peer.sends('NOTICE')
    await harness.settle()
    expect(calls).toEqual(['a', 'b', 'b'])
  })

  it('[CLI-4] reports a handler that throws, and goes on', async () => {
    const harness = createHarness()
    await bring(harness, 'connected')
    const { sync, errors } = harness
    const calls: string[] = []
    const thrown = new Error('from a handler')
    const fail = (name: string) => (): void => {
      calls.push(name)
      throw thrown
    }
    sync.on('NOTICE', fail('handler'))
    sync.on('NOTICE').subscribe(fail('subscriber'))
    sync.on('NOTICE').subscribe({ next: fail('observer') })
    sync
      .on('NOTICE')
      .pipe(
        map((m) => m.type),
        filter(Boolean),
      )
      .subscribe(fail('piped'))
    sync.state$.subscribe(fail('state'))
    sync.subscribe(fail('store'))
    calls.length = 0
    errors.length = 0
    const handlers = ['state', 'store', 'handler', 'subscriber', 'observer', 'piped']
    for (let round = 1; round <= 2; round += 1) {
      harness.peer.sends('NOTICE')
      await harness.settle()
      expect(calls.splice(0)).toEqual(handlers)
      expect(errors.splice(0).map(({ code, cause }) => [code, cause])).toEqual(
        handlers.map(() => ['handler-threw', thrown]),
      )
    }
    expect(sync.isConnected).toBe(true)
  })

  it('[CLI-4] reports an operator that throws', async () => {
    const harness = createHarness()
    await bring(harness, 'connected')
    harness.sync
      .on('NOTICE')
      .pipe(
        map(() => {
          throw new Error('in an operator')
        }),
      )
      .subscribe()
    harness.peer.sends('NOTICE')
    await harness.settle()
    expect(harness.errors.map(({ code }) => code)).toEqual(['handler-threw'])
  })

  it('[CLI-8] notes when the last message came, a pong included', async () => {
    const harness = createHarness()
    const { sync, clock } = harness
    expect(sync.lastSyncTime).toBeUndefined()
    await bring(harness, 'connected')
    await clock.advanceAsync(1_000)
    harness.peer.sends('NOTICE')
    await harness.settle()
    expect(sync.lastSyncTime).toBe(clock.epoch())
    await clock.advanceAsync(29_500)
    expect(harness.peer.received.map(({ type }) => type)).toEqual(['PING'])
    expect(sync.lastSyncTime).toBe(clock.epoch() - 500)
    harness.peer.sendsRaw('{"type":"NEWER"}')
    await harness.settle()
    expect(sync.lastSyncTime).toBe(clock.epoch())
    expect(sync.getSnapshot().lastSyncTime).toBe(sync.lastSyncTime)
  })

  it('[LIVE-8] answers a ping of the server', async () => {
    const harness = createHarness()
    await bring(harness, 'connected')
    harness.peer.sendsRaw('{"type":"PING","timestamp":1}')
    await harness.settle()
    expect(harness.peer.received.map(({ type }) => type)).toEqual(['PONG'])
  })
})

describe('what is seen', () => {
  it('[CLI-5] gives the current value first, then each change', async () => {
    const harness = createHarness()
    const { sync } = harness
    const statuses: string[] = []
    const sizes: number[] = []
    sync.status$.subscribe(({ state }) => statuses.push(state))
    sync.select(({ lines }) => lines.size).subscribe((size) => sizes.push(size))
    await bring(harness, 'connected')
    harness.peer.sends('SAID', { id: '1', text: 'a' })
    harness.peer.sends('NOTICE')
    harness.peer.sends('SAID', { id: '1', text: 'b' })
    harness.peer.sends('SAID', { id: '2', text: 'b' })
    await harness.settle()
    await harness.clock.advanceAsync(60_000)
    expect(statuses).toEqual(['disconnected', 'connecting', 'connected'])
    expect(sizes.at(0)).toBe(0)
    expect(sizes.at(-1)).toBe(2)
    expect(new Set(sizes).size).toBe(sizes.length)
  })

  it('[CLI-6] asks a selector that threw again', async () => {
    const harness = createHarness()
    await bring(harness, 'connected')
    const seen: number[] = []
    harness.sync
      .select(({ notices }) => {
        if (notices === 1) throw new Error('not one')
        return notices
      })
      .subscribe((value) => seen.push(value))
    for (let count = 0; count < 2; count += 1) {
      harness.peer.sends('NOTICE')
      await harness.settle()
    }
    expect(seen).toEqual([0, 2])
    expect(harness.errors.map(({ code }) => code)).toEqual(['selector-threw'])
  })

  it('[CLI-7] is a store: the same snapshot until something changes', async () => {
    const harness = createHarness()
    const { sync } = harness
    const seen: unknown[] = []
    const stop = sync.subscribe((snapshot) => seen.push(snapshot))
    expect(seen).toEqual([sync.getSnapshot()])
    expect(sync.getSnapshot()).toBe(sync.getSnapshot())
    await bring(harness, 'connected')
    harness.peer.sends('NOTICE')
    await harness.settle()
    expect(seen.at(-1)).toBe(sync.getSnapshot())
    expect(sync.getSnapshot()).toMatchObject({
      status: { state: 'connected' },
      state: { notices: 1 },
    })
    const count = seen.length
    await harness.clock.advanceAsync(1_000)
    expect(seen).toHaveLength(count)
    stop()
    harness.peer.sends('NOTICE')
    await harness.settle()
    expect(seen).toHaveLength(count)
  })

  it('[CLI-9] changes nothing that a subscriber holds', async () => {
    const harness = createHarness()
    await bring(harness, 'connected')
    const held: { state: { lines: PersistentMap<unknown> }; entries: string }[] = []
    harness.sync.state$.subscribe((state) => {
      held.push({ state, entries: JSON.stringify([...state.lines]) })
    })
    for (let at = 0; at < 300; at += 1) {
      harness.peer.sends('SAID', { id: String(at % 50), text: String(at) })
      if (at % 7 === 0) harness.peer.sends('LEFT', { id: String((at * 3) % 50) })
      await Promise.resolve()
    }
    await harness.settle()
    expect(held.length).toBeGreaterThan(5)
    for (const { state, entries } of held) expect(JSON.stringify([...state.lines])).toBe(entries)
  })

  it('[CLI-14] leaves nothing after a stop', async () => {
    const harness = createHarness()
    harness.sync.start()
    await harness.settle()
    harness.sync.stop()
    expect(harness.isWatched).toBe(false)
    await harness.clock.advanceAsync(2_000)
    expect(harness.clock.pending.count).toBe(0)
    expect(harness.network.sockets.map(({ state }) => state)).toEqual(['closed'])
  })
})

describe('options', () => {
  const base = { url: 'ws://test', credentials: { token: 'x' } }
  const silly = {
    url: ['', 'ftp://example.com', 'not a url', 5],
    connectTimeoutMs: [0, -1, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31, '5'],
    pingIntervalMs: [0, -1, Number.NaN, 2 ** 31],
    pongTimeoutMs: [0, -1, Number.NaN],
    settleMs: [-1, Number.NaN],
    closeTimeoutMs: [-1, Number.NaN],
    maxMessageBytes: [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY],
    maxBufferedBytes: [0, -1, 1.5],
    backoff: [
      { stepsMs: [], jitter: 'none', maxAttempts: 1 },
      { stepsMs: [-1], jitter: 'none', maxAttempts: 1 },
      { stepsMs: [Number.NaN], jitter: 'none', maxAttempts: 1 },
      { stepsMs: [1], jitter: 'some', maxAttempts: 1 },
      { stepsMs: [1], jitter: 'none', maxAttempts: 1.5 },
      { stepsMs: [1], jitter: 'none', maxAttempts: -1 },
    ],
    onError: ['console'],
    log: [{}],
    loadSnapshot: [{}],
  } as const

  for (const [name, values] of Object.entries(silly)) {
    it(`[CLI-10] refuses ${name} that makes no sense, by name`, () => {
      for (const value of values) {
        const options = { ...base, [name]: value }
        expect(() => createSyncClient(chat, options)).toThrow(
          expect.objectContaining({
            code: 'option-invalid',
            message: expect.stringContaining(name) as string,
          }),
        )
      }
    })
  }

  it('[CLI-10] refuses credentials that the protocol has no rule for', () => {
    const plain = defineProtocol({ receive: {}, send: {} })
    const options = { url: 'ws://test', credentials: {} } as unknown as { url: string }
    expect(() => createSyncClient(plain, options)).toThrow(/credentials/)
  })

  it('[CLI-10] refuses a schema that is none', () => {
    for (const broken of [
      { receive: { A: {} }, send: {} },
      { receive: {}, send: { A: 'string' } },
      { receive: { $A: null }, send: {} },
      { receive: { '': null }, send: {} },
      { receive: undefined, send: {} },
    ]) {
      const definition = broken as unknown as Parameters<typeof defineProtocol>[0]
      expect(() => defineProtocol(definition)).toThrow(
        expect.objectContaining({ code: 'protocol-invalid' }),
      )
    }
  })

  it('[CLI-11] logs structured entries of named parts, and survives a logger that throws', async () => {
    const entries: LogEntry[] = []
    const harness = createHarness({
      log: (entry) => {
        entries.push(entry)
        throw new Error('from the logger')
      },
    })
    await bring(harness, 'connected')
    harness.peer.sendsRaw('not json')
    harness.sync.send('SAY', { text: 5 } as unknown as { text: string })
    await harness.settle()
    expect(entries.map(({ part, event, level }) => [level, part, event])).toEqual([
      ['info', 'connection', 'status.changed'],
      ['info', 'connection', 'status.changed'],
      ['warn', 'messages', 'frame.invalid'],
      ['warn', 'messages', 'message.notSent'],
    ])
    expect(harness.errors.every(({ code }) => code === 'handler-threw')).toBe(true)
    expect(harness.sync.isConnected).toBe(true)
  })

  it('[CLI-11] writes to a console on request only', async () => {
    const lines: unknown[][] = []
    const write = (...line: unknown[]): void => void lines.push(line)
    const quiet = vi.spyOn(globalThis.console, 'info')
    await bring(createHarness(), 'connected')
    expect(quiet).not.toHaveBeenCalled()
    const log = createConsoleLogger(
      { debug: write, info: write, warn: write },
      { parts: ['connection'] },
    )
    const harness = createHarness({ log })
    await bring(harness, 'connected')
    harness.peer.sendsRaw('not json')
    await harness.settle()
    expect(lines.map(([text]) => text)).toEqual([
      '[statewire:connection] status.changed',
      '[statewire:connection] status.changed',
    ])
  })

  it('[CLI-12] shows an inspector one system: client, connection, coordinator', async () => {
    const ids = new Set<string>()
    const roots = new Set<string>()
    const harness = createHarness({
      inspect: (event) => {
        if ('id' in event.actorRef) ids.add(String(event.actorRef.id))
        roots.add(event.rootId)
      },
    })
    await bring(harness, 'connected')
    expect([...ids]).toEqual(expect.arrayContaining(['connection', 'coordinator', 'link']))
    expect(roots.size).toBe(1)
  })

  it('[CLI-11] survives an inspector that throws', async () => {
    const harness = createHarness({
      inspect: () => {
        throw new Error('from the inspector')
      },
    })
    await bring(harness, 'connected')
    expect(harness.sync.isConnected).toBe(true)
    harness.peer.drops()
    await harness.clock.advanceAsync(1_000)
    expect(harness.sync.isConnected).toBe(true)
  })

  it('[CLI-13] lets no credential out', async () => {
    const said: unknown[] = []
    const harness = createHarness({
      log: (entry) => said.push(entry),
      inspect: (event) => said.push(event),
      onError: (error) => said.push(error, error.message, error.stack),
    })
    harness.sync.subscribe((snapshot) => said.push(snapshot))
    for (const state of ['connected', 'reconnecting', 'failed'] as const) {
      await bring(harness, state)
      harness.sync.disconnect()
      await harness.settle()
    }
    expect(harness.network.attempts[0]?.url).toContain('canary-token')
    expect(said.length).toBeGreaterThan(20)
    expect(printed(said)).not.toContain('canary')
    expect(printed(said)).not.toContain('server.test')
  })

  it('[CLI-15] shares nothing between clients', async () => {
    const one = createHarness()
    const two = createHarness()
    await bring(one, 'connected')
    await bring(two, 'connected')
    one.peer.sends('SAID', { id: '1', text: 'hello' })
    await one.settle()
    await two.settle()
    expect(one.sync.state.lines.size).toBe(1)
    expect(two.sync.state.lines.size).toBe(0)
    one.sync.dispose()
    expect(two.sync.isConnected).toBe(true)
  })

  it('[CLI-16] speaks another envelope and heartbeat by configuration', async () => {
    const clock = createManualClock()
    const other = defineProtocol({
      receive: { SAID: z.object({ text: z.string() }) },
      send: { SAY: z.object({ text: z.string() }) },
      envelope: createEnvelope({
        type: 'kind',
        data: 'body',
        payload: 'body',
        batch: { type: 'many', frames: 'items' },
      }),
      heartbeat: { ping: 'hello?', pong: 'hello!', body: (at) => ({ at }) },
    })
    const network = createFakeTransport({ clock, protocol: other })
    const sync = createSyncClient(other, { url: 'ws://test', transport: network, clock })
    const texts: string[] = []
    sync.on('SAID', ({ data }) => texts.push(data.text))
    sync.start()
    await clock.advanceAsync(0)
    network.peer.sendsRaw('{"kind":"SAID","body":{"text":"one"}}')
    network.peer.sendsRaw('{"kind":"many","items":[{"kind":"SAID","body":{"text":"two"}}]}')
    sync.send('SAY', { text: 'three' })
    await clock.advanceAsync(300_000)
    expect(texts).toEqual(['one', 'two'])
    expect(network.peer.received[0]?.raw).toBe('{"kind":"SAY","body":{"text":"three"}}')
    expect(network.peer.received[1]?.raw).toMatch(/^\{"kind":"hello\?","body":\{"at":\d+\}\}$/)
    expect(sync.isConnected).toBe(true)
  })

  it('[CLI-17] compiled validators change nothing but the speed', async () => {
    const results = []
    for (const options of [{}, { compile }]) {
      const harness = createHarness(options)
      await bring(harness, 'connected')
      const invalid: unknown[] = []
      harness.sync.invalid$.subscribe(({ reason, type }) => invalid.push([reason, type]))
      harness.peer.sendsRaw('{"type":"SAID","data":{"id":"1","text":"a","extra":1}}')
      harness.peer.sendsRaw('{"type":"SAID","data":{"id":1}}')
      await harness.settle()
      results.push([invalid, [...harness.sync.state.lines]])
    }
    expect(results[0]).toEqual(results[1])
    expect(results[0]).toEqual([[['schema-mismatch', 'SAID']], [['1', { id: '1', text: 'a' }]]])
  })

  it('[CLI-18] survives an onError that throws', async () => {
    const harness = createHarness({
      onError: () => {
        throw new Error('from onError')
      },
    })
    await bring(harness, 'connected')
    harness.sync.on('NOTICE', () => {
      throw new Error('from a handler')
    })
    harness.peer.sends('NOTICE')
    harness.peer.sends('NOTICE')
    await harness.settle()
    expect(harness.sync.state.notices).toBe(2)
  })
})

/** Everything that can be reached from a value, getters and errors included, as text. */
function printed(value: unknown): string {
  const parts: string[] = []
  const known = new Set<unknown>()
  const queue: unknown[] = [value]
  while (queue.length > 0) {
    const next = queue.pop()
    if (typeof next === 'string') parts.push(next)
    if (typeof next !== 'object' || next === null || known.has(next)) continue
    known.add(next)
    for (const key of Reflect.ownKeys(next)) {
      parts.push(String(key))
      queue.push(Reflect.get(next, key))
    }
    if (next instanceof Map) queue.push(...next.keys(), ...next.values())
    if (next instanceof Set) queue.push(...next)
  }
  return parts.join('\n')
}
