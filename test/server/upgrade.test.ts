import { once } from 'node:events'
import { createServer, IncomingMessage } from 'node:http'
import { type AddressInfo, connect as connectTcp, Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { type SyncError } from '../../src/errors.js'
import { receive, send } from '../../src/schemas/kull/index.js'
import { defineProtocol } from '../../src/schemas/protocol.js'
import type { Authentication } from '../../src/schemas/server-behaviour.js'
import { createSyncServer } from '../../src/server/index.js'
import { createManualClock } from '../../src/testing/clock.js'
import { connect, kull, record, startServer } from './support.js'

/** What an upgrade that is refused is answered with. */
async function statusOf(url: string, headers: Record<string, string> = {}): Promise<number> {
  const socket = new WebSocket(url, { headers })
  const [request, response] = (await once(socket, 'unexpected-response')) as [
    { destroy(): void },
    { statusCode: number },
  ]
  request.destroy()
  return response.statusCode
}

describe('paths', () => {
  it('[SRV-1] leaves other paths to other listeners', async () => {
    const { http, port } = await startServer()
    const others = new WebSocketServer({ noServer: true })
    http.on('upgrade', (request, socket, head) => {
      if (request.url !== '/chat') return
      others.handleUpgrade(request, socket, head, (chat) => {
        chat.send('{"type":"HELLO"}')
      })
    })
    const chat = record(new WebSocket(`ws://127.0.0.1:${port}/chat`))
    await chat.received(1)
    const mac = await connect(`ws://127.0.0.1:${port}/ws?token=ada:mac`)
    await mac.received(1)
    expect([chat.types, mac.types]).toEqual([['HELLO'], ['DEVICE_CONNECTED']])
  })

  it('[SRV-1] answers with 404 where every listener is ours and none is for the path', async () => {
    const { http, port, sync } = await startServer()
    const second = createSyncServer({ protocol: kull, server: http, path: '/second' })
    for (const path of ['/', '/ws/', '/wss', '/ws%20', '//ws', '/third?token=ada:mac']) {
      expect(await statusOf(`ws://127.0.0.1:${port}${path}`)).toBe(404)
    }
    const other = await connect(`ws://127.0.0.1:${port}/second?token=ada:mac`)
    await other.received(1)
    expect(sync.stats()).toMatchObject({ accepted: 0, refused: 0 })
    expect(second.stats()).toMatchObject({ accepted: 1, refused: 6 })
    await second.close()
  })

  it('[SRV-2] takes upgrades from those who route them themselves', async () => {
    const sync = createSyncServer({ protocol: kull })
    const http = createServer()
    http.on('upgrade', sync.handleUpgrade)
    http.listen(0, '127.0.0.1')
    await once(http, 'listening')
    const { port } = http.address() as AddressInfo
    const mac = await connect(`ws://127.0.0.1:${port}/any/where?token=ada:mac`)
    await mac.received(1)
    expect(sync.users()).toEqual(['ada'])
    await sync.close()
    await new Promise((resolve) => http.close(resolve))
  })
})

describe('tokens', () => {
  it.each([
    ['no token', '', 4001, 'No token provided'],
    ['an empty token', '?token=', 4001, 'No token provided'],
    ['no user id', '?token=:mac', 4002, 'Invalid token'],
  ])('[SRV-3] accepts the upgrade, then closes: %s', async (_what, query, code, reason) => {
    const { connect, sync } = await startServer()
    const client = await connect(query)
    expect(await client.closed).toEqual({ code, reason })
    expect(client.frames).toEqual([])
    expect(sync.stats()).toMatchObject({ accepted: 1, rejected: 1, framesOut: 0, users: 0 })
  })

  it('[SRV-3] reads Authorization where there is no token in the query', async () => {
    const { connect } = await startServer()
    const bearer = await connect('', { authorization: 'Bearer ada:mac' })
    await bearer.received(1)
    const both = await connect('?token=bob:phone', { authorization: 'Bearer ada:mac' })
    await both.received(1)
    expect(bearer.frames[0]).toMatchObject({ userId: 'ada', deviceId: 'mac' })
    expect(both.frames[0]).toMatchObject({ userId: 'bob', deviceId: 'phone' })
  })

  it('[SRV-3] makes up the device id of a web session', async () => {
    let made = 0
    const { connect } = await startServer({ makeId: () => `id${++made}` })
    const web = await connect('?token=ada')
    await web.received(1)
    const other = await connect('?token=ada')
    await other.received(1)
    expect(web.frames[0]!.deviceId).toMatch(/^web-.*id1$/)
    expect(other.frames[0]!.deviceId).toMatch(/^web-.*id2$/)
  })
})

describe('origins', () => {
  const kullai = 'https://kullai.com'

  it('[SRV-8] refuses pages of other origins with 403', async () => {
    const { connect, port, sync } = await startServer({ allowedOrigins: [kullai] })
    const url = `ws://127.0.0.1:${port}/ws?token=ada:mac`
    expect(await statusOf(url, { origin: 'https://evil.example' })).toBe(403)
    expect(await statusOf(url, { origin: 'null' })).toBe(403)
    await (await connect('?token=ada:mac', { origin: kullai })).received(1)
    await (await connect('?token=ada:mac')).received(1)
    expect(sync.stats()).toMatchObject({ accepted: 2, refused: 2 })
  })

  it('[SRV-8] [SRV-24] asks a function, and takes its throwing for no', async () => {
    const errors: SyncError[] = []
    const { connect, port } = await startServer({
      allowedOrigins(origin) {
        if (origin === kullai) return true
        throw new Error(origin)
      },
      onError: (error) => errors.push(error),
    })
    await (await connect('?token=ada:mac', { origin: kullai })).received(1)
    const url = `ws://127.0.0.1:${port}/ws?token=ada:mac`
    expect(await statusOf(url, { origin: 'https://evil.example' })).toBe(403)
    expect(errors.map(({ code }) => code)).toEqual(['handler-threw'])
  })
})

describe('requests that are no upgrade of ours', () => {
  it('[SRV-9] answers what is not a WebSocket request with an HTTP status', async () => {
    const { connect, port, sync } = await startServer()
    const requests = [
      'GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n',
      'POST /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
      'GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
        'Sec-WebSocket-Key: short\r\nSec-WebSocket-Version: 13\r\n\r\n',
    ]
    for (const request of requests) {
      const tcp = connectTcp(port, '127.0.0.1')
      tcp.end(request)
      const answer = (await once(tcp.setEncoding('utf8'), 'data')) as string[]
      expect(answer[0]).toMatch(/^HTTP\/1\.1 4\d\d /)
    }
    expect(sync.stats()).toMatchObject({ accepted: 0, refused: 3 })
    await (await connect('?token=ada:mac')).received(1)
  })

  it('[SRV-9] answers a target that is no path with 400, also where others route', async () => {
    const sync = createSyncServer({ protocol: kull })
    const http = createServer().on('upgrade', sync.handleUpgrade)
    http.listen(0, '127.0.0.1')
    await once(http, 'listening')
    const tcp = connectTcp((http.address() as AddressInfo).port, '127.0.0.1')
    tcp.end(
      'GET http://x/ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n',
    )
    const answer = (await once(tcp.setEncoding('utf8'), 'data')) as string[]
    expect(answer[0]).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/)
    expect(sync.stats()).toMatchObject({ accepted: 0, refused: 1 })
    await new Promise((resolve) => http.close(resolve))
  })

  it('[SRV-9] is not disturbed by who leaves before the answer', async () => {
    const sync = createSyncServer({ protocol: kull })
    await sync.close()
    const socket = new Duplex({
      read() {},
      write(_chunk, _encoding, done) {
        done(new Error('EPIPE'))
      },
    })
    const request = new IncomingMessage(new Socket())
    // Nobody but the server listens for its errors.
    const closed = new Promise((resolve) => socket.once('close', resolve))
    sync.handleUpgrade(request, socket, Buffer.alloc(0))
    await closed
    expect(socket.destroyed).toBe(true)
  })

  it('[SRV-9] survives a Host that is none, and sees the path and query all the same', async () => {
    const seen: string[] = []
    const { connect } = await startServer({
      authenticate({ url }, { byProtocol }) {
        seen.push(url.pathname + url.search)
        return byProtocol()
      },
    })
    for (const host of ['a b', '[', 'x/y?token=eve:z', 'user@host', '']) {
      const client = await connect('?token=ada:mac', { host })
      await client.received(1)
      expect(client.frames[0]).toMatchObject({ userId: 'ada' })
    }
    expect(new Set(seen)).toEqual(new Set(['/ws?token=ada:mac']))
  })
})

describe('authenticate', () => {
  it('[SRV-4] replaces the rule of the protocol, and may ask for it', async () => {
    const { connect, sync } = await startServer({
      async authenticate({ headers }, { byProtocol }) {
        await Promise.resolve()
        const answer = byProtocol()
        if (headers['x-key'] === 'secret' && answer.ok) return { ...answer, isAdmin: true }
        return { ok: false, closeCode: 4403, reason: 'Not you' }
      },
    })
    const refused = await connect('?token=ada:mac')
    expect(await refused.closed).toEqual({ code: 4403, reason: 'Not you' })
    const admin = await connect('?token=ada:mac', { 'x-key': 'secret' })
    await admin.received(1)
    expect(sync.clients('ada').map(({ isAdmin }) => isAdmin)).toEqual([true])
  })

  it('[SRV-4] is required where the protocol says nothing of who connects', async () => {
    const silent = defineProtocol({ receive, send })
    expect(() => createSyncServer({ protocol: silent })).toThrow(
      expect.objectContaining({
        code: 'option-invalid',
        message: expect.stringContaining('authenticate') as unknown,
      }),
    )
    const sync = createSyncServer({
      protocol: silent,
      authenticate: (_request, { byProtocol }) => byProtocol(),
    })
    const { port } = await sync.listen()
    const client = await connect(`ws://localhost:${port}/ws?token=ada:mac`)
    expect(await client.closed).toMatchObject({ code: 1008 })
    await sync.close()
  })

  it('[SRV-4] cuts a reason to what a close frame holds', async () => {
    const { connect } = await startServer({
      authenticate: () => ({ ok: false, closeCode: 4000, reason: 'é'.repeat(100) }),
    })
    const client = await connect('')
    expect(await client.closed).toEqual({ code: 4000, reason: 'é'.repeat(61) })
  })

  const ill: [string, () => unknown][] = [
    [
      'throws',
      () => {
        throw new Error('db')
      },
    ],
    ['rejects', () => Promise.reject(new Error('db'))],
    ['gives nothing', () => undefined],
    ['gives no device', () => ({ ok: true, userId: 'ada' })],
    ['gives a code that cannot be sent', () => ({ ok: false, closeCode: 1006, reason: '' })],
    ['gives a code that is none', () => ({ ok: false, closeCode: 12.5, reason: '' })],
    ['gives no reason', () => Promise.resolve({ ok: false, closeCode: 4000 })],
  ]
  it.each(ill)('[SRV-5] closes with 1011 and reports when it %s', async (_what, authenticate) => {
    const errors: SyncError[] = []
    const { connect } = await startServer({
      authenticate: authenticate as () => Authentication,
      onError: (error) => errors.push(error),
    })
    const client = await connect('?token=ada:mac')
    expect(await client.closed).toEqual({ code: 1011, reason: 'Authentication failed' })
    expect(errors.map(({ code }) => code)).toEqual(['authenticate-failed'])
    expect(errors[0]!.message).not.toContain('ada')
  })

  it('[SRV-5] [SRV-6] closes with 1011 when it takes too long, and tells it so', async () => {
    const clock = createManualClock()
    const errors: SyncError[] = []
    let signal: AbortSignal | undefined
    const late: { resolve: (answer: Authentication) => void; reject: (why: Error) => void }[] = []
    const { connect, sync } = await startServer({
      clock,
      authenticateTimeoutMs: 700,
      authenticate: (_request, context) => {
        signal = context.signal
        return new Promise((resolve, reject) => {
          late.push({ resolve, reject })
        })
      },
      onError: (error) => errors.push(error),
    })
    const client = await connect('?token=ada:mac')
    const other = await connect('?token=ada:mac')
    clock.advance(699)
    expect(signal!.aborted).toBe(false)
    clock.advance(1)
    expect(signal!.aborted).toBe(true)
    expect((await client.closed).code).toBe(1011)
    expect((await other.closed).code).toBe(1011)
    late[0]!.resolve({ ok: true, userId: 'ada', deviceId: 'mac' })
    late[1]!.reject(new Error('too late'))
    await new Promise((resolve) => setImmediate(resolve))
    expect(sync.users()).toEqual([])
    expect(errors.map(({ code }) => code)).toEqual(['authenticate-failed', 'authenticate-failed'])
  })

  it('[SRV-6] tells authenticate when the client left, and lets nobody in', async () => {
    const errors: SyncError[] = []
    const { connect, sync } = await startServer({
      authenticate: (_request, { signal }) =>
        new Promise((resolve) => {
          asked.resolve()
          signal.addEventListener('abort', () => {
            resolve({ ok: true, userId: 'ada', deviceId: 'mac' })
            aborted.resolve()
          })
        }),
      onError: (error) => errors.push(error),
    })
    const asked = deferred()
    const aborted = deferred()
    const client = await connect('?token=ada:mac')
    await asked.promise
    client.say({ type: 'PING' })
    client.socket.close()
    await aborted.promise
    await Promise.resolve()
    expect(sync.stats()).toMatchObject({ users: 0, sockets: 0, messagesIn: 0, framesOut: 0 })
    expect(errors).toEqual([])
  })

  it('[SRV-6] tells authenticate when the server closes', async () => {
    const clock = createManualClock()
    const aborted = deferred()
    const { connect, sync } = await startServer({
      clock,
      authenticate: (_request, { signal }) => {
        signal.addEventListener('abort', aborted.resolve)
        return new Promise(() => {})
      },
    })
    const client = await connect('?token=ada:mac')
    await sync.close()
    await aborted.promise
    expect((await client.closed).code).toBe(1001)
    expect(clock.pending.count).toBe(0)
  })

  it('[SRV-7] holds what comes before its answer, in order, however much it is', async () => {
    const admitted = deferred()
    const { connect, http, sync } = await startServer({
      authenticate: async (_request, { byProtocol }) => {
        await admitted.promise
        return byProtocol()
      },
    })
    let tcp: Socket | undefined
    http.once('connection', (socket: Socket) => {
      tcp = socket
    })
    const client = await connect('?token=ada:mac')
    const count = 300
    const shoot = { shootId: 's', status: 'processing', currentImage: 'x'.repeat(10_000) }
    for (let processedCount = 0; processedCount < count; processedCount += 1) {
      client.say({ type: 'UPDATE_PROGRESS', payload: { ...shoot, processedCount } })
    }
    // After the first 64 KiB the server reads no further: the rest of the 3 MB waits its turn.
    while (!tcp!.isPaused()) await new Promise((resolve) => setImmediate(resolve))
    expect(tcp!.bytesRead).toBeGreaterThan(65_536)
    expect(tcp!.bytesRead).toBeLessThan(1_000_000)
    expect(sync.stats()).toMatchObject({ messagesIn: 0, framesOut: 0 })
    admitted.resolve()
    await client.received(count + 1)
    expect(client.types[0]).toBe('DEVICE_CONNECTED')
    expect(client.frames.slice(1).map(({ data }) => data?.['processedCount'])).toEqual(
      Array.from({ length: count }, (_, index) => index),
    )
  })
})

function deferred(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve = (): void => {}
  const promise = new Promise<void>((settle) => {
    resolve = settle
  })
  return { promise, resolve }
}
