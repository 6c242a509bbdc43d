import { once } from 'node:events'
import { connect as connectTcp } from 'node:net'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createEnvelope } from '../../src/schemas/envelope.js'
import type { SyncError } from '../../src/base/errors.js'
import type { LogEntry } from '../../src/server/index.js'
import { kull, startServer, type TestClient } from './support.js'

async function isServed(client: TestClient): Promise<void> {
  const before = client.frames.length
  client.say({ type: 'PING' })
  await client.received(before + 1)
  expect(client.types.slice(before)).toEqual(['PONG'])
}

const nested = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`

/** Text or bytes that no well-behaved client sends. */
const frame = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 200 }),
  fc.json(),
  fc.uint8Array({ maxLength: 200 }),
  fc.nat({ max: 200_000 }).map(nested),
  fc.nat({ max: 5_000 }).map((depth) => `{"type":"UPDATE_PROGRESS","payload":${nested(depth)}}`),
  fc
    .record(
      {
        type: fc.oneof(
          fc.constantFrom('UPDATE_PROGRESS', 'SUBSCRIBE', 'PONG', 'BATCH', '__proto__', 'toString'),
          fc.anything(),
        ),
        payload: fc.anything(),
        messages: fc.anything(),
        timestamp: fc.anything(),
      },
      { requiredKeys: [] },
    )
    .map((message) => JSON.stringify(message, (_key, value: unknown) => jsonable(value))),
  fc
    .nat({ max: 40 })
    .map((depth) => `${'{"type":"BATCH","messages":['.repeat(depth)}1${']}'.repeat(depth)}`),
)

function jsonable(value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value
}

describe('hostile input', () => {
  it('[SRV-21] survives any frame, keeps its socket, and serves the others', async () => {
    const errors: SyncError[] = []
    const { connect, sync } = await startServer({ onError: (error) => errors.push(error) })
    const hostile = await connect('?token=eve:x')
    const other = await connect('?token=ada:mac')
    await hostile.received(1)
    await other.received(1)
    let sent = 0
    await fc.assert(
      fc.asyncProperty(fc.array(frame, { minLength: 1, maxLength: 10 }), async (frames) => {
        for (const each of frames) hostile.socket.send(each)
        sent += frames.length
        await hostile.settled()
        hostile.frames.length = 0
        await isServed(hostile)
        await isServed(other)
      }),
      { numRuns: 200 },
    )
    const { invalid, unknown, messagesIn } = sync.stats()
    expect(invalid).toBeGreaterThan(100)
    expect(unknown).toBeGreaterThan(10)
    expect(invalid + unknown + messagesIn).toBeGreaterThan(sent)
    expect(sync.stats()).toMatchObject({ sockets: 2, tooLarge: 0, silent: 0 })
    expect(errors).toEqual([])
  })

  it('[SRV-21] survives any bytes below the frames', async () => {
    const { connect, port, sync } = await startServer()
    const other = await connect('?token=ada:mac')
    await other.received(1)
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 300 }), async (bytes) => {
        const tcp = connectTcp(port, '127.0.0.1').on('error', () => {})
        tcp.write(
          'GET /ws?token=eve:x HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
            'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n',
        )
        await once(tcp, 'data')
        tcp.write(bytes)
        tcp.resetAndDestroy()
        await isServed(other)
      }),
      { numRuns: 100 },
    )
    expect(sync.stats().accepted).toBe(101)
  })

  it('[SRV-36] answers broken framing with its close code, and a reset with nothing', async () => {
    const { connect, left, port } = await startServer()
    const other = await connect('?token=ada:mac')
    const handshake =
      'GET /ws?token=eve:x HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n'
    const tcp = connectTcp(port, '127.0.0.1')
    const chunks: Buffer[] = []
    tcp.on('data', (chunk: Buffer) => chunks.push(chunk))
    // Frames of clients must be masked.
    tcp.write(Buffer.concat([Buffer.from(handshake), Buffer.from([0x81, 0x01, 0x41])]))
    await once(tcp, 'end')
    // 0x88: close; 1002: protocol error.
    expect(Buffer.concat(chunks).subarray(-4)).toEqual(Buffer.from([0x88, 0x02, 0x03, 0xea]))
    tcp.destroy()
    const second = connectTcp(port, '127.0.0.1').on('error', () => {})
    second.write(handshake)
    await once(second, 'data')
    second.resetAndDestroy()
    // The first one was gone before it was authenticated.
    await left(1)
    await other.received(1)
    await isServed(other)
  })

  it('[SRV-24] [ENV-8] counts a frame that the envelope throws on as invalid', async () => {
    const errors: string[] = []
    const envelope = createEnvelope()
    const { connect, sync } = await startServer({
      protocol: {
        ...kull,
        envelope: {
          ...envelope,
          toServer: {
            ...envelope.toServer,
            open(opened) {
              if (opened === 'boom') throw new Error('boom')
              return envelope.toServer.open(opened)
            },
          },
        },
      },
      onError: ({ code, message }) => errors.push(`${code}: ${message}`),
    })
    const mac = await connect('?token=ada:mac')
    await mac.received(1)
    mac.say('"boom"')
    await isServed(mac)
    expect(errors).toEqual([])
    expect(sync.stats().invalid).toBe(1)
  })

  it('[SRV-24] survives a protocol whose own functions throw', async () => {
    const errors: string[] = []
    const { connect } = await startServer({
      protocol: {
        ...kull,
        server: {
          ...kull.server!,
          presence: {
            connected: 'DEVICE_CONNECTED',
            disconnected: 'DEVICE_DISCONNECTED',
            data() {
              throw new Error('boom')
            },
          },
        },
      },
      onError: ({ code, message }) => errors.push(`${code}: ${message}`),
    })
    const mac = await connect('?token=ada:mac')
    await isServed(mac)
    expect(errors).toEqual(['handler-threw: server.presence threw.'])
  })

  it('[SRV-40] writes no token, URL or message body into its log or its errors', async () => {
    const entries: LogEntry[] = []
    const errors: SyncError[] = []
    const { connect, left } = await startServer({
      log: (entry) => entries.push(entry),
      onError: (error) => errors.push(error),
      authenticate({ url }, { byProtocol }) {
        if (url.searchParams.get('token') === 'secret-3:x') throw new Error('db')
        return byProtocol()
      },
      onMessage() {
        throw new Error('handler')
      },
      maxMessageBytes: 1_000,
    })
    const client = await connect('?token=ada:mac&key=secret-1', {
      authorization: 'Bearer secret-2',
    })
    await (await connect('?token=secret-3:x')).closed
    await (await connect('?token=:secret-4')).closed
    client.say('secret-5')
    client.say({ type: 'UPDATE_PROGRESS', payload: { shootId: 'secret-6', status: 'secret-7' } })
    client.say({ type: 'NOVELTY', payload: 'secret-8' })
    client.say({ type: 'SUBSCRIBE', payload: 'secret-9' })
    client.say(`secret-10${'x'.repeat(1_000)}`)
    await left(1)
    expect(entries.map(({ event }) => event)).toEqual([
      'socket.joined',
      'socket.rejected',
      'socket.rejected',
      'frame.invalid',
      'frame.invalid',
      'message.unknown',
      'socket.failed',
      'socket.left',
    ])
    expect(errors).toHaveLength(2)
    expect(JSON.stringify(entries)).not.toContain('secret')
    expect(errors.map(String).join()).not.toContain('secret')
  })
})
