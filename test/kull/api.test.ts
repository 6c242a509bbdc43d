import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { createApi } from '../../src/kull/create-api.js'
import type { Fetch, FetchInit } from '../../src/kull/http.js'
import { createManualClock } from '../../src/testing/clock.js'

const user = { id: 'u1', email: 'ada@example.com' }
const tokens = { accessToken: 'canary-a', refreshToken: 'canary-r', expiresIn: 3600, user }
const code = {
  code: 'ABC123',
  expiresAt: '2025-01-01T00:10:00.000Z',
  verificationUrl: 'https://example.com/link',
}
const request = { deviceId: 'D1', deviceName: 'Mac', platform: 'macOS', appVersion: '1.2' }

interface Answer {
  readonly status?: number
  readonly headers?: Record<string, string>
  readonly body?: unknown
  readonly text?: string
}

/** An API whose server gives one answer, and what it was asked. */
function scripted(answer: Answer, baseUrl = 'https://example.com') {
  const calls: { readonly url: string; readonly init: FetchInit }[] = []
  const clock = createManualClock()
  const fetch: Fetch = (url, init) => {
    calls.push({ url, init })
    const { status = 200, headers = {}, body, text = JSON.stringify(body) } = answer
    return Promise.resolve(new Response(status === 204 ? null : text, { status, headers }))
  }
  return { api: createApi({ baseUrl, fetch, clock }), calls, clock }
}

describe('the HTTP interface', () => {
  it('[API-1] is asked as the product’s server expects', async () => {
    const asked = async (
      body: unknown,
      run: (api: ReturnType<typeof createApi>) => Promise<unknown>,
    ) => {
      const { api, calls } = scripted({ body })
      await run(api)
      const { url, init } = calls[0]!
      return { call: `${init.method} ${url}`, body: init.body, auth: init.headers['authorization'] }
    }
    expect(await asked(code, (api) => api.requestLink({ ...request, extra: 1 } as never))).toEqual({
      call: 'POST https://example.com/api/device-auth/request',
      body: JSON.stringify(request),
      auth: undefined,
    })
    expect(await asked({ status: 'pending' }, (api) => api.checkLink('A/B ?'))).toEqual({
      call: 'GET https://example.com/api/device-auth/status/A%2FB%20%3F',
      body: undefined,
      auth: undefined,
    })
    const renewal = { refreshToken: 'canary-r', deviceId: 'D1' }
    expect(await asked({ accessToken: 'x', expiresIn: 1 }, (api) => api.renew(renewal))).toEqual({
      call: 'POST https://example.com/api/device-auth/refresh',
      body: JSON.stringify(renewal),
      auth: undefined,
    })
    expect(await asked({ success: true }, (api) => api.revoke('canary-a'))).toEqual({
      call: 'POST https://example.com/api/device-auth/revoke',
      body: undefined,
      auth: 'Bearer canary-a',
    })
    expect(await asked({ balance: 5 }, (api) => api.creditSummary('canary-a'))).toEqual({
      call: 'GET https://example.com/api/kull/credits/summary',
      body: undefined,
      auth: 'Bearer canary-a',
    })
    expect(await asked({ status: 'ok' }, (api) => api.serviceStatus())).toEqual({
      call: 'GET https://example.com/api/sync/status',
      body: undefined,
      auth: undefined,
    })
  })

  it('[API-1] may live below a path, and move', async () => {
    let base: string | URL = 'https://example.com/kull?x=1'
    const urls: string[] = []
    const fetch: Fetch = (url) => {
      urls.push(url)
      return Promise.resolve(new Response('{"status":"ok"}'))
    }
    const api = createApi({ baseUrl: () => base, fetch })
    await api.serviceStatus()
    base = new URL('http://localhost:5000')
    await api.serviceStatus()
    expect(urls).toEqual([
      'https://example.com/kull/api/sync/status',
      'http://localhost:5000/api/sync/status',
    ])
    base = 'ftp://example.com'
    expect(await api.serviceStatus()).toMatchObject({ failure: { code: 'url-unusable' } })
    base = 'nonsense'
    expect(await api.serviceStatus()).toMatchObject({ failure: { code: 'url-unusable' } })
  })

  it('[API-2] gives what the server says, checked, with the server’s time', async () => {
    const headers = { date: 'Wed, 01 Jan 2025 00:00:00 GMT' }
    const serverTime = Date.UTC(2025, 0, 1)
    expect(
      await scripted({ body: { ...code, extra: 1 }, headers }).api.requestLink(request),
    ).toEqual({
      ok: true,
      value: { ...code, expiresAt: serverTime + 600_000 },
      serverTime,
    })
    const states = [
      [{ status: 'pending' }, { status: 'pending' }],
      [{ status: 'expired' }, { status: 'expired' }],
      [
        { status: 'approved', tokens },
        { status: 'approved', tokens },
      ],
      [
        {
          status: 'approved',
          tokens: { ...tokens, apiKey: 'no', user: { ...user, lastName: null, firstName: 'Ada' } },
        },
        { status: 'approved', tokens: { ...tokens, user: { ...user, firstName: 'Ada' } } },
      ],
    ]
    for (const [body, value] of states) {
      expect(await scripted({ body }).api.checkLink('x')).toEqual({ ok: true, value })
    }
    const renewal = { refreshToken: 'r', deviceId: 'd' }
    expect(
      await scripted({ body: { accessToken: 'a', expiresIn: 60 } }).api.renew(renewal),
    ).toEqual({ ok: true, value: { accessToken: 'a', expiresIn: 60 } })
    expect(
      await scripted({ body: { accessToken: 'a', expiresIn: 60, refreshToken: 'r2' } }).api.renew(
        renewal,
      ),
    ).toEqual({ ok: true, value: { accessToken: 'a', expiresIn: 60, refreshToken: 'r2' } })
    for (const answer of [{ status: 204 }, { text: '' }, { text: 'OK' }, { body: {} }]) {
      expect(await scripted(answer).api.revoke('a')).toMatchObject({ ok: true, value: undefined })
    }
  })

  it('[API-2] takes an answer that does not fit for none', async () => {
    const bodies = [
      undefined,
      null,
      [],
      {},
      { ...code, code: '' },
      { ...code, expiresAt: 'soon' },
      { ...code, code: 'x'.repeat(65) },
    ]
    for (const body of bodies) {
      expect(await scripted({ body }).api.requestLink(request)).toMatchObject({
        ok: false,
        failure: { code: 'unexpected-answer', status: 200 },
      })
    }
    const states = [
      { status: 'denied' },
      { status: 'approved' },
      { status: 'approved', tokens: { ...tokens, refreshToken: '' } },
      { status: 'approved', tokens: { ...tokens, expiresIn: -1 } },
      { status: 'approved', tokens: { ...tokens, user: { id: '' } } },
    ]
    for (const body of states) {
      expect(await scripted({ body }).api.checkLink('x')).toMatchObject({
        failure: { code: 'unexpected-answer' },
      })
    }
  })

  it('[API-8] shows no address that is not of the web', async () => {
    for (const verificationUrl of [
      'javascript:alert(1)',
      'data:text/html,x',
      '/relative',
      'https://',
      ` https://example.com/${'x'.repeat(2_048)}`,
    ]) {
      expect(
        await scripted({ body: { ...code, verificationUrl } }).api.requestLink(request),
      ).toMatchObject({ failure: { code: 'unexpected-answer' } })
    }
  })

  it('[API-3] gives a code to each kind of failure', async () => {
    for (const [status, failure] of [
      [400, { code: 'refused', status: 400 }],
      [401, { code: 'refused', status: 401 }],
      [404, { code: 'refused', status: 404 }],
      [408, { code: 'unavailable', status: 408 }],
      [429, { code: 'rate-limited' }],
      [500, { code: 'unavailable', status: 500 }],
      [503, { code: 'unavailable', status: 503 }],
      [302, { code: 'unexpected-answer', status: 302 }],
    ] as const) {
      const { api } = scripted({ status, text: 'canary-a in the body' })
      const result = await api.serviceStatus()
      expect(result).toMatchObject({ ok: false, failure })
      expect(JSON.stringify(result)).not.toContain('canary')
    }
    const api = createApi({
      baseUrl: 'https://example.com/canary',
      fetch: () => Promise.reject(new TypeError('fetch of canary failed')),
    })
    const result = await api.renew({ refreshToken: 'canary', deviceId: 'd' })
    expect(result).toMatchObject({ ok: false, failure: { code: 'network' } })
    expect(JSON.stringify(result)).not.toContain('canary')
  })

  it('[API-5] tells how long to wait, by seconds or by a date', async () => {
    const date = 'Wed, 01 Jan 2025 00:00:00 GMT'
    for (const [headers, retryAfterMs] of [
      [{ 'retry-after': '120' }, 120_000],
      [{ 'retry-after': 'Wed, 01 Jan 2025 00:01:00 GMT', date }, 60_000],
      [{ 'retry-after': 'Wed, 01 Jan 2025 00:02:00 GMT' }, 120_000],
      [{ 'retry-after': 'Tue, 31 Dec 2024 00:00:00 GMT', date }, 0],
      [{ 'retry-after': 'soon' }, undefined],
      [{ 'retry-after': '-1' }, undefined],
      [{}, undefined],
    ] as const) {
      for (const status of [429, 503]) {
        const result = await scripted({ status, headers: { ...headers } }).api.serviceStatus()
        expect((result as { failure: { retryAfterMs?: number } }).failure.retryAfterMs).toBe(
          retryAfterMs,
        )
      }
    }
  })

  it('[API-4] is waited for 10 s, and can be given up', async () => {
    const clock = createManualClock()
    const signals: AbortSignal[] = []
    const fetch: Fetch = (_, { signal }) => {
      signals.push(signal)
      return new Promise(() => undefined)
    }
    const api = createApi({ baseUrl: 'https://example.com', fetch, clock })
    const late = api.serviceStatus()
    await clock.advanceAsync(9_999)
    expect(signals[0]?.aborted).toBe(false)
    await clock.advanceAsync(1)
    expect(await late).toMatchObject({ failure: { code: 'timeout' } })
    expect(signals[0]?.aborted).toBe(true)
    const controller = new AbortController()
    const given = api.serviceStatus({ signal: controller.signal })
    controller.abort()
    expect(await given).toMatchObject({ failure: { code: 'aborted' } })
    expect(signals[1]?.aborted).toBe(true)
    expect(await api.serviceStatus({ signal: controller.signal })).toMatchObject({
      failure: { code: 'aborted' },
    })
    expect(signals).toHaveLength(2)
    expect(clock.pending.count).toBe(0)
  })

  it('[API-4] refuses options that make no sense', () => {
    for (const [options, name] of [
      [{ baseUrl: 'ws://example.com' }, 'baseUrl'],
      [{ baseUrl: '' }, 'baseUrl'],
      [{ baseUrl: 5 as never }, 'baseUrl'],
      [{ baseUrl: 'https://example.com', timeoutMs: -1 }, 'timeoutMs'],
    ] as const) {
      expect(() => createApi(options)).toThrow(
        expect.objectContaining({
          code: 'option-invalid',
          message: expect.stringContaining(name) as string,
        }) as Error,
      )
    }
  })

  it('[API-6] sends a token to its own server only: no redirect, no cookie, no cache, no referrer', async () => {
    const { api, calls } = scripted({ body: { balance: 1 } })
    await api.creditSummary('canary-a')
    expect(calls[0]?.url).not.toContain('canary')
    expect(calls[0]?.init).toMatchObject({
      redirect: 'manual',
      credentials: 'omit',
      cache: 'no-store',
      referrerPolicy: 'no-referrer',
    })
  })
})

describe('over a real connection', () => {
  let server: ReturnType<typeof createServer> | undefined
  afterEach(() => {
    server?.closeAllConnections()
    server?.close()
  })

  async function serve(handle: (request: IncomingMessage, response: ServerResponse) => void) {
    server = createServer(handle).listen(0, '127.0.0.1')
    await once(server, 'listening')
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  }

  it('[API-2] uses the platform’s fetch', async () => {
    const seen: string[] = []
    const baseUrl = await serve((request, response) => {
      seen.push(`${request.method ?? ''} ${request.url ?? ''}`)
      response.setHeader('content-type', 'application/json')
      response.end(JSON.stringify({ status: 'ok', timestamp: 1, service: 'sync' }))
    })
    const result = await createApi({ baseUrl }).serviceStatus()
    expect(result).toMatchObject({ ok: true, value: { status: 'ok' } })
    expect(seen).toEqual(['GET /api/sync/status'])
  })

  it('[API-6] follows no redirect', async () => {
    let arrivals = 0
    const baseUrl = await serve((request, response) => {
      if (request.url === '/stolen') arrivals += 1
      response.writeHead(302, { location: '/stolen' }).end()
    })
    expect(await createApi({ baseUrl }).creditSummary('canary')).toMatchObject({
      failure: { code: 'unexpected-answer', status: 302 },
    })
    expect(arrivals).toBe(0)
  })

  it('[API-7] reads no more than 256 KiB', async () => {
    let gaveUp = false
    const baseUrl = await serve((_, response) => {
      const chunk = Buffer.alloc(65_536, 0x20)
      // Without end: only who stops reading gets anywhere.
      const more = (): void => {
        while (!response.destroyed && response.write(chunk));
        if (!response.destroyed) response.once('drain', more)
      }
      response.on('close', () => {
        gaveUp = true
      })
      more()
    })
    expect(await createApi({ baseUrl }).serviceStatus()).toMatchObject({
      failure: { code: 'unexpected-answer' },
    })
    await vi.waitFor(() => {
      expect(gaveUp).toBe(true)
    })
  })

  it('[API-3] tells a server that is not there', async () => {
    const baseUrl = await serve((_, response) => response.end())
    server?.close()
    expect(await createApi({ baseUrl }).serviceStatus()).toMatchObject({
      failure: { code: 'network' },
    })
  })
})
