import { decodeJwt, decodeProtectedHeader, SignJWT } from 'jose'
import { describe, expect, it, onTestFinished } from 'vitest'
import { startEnvironment } from '../../../examples/dashboard/server/environment-server.js'
import type { SignInOptions } from '../../../examples/dashboard/server/sign-in/sign-in.js'
import { eventually } from '../../eventually.js'
import { createSignInClient, mac } from './sign-in-client.js'

const minute = 60_000
const hour = 60 * minute
const epoch = Date.parse('2026-05-04T12:00:00Z')

async function serve(options: SignInOptions = {}) {
  let time = epoch
  const environment = await startEnvironment({
    name: 'development',
    port: 0,
    secret: 'open-sesame',
    isOurPage: () => false,
    signIn: { now: () => time, ...options },
    onError: (error) => {
      throw error
    },
  })
  onTestFinished(() => environment.stop())
  return {
    environment,
    ...createSignInClient(environment.httpUrl),
    pass(ms: number) {
      time += ms
    },
  }
}

describe('a code', () => {
  it('[DEMO-24] is shown, approved, and gives its tokens once', async () => {
    const { environment, request, status, decide } = await serve()
    const asked = await request()
    expect(asked.status).toBe(200)
    const { code } = asked.body
    expect(asked.body).toEqual({
      code: expect.stringMatching(/^[A-HJ-KM-NP-Z2-9]{6}$/) as string,
      expiresAt: '2026-05-04T12:10:00.000Z',
      verificationUrl: `${environment.httpUrl}/link?code=${code}`,
    })
    expect(await status(code)).toEqual({ status: 200, body: { status: 'pending' } })

    expect((await decide(code, 'approve')).status).toBe(200)
    const [approved, second] = await Promise.all([status(code), status(code)])
    expect(approved.body).toEqual({
      status: 'approved',
      tokens: {
        accessToken: expect.any(String) as string,
        refreshToken: expect.any(String) as string,
        expiresIn: 3_600,
        user: { id: 'ada', email: 'ada@example.com', firstName: 'Ada', lastName: 'Lovelace' },
      },
    })
    expect(second.body).toEqual({ status: 'expired' })
    expect((await decide(code, 'approve')).status).toBe(404)
  })

  it('[DEMO-24] lasts ten minutes', async () => {
    const { request, status, decide, pass } = await serve()
    const { code } = (await request()).body
    pass(10 * minute - 1)
    expect((await status(code)).body).toEqual({ status: 'pending' })
    pass(1)
    expect((await status(code)).body).toEqual({ status: 'expired' })
    expect((await decide(code, 'approve')).status).toBe(404)
    expect((await status(code)).body).toEqual({ status: 'expired' })
    expect((await status('NEVER1')).status).toBe(404)
  })

  it('[DEMO-24] is never one that is in use', async () => {
    const codes = ['AAAAAA', 'AAAAAA', 'AAAAAA', 'BBBBBB']
    const { request } = await serve({ makeCode: () => codes.shift() ?? '' })
    expect((await request()).body.code).toBe('AAAAAA')
    expect((await request()).body.code).toBe('BBBBBB')
  })

  it('[DEMO-24] is given to a device five times an hour', async () => {
    const { request, pass } = await serve()
    for (let asked = 0; asked < 5; asked += 1) {
      expect((await request()).status).toBe(200)
      pass(minute)
    }
    const refused = await request()
    expect(refused.status).toBe(429)
    expect(refused.retryAfter).toBe(String(55 * 60))
    expect((await request({ ...mac, deviceId: 'OTHER' })).status).toBe(200)
    pass(55 * minute - 1)
    expect((await request()).status).toBe(429)
    pass(1)
    expect((await request()).status).toBe(200)
    expect((await request()).status).toBe(429)
  })

  it('[DEMO-25] that is denied has expired', async () => {
    const { request, status, decide } = await serve()
    const { code } = (await request()).body
    expect(await (await decide(code, 'deny')).text()).toContain('studio-mac is not signed in')
    expect((await status(code)).body).toEqual({ status: 'expired' })
  })
})

describe('tokens', () => {
  it('[DEMO-26] are JWTs of an hour and of 30 days', async () => {
    const { signIn } = await serve()
    const { accessToken, refreshToken } = await signIn()
    expect(decodeProtectedHeader(accessToken)).toEqual({ alg: 'HS256', typ: 'JWT' })
    const shared = { iss: 'kull-development', sub: 'ada', device: 'MAC', iat: epoch / 1_000 }
    const access = decodeJwt(accessToken)
    expect(access).toMatchObject({ ...shared, aud: 'access', exp: (epoch + hour) / 1_000 })
    const refresh = decodeJwt(refreshToken)
    const exp = (epoch + 30 * 24 * hour) / 1_000
    expect(refresh).toMatchObject({ ...shared, aud: 'refresh', exp, sid: access['sid'] })
  })

  it('[DEMO-26] are renewed for as long as the refresh token lasts', async () => {
    const { signIn, renew, balance, pass } = await serve({ accessLifeMs: 20_000 })
    const { accessToken, refreshToken, expiresIn } = await signIn()
    expect(expiresIn).toBe(20)
    expect(await balance(accessToken)).toBe(200)
    pass(20_000)
    expect(await balance(accessToken)).toBe(401)
    const renewed = await renew(refreshToken)
    expect(renewed).toMatchObject({ status: 200, body: { expiresIn: 20 } })
    expect(Object.keys(renewed.body)).toEqual(['accessToken', 'expiresIn'])
    expect(await balance(renewed.body.accessToken)).toBe(200)
    pass(30 * 24 * hour)
    expect((await renew(refreshToken)).status).toBe(401)
  })

  it('[DEMO-26] are not taken for one another', async () => {
    const { signIn, renew, balance, revoke } = await serve()
    const elsewhere = await serve()
    const { accessToken, refreshToken } = await signIn()
    expect((await renew(accessToken)).status).toBe(401)
    expect(await balance(refreshToken)).toBe(401)
    expect(await revoke(refreshToken)).toBe(401)
    expect((await renew(refreshToken, 'PHONE')).status).toBe(401)
    expect((await elsewhere.renew(refreshToken)).status).toBe(401)
    expect(await elsewhere.balance(accessToken)).toBe(401)
    expect((await renew(refreshToken)).status).toBe(200)
  })

  it('[DEMO-26] that somebody else has made are none', async () => {
    const { signIn, balance, renew } = await serve()
    const { accessToken } = await signIn()
    const payload = decodeJwt(accessToken)
    const [header, claims, signature = ''] = accessToken.split('.')
    const forged = await new SignJWT(payload)
      .setProtectedHeader({ alg: 'HS256' })
      .sign(new Uint8Array(32))
    const unsigned = Buffer.from('{"alg":"none"}').toString('base64url')
    const other = Buffer.from(JSON.stringify({ ...payload, sub: 'grace' })).toString('base64url')
    for (const token of [
      forged,
      `${unsigned}.${claims}.`,
      `${header}.${other}.${signature}`,
      `${header}.${claims}.${signature.split('').reverse().join('')}`,
      `${header}.${claims}.`,
    ]) {
      expect(await balance(token), token).toBe(401)
      expect((await renew(token)).status).toBe(401)
    }
    expect(await balance('')).toBe(401)
  })

  it('[DEMO-28] of a sign-in that was revoked are refused, and others are not', async () => {
    const { signIn, renew, revoke, balance } = await serve()
    const [first, second] = [await signIn(), await signIn()]
    expect(await revoke(first.accessToken)).toBe(200)
    expect(await balance(first.accessToken)).toBe(401)
    expect((await renew(first.refreshToken)).status).toBe(401)
    expect(await revoke(first.accessToken)).toBe(401)
    expect(await balance(second.accessToken)).toBe(200)
    expect((await renew(second.refreshToken)).status).toBe(200)
  })

  it('[DEMO-28] are revoked by an access token that has expired', async () => {
    const { signIn, revoke, renew, pass } = await serve()
    const { accessToken, refreshToken } = await signIn()
    pass(8 * hour)
    expect(await revoke(accessToken)).toBe(200)
    expect((await renew(refreshToken)).status).toBe(401)
  })

  it('[DEMO-28] are declared over, or revoked, device by device', async () => {
    const { environment, signIn, renew, balance } = await serve()
    const phone = await signIn('PHONE')
    const { accessToken, refreshToken } = await signIn()
    expect(environment.expire('ada', 'MAC')).toBe(1)
    expect(await balance(accessToken)).toBe(401)
    const renewed = await renew(refreshToken)
    expect(await balance(renewed.body.accessToken)).toBe(200)
    expect(environment.revoke('ada', 'MAC')).toBe(1)
    expect(environment.revoke('ada', 'MAC')).toBe(0)
    expect(await balance(renewed.body.accessToken)).toBe(401)
    expect((await renew(refreshToken)).status).toBe(401)
    expect(await balance(phone.accessToken)).toBe(200)
  })

  it('[DEMO-15] outlive a restart of their server', async () => {
    const { environment, signIn, renew, balance } = await serve()
    const { accessToken, refreshToken } = await signIn()
    await environment.stop()
    await environment.start()
    // The connection that was kept for the next request is gone.
    await eventually(async () => expect(await balance(accessToken)).toBe(200))
    expect((await renew(refreshToken)).status).toBe(200)
  })
})

describe('a request that makes no sense', () => {
  it.each([
    ['/request', 'POST', '{"deviceId":"MAC"}', 400],
    ['/request', 'POST', '{', 400],
    ['/request', 'POST', JSON.stringify({ ...mac, deviceName: 'x'.repeat(201) }), 400],
    ['/request', 'POST', JSON.stringify({ ...mac, deviceId: '' }), 400],
    ['/refresh', 'POST', '{}', 400],
    ['/refresh', 'POST', '{"refreshToken":"nonsense","deviceId":"MAC"}', 401],
    ['/revoke', 'POST', '', 401],
    ['/request', 'GET', undefined, 405],
    ['/status/ABC234', 'POST', '{}', 405],
    ['/status', 'GET', undefined, 404],
    ['/status/a/b', 'GET', undefined, 404],
    ['/request/ABC234', 'POST', '{}', 404],
    ['/nothing', 'POST', '{}', 404],
  ])('to %s by %s is answered with why', async (path, method, body, expected) => {
    const { environment } = await serve()
    const response = await fetch(`${environment.httpUrl}/api/device-auth${path}`, {
      method,
      ...(body !== undefined && { body }),
    })
    expect(response.status).toBe(expected)
    expect(await response.json()).toEqual({ error: expect.any(String) as string })
    expect(response.headers.get('allow')).toBe(
      expected === 405 ? (method === 'GET' ? 'POST' : 'GET') : null,
    )
  })
})
