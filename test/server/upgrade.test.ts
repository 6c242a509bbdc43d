import { once } from 'node:events'
import { createServer, IncomingMessage } from 'node:http'
import { type AddressInfo, connect as connectTcp, Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import type { SyncError } from '../../src/base/errors.js'
import { createSyncServer } from '../../src/server/index.js'
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
