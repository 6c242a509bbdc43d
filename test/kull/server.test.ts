import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, connect as connectTcp } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { SyncError } from '../../src/base/errors.js'
import {
  type Authorize,
  createBearerCheck,
  createKullRoutes,
  type KullRoutesOptions,
} from '../../src/kull/server.js'
import { createSyncServer } from '../../src/server/index.js'
import { createManualClock } from '../../src/testing/clock.js'
import { connect, kull, progress, type TestClient } from '../server/support.js'

const secret = 'trusted'
const credits = { userId: 'ada', newBalance: 480, change: -20, reason: '' }

interface Answer {
  readonly status: number
  readonly body: unknown
  readonly headers: Headers
}

/** A Kull server with its routes; everything ends with the test. */
async function startRoutes(options: Partial<KullRoutesOptions> = {}) {
  const sync = createSyncServer({ protocol: kull })
  const routes = createKullRoutes(sync, { authorize: createBearerCheck(secret), ...options })
  const http = createServer((request, response) => {
    void Promise.resolve(routes(request, response)).then((isAnswered) => {
      if (!isAnswered) response.writeHead(404).end('somebody else')
    })
  })
  http.on('upgrade', sync.handleUpgrade)
  http.listen(0, '127.0.0.1')
  await once(http, 'listening')
  onTestFinished(async () => {
    void sync.close({ graceMs: 0 })
    http.closeAllConnections()
    await new Promise((resolve) => http.close(resolve))
  })
  const { port } = http.address() as AddressInfo
  const base = `http://127.0.0.1:${port}`

  async function request(path: string, init: RequestInit = {}): Promise<Answer> {
    const headers = { authorization: `Bearer ${secret}`, ...(init.headers as object) }
    const response = await fetch(base + path, { ...init, headers })
    const text = await response.text()
    const body: unknown = text.startsWith('{') ? JSON.parse(text) : text
    return { status: response.status, body, headers: response.headers }
  }

  return {
    sync,
    port,
    request,
    post: (path: string, body: unknown, init: RequestInit = {}) =>
      request(path, {
        method: 'POST',
        body: typeof body === 'string' ? body : JSON.stringify(body),
        ...init,
      }),
    connect: async (device: string): Promise<TestClient> => {
      const client = await connect(`ws://127.0.0.1:${port}/ws?token=${device}`)
      await client.received(1)
      return client
    },
  }
}

describe('pushing to users', () => {
  it('[SRV-50] broadcasts progress, credits and prompt changes', async () => {
    const { connect, post } = await startRoutes()
    const mac = await connect('ada:mac')
    const phone = await connect('ada:phone')
    const stranger = await connect('bob:mac')
    await mac.received(2)

    const pushed = await post('/api/sync/shoot-progress', { userId: 'ada', ...progress, novel: 1 })
    expect(pushed).toMatchObject({ status: 200, body: { success: true, sockets: 2 } })
    expect(pushed.headers.get('content-type')).toBe('application/json; charset=utf-8')
    expect((await post('/api/sync/credit-update', credits)).body).toEqual({
      success: true,
      sockets: 2,
    })
    const change = { promptId: 'prompt_789', action: 'voted' }
    expect(
      (
        await post('/api/sync/prompt-change?x=1', {
          userIds: ['ada', 'bob', 'ada', 'eve'],
          ...change,
        })
      ).body,
    ).toEqual({ success: true, sockets: 3 })

    await mac.received(5)
    await phone.received(4)
    await stranger.received(2)
    const meta = { timestamp: expect.any(Number) as number, deviceId: 'server', userId: 'ada' }
    expect(mac.frames.slice(2)).toEqual([
      { type: 'SHOOT_PROGRESS', data: progress, ...meta },
      { type: 'CREDIT_UPDATE', data: credits, ...meta },
      { type: 'PROMPT_CHANGE', data: change, ...meta },
    ])
    expect(phone.raw.slice(1)).toEqual(mac.raw.slice(2))
    expect(stranger.frames[1]).toEqual({
      type: 'PROMPT_CHANGE',
      data: change,
      ...meta,
      userId: 'bob',
    })
  })

  it.each([
    ['/api/sync/shoot-progress', progress, 'Missing required field: userId'],
    ['/api/sync/shoot-progress', { userId: 'ada' }, 'Missing required field: shootId, status'],
    [
      '/api/sync/shoot-progress',
      { userId: 'ada', ...progress, status: 'odd' },
      'Invalid field: status',
    ],
    [
      '/api/sync/credit-update',
      { ...credits, newBalance: null },
      'Missing required field: newBalance',
    ],
    ['/api/sync/credit-update', { ...credits, newBalance: '1' }, 'Invalid field: newBalance'],
    [
      '/api/sync/credit-update',
      { ...credits, reason: undefined },
      'Missing required field: reason',
    ],
    [
      '/api/sync/prompt-change',
      { promptId: 'p', action: 'voted' },
      'Missing required field: userIds',
    ],
    [
      '/api/sync/prompt-change',
      { userIds: ['a', 1], promptId: 'p', action: 'voted' },
      'Invalid field: userIds',
    ],
    ['/api/sync/prompt-change', { userIds: [] }, 'Missing required field: promptId, action'],
    ['/api/sync/credit-update', [credits], 'The body must be a JSON object'],
    ['/api/sync/credit-update', {}, 'Missing required field: userId, newBalance, change, reason'],
    ['/api/sync/credit-update', 'null', 'The body must be a JSON object'],
  ])('[SRV-51] names the fields that are missing or wrong: %s %o', async (path, body, error) => {
    const { connect, post } = await startRoutes()
    const mac = await connect('ada:mac')
    expect(await post(path, body)).toMatchObject({ status: 400, body: { error } })
    await mac.settled()
    expect(mac.types).toEqual(['DEVICE_CONNECTED'])
  })

  it('[SRV-52] refuses a body over the limit with 413, however it comes', async () => {
    const { post, request } = await startRoutes({ maxBodyBytes: 200 })
    const path = '/api/sync/credit-update'
    const large = JSON.stringify({ ...credits, reason: 'x'.repeat(1_000_000) })
    expect(await post(path, large)).toMatchObject({ status: 413 })
    const chunks = new Blob([large]).stream()
    const streamed = { method: 'POST', body: chunks, duplex: 'half' } as RequestInit
    expect(await request(path, streamed)).toMatchObject({ status: 413 })
    expect(await post(path, credits)).toMatchObject({ status: 200 })
  })

  it('[SRV-53] answers other methods with 405', async () => {
    const { post, request } = await startRoutes({ creditBalance: () => 1 })
    for (const path of ['/api/sync/shoot-progress', '/api/sync/credit-update']) {
      const answer = await request(path)
      expect(answer).toMatchObject({ status: 405, body: { error: 'Use POST' } })
      expect(answer.headers.get('allow')).toBe('POST')
    }
    for (const path of ['/api/sync/status', '/api/kull/credits/summary']) {
      expect(await post(path, {})).toMatchObject({ status: 405, body: { error: 'Use GET' } })
    }
  })

  it('[SRV-54] answers a body that is not JSON, or too deep, with 400', async () => {
    const { post } = await startRoutes()
    const deep = '['.repeat(100_000) + ']'.repeat(100_000)
    for (const body of ['', '{"userId":', 'user=ada', deep]) {
      const answer = await post('/api/sync/credit-update', body)
      expect(answer).toMatchObject({ status: 400 })
      expect(answer.body).toHaveProperty('error', expect.stringMatching(/^The body cannot be read/))
    }
  })

  it('[SRV-52] outlives a caller that leaves in the middle of its body', async () => {
    const { port, post } = await startRoutes()
    const tcp = connectTcp(port, '127.0.0.1').on('error', () => {})
    tcp.write(
      'POST /api/sync/credit-update HTTP/1.1\r\nHost: x\r\n' +
        `Authorization: Bearer ${secret}\r\nContent-Length: 100\r\n\r\n{"userId"`,
    )
    await once(tcp, 'connect')
    tcp.resetAndDestroy()
    expect(await post('/api/sync/credit-update', credits)).toMatchObject({ status: 200 })
  })
})

describe('callers that leave', () => {
  it('[SRV-52] do so before the answer without harm', async () => {
    let answered: (() => void) | undefined
    const { port, post } = await startRoutes({
      authorize: (request) =>
        request.headers['x-patient'] === 'yes'
          ? 'allowed'
          : new Promise((resolve) => {
              request.once('close', () => {
                resolve('forbidden')
                setImmediate(() => answered?.())
              })
            }),
    })
    const tcp = connectTcp(port, '127.0.0.1').on('error', () => {})
    const done = new Promise<void>((resolve) => {
      answered = resolve
    })
    tcp.end('GET /api/sync/status HTTP/1.1\r\nHost: x\r\n\r\n', () => tcp.resetAndDestroy())
    await done
    const headers = { 'x-patient': 'yes' }
    expect(await post('/api/sync/credit-update', credits, { headers })).toMatchObject({
      status: 200,
    })
  })
})

describe('trusted callers', () => {
  const paths = [
    ['POST', '/api/sync/shoot-progress'],
    ['POST', '/api/sync/credit-update'],
    ['POST', '/api/sync/prompt-change'],
    ['GET', '/api/sync/status'],
  ] as const

  it.each(paths)('[SRV-55] %s %s is for them alone', async (method, path) => {
    const { connect, request } = await startRoutes()
    const mac = await connect('ada:mac')
    const body = method === 'POST' ? JSON.stringify({ ...credits, ...progress }) : null
    const ask = (authorization: string) =>
      request(path, { method, body, headers: { authorization } })
    const nobody = await ask('')
    expect(nobody).toMatchObject({ status: 401, body: { error: 'Unauthenticated' } })
    expect(nobody.headers.get('www-authenticate')).toBe('Bearer')
    for (const wrong of ['Bearer ', 'Basic dHJ1c3RlZA==', secret]) {
      expect(await ask(wrong)).toMatchObject({ status: 401 })
    }
    for (const wrong of ['Bearer wrong', 'Bearer ada:mac', `Bearer ${secret}x`]) {
      expect(await ask(wrong)).toMatchObject({ status: 403, body: { error: 'Forbidden' } })
    }
    await mac.settled()
    expect(mac.types).toEqual(['DEVICE_CONNECTED'])
  })

  it('[SRV-55] takes any answer but "allowed" for no', async () => {
    const { post } = await startRoutes({ authorize: (() => true) as unknown as Authorize })
    expect(await post('/api/sync/credit-update', credits)).toMatchObject({ status: 401 })
  })

  it('[SRV-56] reports what authorize throws, and answers with 500', async () => {
    const errors: SyncError[] = []
    const { post } = await startRoutes({
      authorize: () => Promise.reject(new Error('ldap://secret')),
      onError(error) {
        errors.push(error)
        throw new Error('onError')
      },
    })
    expect(await post('/api/sync/credit-update', credits)).toMatchObject({
      status: 500,
      body: { error: 'Internal error' },
    })
    expect(errors.map(({ code, message }) => `${code}: ${message}`)).toEqual([
      'handler-threw: A function of the routes threw.',
    ])
  })

  it('[SRV-55] refuses a secret that is empty, and routes without authorize', () => {
    const invalid = expect.objectContaining({ code: 'option-invalid' }) as Error
    expect(() => createBearerCheck('')).toThrow(invalid)
    const sync = createSyncServer({ protocol: kull })
    expect(() => createKullRoutes(sync, {} as KullRoutesOptions)).toThrow(invalid)
    for (const maxBodyBytes of [0, Number.NaN]) {
      const authorize = createBearerCheck(secret)
      expect(() => createKullRoutes(sync, { authorize, maxBodyBytes })).toThrow(invalid)
    }
  })
})

describe('what can be asked', () => {
  it('[SRV-57] answers with its status', async () => {
    const clock = createManualClock({ epochMs: 1795423137702 })
    const { request } = await startRoutes({ clock, service: 'kull-sync' })
    expect(await request('/api/sync/status')).toMatchObject({
      status: 200,
      body: { status: 'ok', timestamp: 1795423137702, service: 'kull-sync' },
    })
  })

  it('[SRV-58] answers with the balance of who asks', async () => {
    const balances = new Map([['ada', 480]])
    const { request } = await startRoutes({ creditBalance: (userId) => balances.get(userId) })
    const path = '/api/kull/credits/summary'
    const ask = (authorization: string, query = '') =>
      request(path + query, { headers: { authorization } })
    const answer = await ask('Bearer ada:mac')
    expect(answer).toMatchObject({ status: 200, body: { balance: 480 } })
    expect(answer.headers.get('cache-control')).toBe('no-store')
    expect(await ask('', '?token=ada')).toMatchObject({ status: 200, body: { balance: 480 } })
    expect(await ask('Bearer bob:mac')).toMatchObject({ status: 404 })
    expect(await ask('')).toMatchObject({ status: 401 })
    expect(await ask('Bearer :mac')).toMatchObject({ status: 401 })
  })

  it('[SRV-58] can be told who asks', async () => {
    const { request } = await startRoutes({
      creditBalance: (userId) => Promise.resolve(userId.length),
      identify: ({ headers }) => Promise.resolve(headers['x-user'] as string | undefined),
    })
    const path = '/api/kull/credits/summary'
    expect((await request(path, { headers: { 'x-user': 'ada' } })).body).toEqual({ balance: 3 })
    expect(await request(path)).toMatchObject({ status: 401 })
  })

  it('[SRV-59] leaves every other path to others', async () => {
    const { request } = await startRoutes()
    for (const path of ['/', '/api/sync', '/api/sync/status/', '/api/kull/credits/summary']) {
      expect(await request(path)).toMatchObject({ status: 404, body: 'somebody else' })
    }
  })
})
