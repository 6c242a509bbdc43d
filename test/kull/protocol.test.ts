import { describe, expect, it } from 'vitest'
import { defaultEnvironment, defineEnvironment, environments } from '../../src/kull/environments.js'
import { loadCredits } from '../../src/kull/load-credits.js'
import { kull } from '../../src/kull/protocol.js'
import { createValidate } from '../../src/schemas/schema.js'

function apply(address: string, credentials: { userId: string; deviceId?: string }): string {
  const request = { url: new URL(address), headers: {}, protocols: [] }
  kull.credentials?.apply(request, credentials)
  expect([request.headers, request.protocols]).toEqual([{}, []])
  return request.url.href
}

function authenticate(path: string, headers: Record<string, string | string[]> = {}) {
  const request = { url: new URL(path, 'http://localhost'), headers }
  return kull.server?.authenticate(request, () => 'fr9p1', 1795423137127)
}

describe('credentials', () => {
  it('[KULL-19] go into the token as the server takes it apart', () => {
    const url = 'wss://kullai.com/ws'
    expect(apply(url, { userId: 'user-1', deviceId: 'A-B' })).toBe(`${url}?token=user-1:A-B`)
    expect(apply(url, { userId: 'user-1' })).toBe(`${url}?token=user-1`)
    expect(apply(`${url}?v=2&token=old`, { userId: 'u', deviceId: 'd' })).toBe(
      `${url}?v=2&token=u:d`,
    )
  })

  it.each([
    { userId: 'user-1', deviceId: 'A-B' },
    { userId: 'ada@example.com', deviceId: 'Ada’s phone & pad?' },
    { userId: '100% + #1', deviceId: 'a:b:c' },
    { userId: '漢字', deviceId: 'ü' },
  ])('[KULL-19] [KULL-22] come out of the token as they went in: %j', (credentials) => {
    const { search } = new URL(apply('ws://localhost/ws', credentials))
    expect(authenticate(`/ws${search}`)).toEqual({ ok: true, ...credentials })
  })

  it.each([
    [{ userId: 'u', deviceId: 'd' }, true],
    [{ userId: 'u' }, true],
    [{ userId: 'u', deviceId: undefined }, true],
    [{ userId: '', deviceId: 'd' }, false],
    [{ userId: 'a:b' }, false],
    [{ userId: 'u', deviceId: '' }, false],
    [{ userId: 5 }, false],
    [undefined, false],
  ])('[KULL-19] %j fit: %s', (credentials, fits) => {
    expect(createValidate(kull.credentials!.schema)(credentials).ok).toBe(fits)
  })
})

describe('the connection policy of kull', () => {
  it('[KULL-20] takes 4001 and 4002 for final, and leaves other codes to the library', () => {
    const final = { next: 'fail', why: 'policy' }
    expect([kull.closeCodes?.(4001), kull.closeCodes?.(4002)]).toEqual([final, final])
    for (const code of [1000, 1006, 4000, 4003, 4401])
      expect(kull.closeCodes?.(code)).toBeUndefined()
  })

  it('[KULL-20] waits 1, 2, 4, 8, 16, 32 and four times 60 s, to the millisecond', () => {
    expect(kull.backoff).toEqual({
      stepsMs: [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000, 60_000],
      jitter: 'none',
      maxAttempts: 10,
    })
    expect(kull.heartbeat).toMatchObject({ ping: 'PING', pong: 'PONG' })
  })
})

describe('environments', () => {
  it('[KULL-21] are the three that every client knows, production unless told otherwise', () => {
    expect(environments).toEqual({
      development: {
        name: 'development',
        webSocketUrl: 'ws://localhost:5000/ws',
        httpUrl: 'http://localhost:5000',
      },
      staging: {
        name: 'staging',
        webSocketUrl: 'wss://staging.kullai.com/ws',
        httpUrl: 'https://staging.kullai.com',
      },
      production: {
        name: 'production',
        webSocketUrl: 'wss://kullai.com/ws',
        httpUrl: 'https://kullai.com',
      },
    })
    expect(defaultEnvironment).toBe(environments.production)
  })

  it('[KULL-21] may be one’s own', () => {
    expect(defineEnvironment('laptop', 'http://192.168.1.20:5000/')).toEqual({
      name: 'laptop',
      webSocketUrl: 'ws://192.168.1.20:5000/ws',
      httpUrl: 'http://192.168.1.20:5000',
    })
    expect(defineEnvironment('x', 'HTTPS://x.test/kull').webSocketUrl).toBe('wss://x.test/kull/ws')
    for (const bad of ['', 'localhost:5000', 'kullai.com', 'ws://x.test', 'https://']) {
      expect(() => defineEnvironment('x', bad)).toThrow(
        expect.objectContaining({ code: 'option-invalid' }) as Error,
      )
    }
  })
})

describe('what a server of kull does with a token', () => {
  it('[KULL-22] takes it from the query, or from a bearer header where there is none', () => {
    const ada = { ok: true, userId: 'ada', deviceId: 'mac' }
    expect(authenticate('/ws?token=ada:mac')).toEqual(ada)
    expect(authenticate('/ws?token=ada%3Amac')).toEqual(ada)
    expect(authenticate('/ws', { authorization: 'Bearer ada:mac' })).toEqual(ada)
    expect(authenticate('/ws', { authorization: 'bearer  ada:mac ' })).toEqual(ada)
    expect(authenticate('/ws?token=ada:mac', { authorization: 'Bearer eve:pc' })).toEqual(ada)
    expect(authenticate('/ws?token=', { authorization: 'Bearer ada:mac' })).toEqual(ada)
  })

  it('[KULL-22] makes up a device for a web session', () => {
    const deviceId = 'web-1795423137127-fr9p1'
    expect(authenticate('/ws?token=ada')).toEqual({ ok: true, userId: 'ada', deviceId })
    expect(authenticate('/ws?token=ada:')).toEqual({ ok: true, userId: 'ada', deviceId })
  })

  it.each([
    ['/ws', {}],
    ['/ws?token=', {}],
    ['/ws', { authorization: 'Basic YTpi' }],
    ['/ws', { authorization: 'Bearer' }],
    ['/ws', { authorization: ['Bearer a:b', 'Bearer c:d'] }],
  ])('[KULL-22] sends away with 4001 who has none: %s %j', (path, headers) => {
    expect(authenticate(path, headers as Record<string, string>)).toEqual({
      ok: false,
      closeCode: 4001,
      reason: 'No token provided',
    })
  })

  it.each(['/ws?token=:mac', '/ws?token=:'])('[KULL-22] sends away %s with 4002', (path) => {
    expect(authenticate(path)).toEqual({ ok: false, closeCode: 4002, reason: 'Invalid token' })
  })

  it('[KULL-22] announces devices and relays progress as the deployed server does', () => {
    expect(kull.server).toMatchObject({
      presence: { connected: 'DEVICE_CONNECTED', disconnected: 'DEVICE_DISCONNECTED' },
      relay: { UPDATE_PROGRESS: 'SHOOT_PROGRESS' },
    })
    expect(kull.server?.presence?.data({ userId: 'u', deviceId: 'd' }, 5)).toEqual({
      deviceId: 'd',
      timestamp: 5,
    })
  })
})

describe('loading the balance', () => {
  const { signal } = new AbortController()

  it('[KULL-23] asks the credit summary, and gives what it answers', async () => {
    const asked: unknown[] = []
    const load = loadCredits({
      baseUrl: 'https://kullai.com/',
      headers: { authorization: 'Bearer t' },
      fetch: (url, init) => {
        asked.push([url, init.headers, init.signal === signal])
        return Promise.resolve({
          ok: true,
          status: 200,
          json: () => Promise.resolve({ balance: 7 }),
        })
      },
    })
    expect(await load({ signal })).toEqual({ balance: 7 })
    expect(asked).toEqual([
      [
        'https://kullai.com/api/kull/credits/summary',
        { accept: 'application/json', authorization: 'Bearer t' },
        true,
      ],
    ])
  })

  it('[KULL-23] asks anew each time where to go and as whom', async () => {
    const asked: unknown[] = []
    let count = 0
    const load = loadCredits({
      baseUrl: () => `https://${count}.test`,
      headers: () => Promise.resolve({ authorization: `${count}` }),
      fetch: (url, { headers }) => {
        asked.push([url, headers['authorization']])
        return Promise.resolve({ ok: true, status: 200, json: () => Promise.resolve({}) })
      },
    })
    await load({ signal })
    count = 1
    await load({ signal })
    expect(asked).toEqual([
      ['https://0.test/api/kull/credits/summary', '0'],
      ['https://1.test/api/kull/credits/summary', '1'],
    ])
  })

  it('[KULL-23] rejects where the answer is no success', async () => {
    const load = loadCredits({
      baseUrl: 'https://kullai.com',
      fetch: () => Promise.resolve({ ok: false, status: 503, json: () => Promise.resolve({}) }),
    })
    await expect(load({ signal })).rejects.toThrow('503')
  })
})
