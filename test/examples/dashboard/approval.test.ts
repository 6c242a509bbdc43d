import { request as httpRequest } from 'node:http'
import { createSyncClient } from 'statewire'
import { createApi, kull } from 'statewire/kull'
import { createSession, type Session } from 'statewire/session'
import { createMemoryStore } from 'statewire/storage'
import { describe, expect, it, onTestFinished } from 'vitest'
import WebSocket from 'ws'
import { accessTokenOf, signedInKull } from '../../../examples/dashboard/access-proof.js'
import { startEnvironment } from '../../../examples/dashboard/server/environment-server.js'
import { eventually } from '../../eventually.js'
import { createSignInClient, mac } from './sign-in-client.js'

const page = 'http://127.0.0.1:5002'

async function serve() {
  const environment = await startEnvironment({
    name: 'staging',
    port: 0,
    secret: 'open-sesame',
    isOurPage: (origin) => origin === page,
    onError: (error) => {
      throw error
    },
  })
  onTestFinished(() => environment.stop())
  return { environment, ...createSignInClient(environment.httpUrl) }
}

describe('[DEMO-25] the approval page', () => {
  it('shows the code, and as text what the device says of itself', async () => {
    const { request } = await serve()
    const hostile = '<img src=x onerror="alert(1)">\'&'
    const asked = await request({ ...mac, deviceName: hostile, platform: hostile })
    const response = await fetch(asked.body.verificationUrl)
    const html = await response.text()
    expect(response.status).toBe(200)
    expect(html).toContain(asked.body.code)
    expect(html).toContain('&lt;img src=x onerror=&quot;alert(1)&quot;&gt;&#39;&amp;')
    expect(html).not.toContain('<img')
    const policy = response.headers.get('content-security-policy')
    expect(policy).toContain("default-src 'none'")
    expect(policy).toContain("frame-ancestors 'none'")
    expect(policy).not.toContain('unsafe')
    expect(response.headers.get('referrer-policy')).toBe('same-origin')
  })

  it('asks for the code where it was given none, however that is typed', async () => {
    const { environment, request } = await serve()
    const { code } = (await request()).body
    const look = async (query: string) => {
      const response = await fetch(`${environment.httpUrl}/link${query}`)
      return { status: response.status, html: await response.text() }
    }
    expect(await look('')).toMatchObject({ status: 200 })
    expect((await look('')).html).not.toContain('no such code')
    const typed = await look(`?code=%20${code.toLowerCase()}`)
    expect(typed).toMatchObject({ status: 200 })
    expect(typed.html).toContain(code)
    expect(await look('?code=ZZZZZZ')).toMatchObject({ status: 404 })
    expect((await look('?code=<b>')).html).not.toContain('<b>')
  })

  it('decides nothing for a form that another page sent, or under another name', async () => {
    const { environment, request, status, decide } = await serve()
    const { code } = (await request()).body
    for (const origin of ['http://evil.test', 'null', '', page]) {
      expect((await decide(code, 'approve', { origin })).status).toBe(403)
    }
    for (const host of ['evil.test', `evil.test:${environment.port}`]) {
      expect(await postUnder(host, environment.port, code)).toBe(403)
    }
    expect((await decide(code, 'perhaps')).status).toBe(404)
    expect((await status(code)).body).toEqual({ status: 'pending' })
    expect(await postUnder(`localhost:${environment.port}`, environment.port, code)).toBe(200)
    expect((await status(code)).body).toMatchObject({ status: 'approved' })
  })
})

describe('who is let in', () => {
  it('[DEMO-27] a web page, with an access token of the user and device that it says it is', async () => {
    const { environment, signIn } = await serve()
    const { accessToken, refreshToken } = await signIn()
    const closes = (token: string, protocols: string[], origin?: string) =>
      endOf(`${environment.webSocketUrl}?token=${token}`, protocols, origin)
    expect(await closes('ada:MAC', ['kull', accessToken], page)).toBe('open as kull')
    expect(await closes('ada:MAC', ['kull', accessToken])).toBe('open as kull')
    expect(await closes('ada:MAC', [])).toBe('open as ')
    const refused = '4401 Sign in first'
    expect(await closes('ada:MAC', [], page)).toBe(refused)
    expect(await closes('ada:PHONE', ['kull', accessToken], page)).toBe(refused)
    expect(await closes('grace:MAC', ['kull', accessToken], page)).toBe(refused)
    expect(await closes('ada:MAC', ['kull', refreshToken], page)).toBe(refused)
    expect(await closes('ada:MAC', [accessToken], page)).toBe(refused)
    // Shown a token, it does not take somebody at their word.
    expect(await closes('grace:MAC', ['kull', accessToken])).toBe(refused)
  })

  it('[DEMO-27] to a balance, likewise', async () => {
    const { environment, signIn } = await serve()
    const { accessToken } = await signIn()
    const ask = async (token: string, origin?: string) => {
      const response = await fetch(`${environment.httpUrl}/api/kull/credits/summary`, {
        headers: { authorization: `Bearer ${token}`, ...(origin !== undefined && { origin }) },
      })
      return response.status
    }
    expect(await ask(accessToken, page)).toBe(200)
    expect(await ask('ada:photo-worker')).toBe(200)
    expect(await ask('ada:MAC', page)).toBe(401)
    expect(await ask(`${accessToken}x`)).toBe(401)
    expect(await ask(':MAC')).toBe(401)
  })

  it('[DEMO-24] [DEMO-18] no page of another origin gets a code, or uses one up', async () => {
    const { environment } = await serve()
    const ask = (origin: string) =>
      fetch(`${environment.httpUrl}/api/device-auth/request`, {
        method: 'POST',
        body: JSON.stringify(mac),
        headers: { origin },
      })
    for (let asked = 0; asked < 6; asked += 1) {
      expect((await ask('http://evil.test')).status).toBe(403)
    }
    const ours = await ask(page)
    expect(ours.status).toBe(200)
    expect(ours.headers.get('access-control-allow-origin')).toBe(page)
    // What the session reads the server's time and patience from.
    expect(ours.headers.get('access-control-expose-headers')).toBe('date, retry-after')
  })
})

it.each([
  [undefined, undefined],
  ['kull', undefined],
  ['kull, ', undefined],
  ['token', undefined],
  ['kull, a.b.c', 'a.b.c'],
  ['kull,a.b.c,other', 'a.b.c'],
])('[DEMO-27] of the subprotocols %o, the token is %o', (header, token) => {
  expect(accessTokenOf(header)).toBe(token)
})

describe('a signed-in device', () => {
  async function connect() {
    const { environment, decide } = await serve()
    const api = createApi({ baseUrl: environment.httpUrl })
    const states: string[] = []
    const sync = createSyncClient(signedInKull, {
      url: environment.webSocketUrl,
      credentials: (attempt): ReturnType<Session['credentials']> => session.credentials(attempt),
      backoff: { stepsMs: [20], jitter: 'none', maxAttempts: 1_000 },
    })
    const session = createSession({
      api,
      sync,
      store: createMemoryStore(),
      deviceId: () => Promise.resolve('MAC'),
      device: mac,
    })
    onTestFinished(() => {
      session.dispose()
      sync.dispose()
    })
    sync.status$.subscribe(({ state }) => states.push(state))
    session.start()
    await eventually(() => expect(session.status.state).toBe('signedOut'))
    session.signIn()
    const code = await eventually(() => {
      if (session.status.state !== 'linking') throw new Error('There is no code yet')
      return session.status.code
    })
    await decide(code, 'approve')
    await eventually(() => expect(sync.isConnected).toBe(true))
    return { environment, session, sync, states }
  }

  it('[DEMO-28] gets another access token where only that has expired, and goes on', async () => {
    const { environment, session, sync, states } = await connect()
    // The socket is open before the server has checked its tokens.
    await eventually(() =>
      expect(environment.devices('ada').map(({ deviceId }) => deviceId)).toEqual(['MAC']),
    )
    const before = await session.credentials()
    environment.expire('ada', 'MAC')
    await eventually(() => expect(states).toContain('reconnecting'))
    await eventually(() => expect(sync.isConnected).toBe(true))
    expect(session.status.state).toBe('signedIn')
    expect((await session.credentials()).accessToken).not.toBe(before.accessToken)
    expect(states).not.toContain('failed')
  })

  it('[DEMO-28] is signed out where it is revoked, and its socket is closed', async () => {
    const { environment, session, sync } = await connect()
    environment.revoke('ada', 'MAC')
    await eventually(() =>
      expect(session.status).toEqual({
        state: 'signedOut',
        reason: 'revoked',
        message: 'Your session has ended. Please sign in again.',
      }),
    )
    expect(sync.status.state).toBe('disconnected')
    await eventually(() => expect(environment.devices('ada')).toEqual([]))
  })

  it('[DEMO-28] ends the sign-in for good when it signs out', async () => {
    const { environment, session } = await connect()
    const { accessToken } = await session.credentials()
    const { balance } = createSignInClient(environment.httpUrl)
    expect(await balance(accessToken)).toBe(200)
    await session.signOut()
    await eventually(async () => expect(await balance(accessToken)).toBe(401))
  })
})

it('[DEMO-31] a gift of credits changes the balance, and every device is told', async () => {
  const { environment } = await serve()
  const sync = createSyncClient(kull, {
    url: environment.webSocketUrl,
    credentials: { userId: 'ada', deviceId: 'phone' },
  })
  onTestFinished(() => sync.dispose())
  sync.start()
  await eventually(() => expect(sync.isConnected).toBe(true))
  environment.addCredits('ada', 100)
  await eventually(() =>
    expect(sync.state.lastCreditUpdate).toMatchObject({ newBalance: 600, change: 100 }),
  )
})

/** How a socket fares: `open as <subprotocol>` once the first frame has come, or how it was closed. */
function endOf(url: string, protocols: string[], origin?: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, protocols, origin === undefined ? {} : { origin })
    socket.once('message', () => {
      resolve(`open as ${socket.protocol}`)
      socket.close()
    })
    socket.once('close', (code, reason) => resolve(`${code} ${reason.toString()}`))
    socket.once('error', reject)
  })
}

/** The status of an approval that is sent to the same address under another name. */
function postUnder(host: string, port: number, code: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({
      host: '127.0.0.1',
      port,
      path: '/link',
      method: 'POST',
      headers: { host, origin: `http://${host}` },
    })
    request.on('response', (response) => {
      response.resume()
      resolve(response.statusCode)
    })
    request.on('error', reject)
    request.end(new URLSearchParams({ code, decision: 'approve' }).toString())
  })
}
