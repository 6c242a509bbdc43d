import type { SessionApi } from 'statewire/session'
import { describe, expect, it } from 'vitest'
import { readQuery } from '../../../examples/dashboard/page/address.js'
import { createTellingApi } from '../../../examples/dashboard/page/telling-api.js'
import { createToasts } from '../../../examples/dashboard/page/toasts.js'
import { mac } from './sign-in-client.js'

describe("the page's address", () => {
  it('[DEMO-7] names the device', () => {
    expect(readQuery('?device=studio-mac').deviceId).toBe('studio-mac')
    expect(readQuery('?device=Ada%27s%20iPad').deviceId).toBe("Ada's iPad")
  })

  it.each(['', '?device=', '?device=%20', '?device=a:b'])('[DEMO-7] %s names none', (search) => {
    expect(readQuery(search).deviceId).toBeUndefined()
  })

  it('sets durations, and leaves out what makes no sense', () => {
    expect(readQuery('?ping=300&pong=200').timing).toEqual({
      pingIntervalMs: 300,
      pongTimeoutMs: 200,
    })
    for (const value of ['', '0', '49', '-5', '1.5', 'soon', '600001', '1e9', 'Infinity']) {
      expect(readQuery(`?ping=${value}`).timing).toEqual({})
    }
  })
})

describe('toasts', () => {
  const told = (body: string) => ({ kind: 'credits', title: 'Credit Update', body }) as const

  it('[DEMO-31] stay for a while, of one kind the newest', () => {
    const toasts = createToasts(6_000)
    expect(toasts.at(0)).toEqual([])
    toasts.show(told('one'), 1_000)
    toasts.show(told('two'), 2_000)
    expect(toasts.at(2_000)).toEqual([told('two')])
    expect(toasts.at(7_999)).toEqual([told('two')])
    expect(toasts.at(8_000)).toEqual([])
  })

  it('[DEMO-31] go when they are sent away', () => {
    const toasts = createToasts(6_000)
    toasts.show(told('one'), 1_000)
    toasts.dismiss('credits')
    expect(toasts.at(1_000)).toEqual([])
  })
})

describe('an API that tells', () => {
  const failure = {
    code: 'refused',
    status: 401,
    message: 'The server refused the request.',
  } as const
  const api = (isGood: boolean): SessionApi => {
    const answer = <T>(value: T) =>
      Promise.resolve(isGood ? ({ ok: true, value } as const) : ({ ok: false, failure } as const))
    return {
      requestLink: () =>
        answer({ code: 'ABC234', expiresAt: 1, verificationUrl: 'http://link.test' }),
      checkLink: () => answer({ status: 'pending' }),
      renew: () => answer({ accessToken: 'canary', expiresIn: 3_600 }),
      revoke: () => answer(undefined),
    }
  }

  it.each([
    [true, ['Token renewed: Good for 3600 s', 'Told the server: The sign-in is revoked']],
    [false, [`Token not renewed: ${failure.message}`, `Told the server: ${failure.message}`]],
  ])('[DEMO-32] of what became of tokens (%s), and not of the tokens', async (isGood, expected) => {
    const told: string[] = []
    const telling = createTellingApi(api(isGood), (title, text) => told.push(`${title}: ${text}`))
    const renewed = await telling.renew({ refreshToken: 'canary', deviceId: 'MAC' })
    expect(renewed).toEqual(await api(isGood).renew({ refreshToken: 'canary', deviceId: 'MAC' }))
    await telling.revoke('canary')
    expect((await telling.checkLink('ABC234')).ok).toBe(isGood)
    expect((await telling.requestLink(mac)).ok).toBe(isGood)
    expect(told).toEqual(expected)
  })
})
