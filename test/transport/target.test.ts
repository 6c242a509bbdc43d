import { afterEach, describe, expect, it, vi } from 'vitest'
import * as z from 'zod'
import type { CredentialsRule } from '../../src/schemas/protocol.js'
import {
  parseAddress,
  type Resolved,
  resolveTarget,
  type Target,
} from '../../src/transport/target.js'

const tokenRule: CredentialsRule<z.ZodObject<{ token: z.ZodString }>> = {
  schema: z.object({ token: z.string().min(1) }),
  apply: (request, { token }) => {
    request.url.searchParams.set('token', token)
    request.headers['x-token'] = token
    request.protocols.push('chat')
  },
}

function resolve(target: Target, rule?: CredentialsRule<z.ZodType>, attempt = 0, refused = false) {
  const outcomes: Resolved[] = []
  const abort = new AbortController()
  const info = { attempt, refused, signal: abort.signal }
  resolveTarget(target, rule, info, (resolved) => outcomes.push(resolved))
  return { outcomes, abort, info }
}

/** Long enough for any chain of promises that is not waiting for anything. */
function settle(): Promise<void> {
  return new Promise((done) => setImmediate(done))
}

afterEach(() => {
  vi.unstubAllGlobals()
})

describe('resolveTarget', () => {
  it('[CONN-3] takes values, functions and asynchronous functions alike', async () => {
    const address = 'wss://sync.test/ws'
    const credentials = { token: 't1' }
    const urls = [address, new URL(address), () => address, () => Promise.resolve(new URL(address))]
    const givers = [credentials, () => credentials, () => Promise.resolve(credentials)]
    for (const url of urls) {
      for (const giver of givers) {
        const { outcomes } = resolve({ url, credentials: giver }, tokenRule)
        await settle()
        expect(outcomes).toEqual([
          {
            ok: true,
            request: {
              url: new URL('wss://sync.test/ws?token=t1'),
              headers: { 'x-token': 't1' },
              protocols: ['chat'],
            },
          },
        ])
      }
    }
  })

  it('[BACK-1] answers at once where no promise is given, so that attempts keep their time', () => {
    const target = { url: () => new URL('ws://sync.test'), credentials: () => ({ token: 't' }) }
    expect(resolve(target, tokenRule).outcomes).toHaveLength(1)
  })

  it('[CONN-3] does not change the URL it was given, so the next attempt starts clean', () => {
    const url = new URL('ws://sync.test/ws#part')
    resolve({ url, credentials: { token: 't1' } }, tokenRule)
    expect(url.href).toBe('ws://sync.test/ws#part')
  })

  it('[CONN-4] tells a provider which attempt it is, and whether it was refused', () => {
    const told: unknown[] = []
    const url = (info: unknown) => {
      told.push(info)
      return 'ws://sync.test'
    }
    const { info } = resolve({ url, credentials: url }, undefined, 3, true)
    expect(told).toEqual([info, info])
    expect(info).toMatchObject({ attempt: 3, refused: true })
  })

  it('[CONN-3] takes a throw, a rejection and a broken thenable for a failed attempt', async () => {
    const thrown = new Error('no network for tokens')
    const fail = () => {
      throw thrown
    }
    const failing = {
      throws: fail,
      rejects: () => Promise.reject(thrown),
      throwingThen: () => ({ then: fail }),
      throwingGetter: () => Object.defineProperty({}, 'then', { get: fail }) as Promise<string>,
    }
    for (const giver of Object.values(failing)) {
      for (const provider of ['url', 'credentials'] as const) {
        const { outcomes } = resolve({ url: 'ws://sync.test', [provider]: giver }, undefined)
        await settle()
        const message = `The ${provider} function failed.`
        const failure = { code: 'provider-rejected', provider, message }
        expect(outcomes).toEqual([{ ok: false, failure, thrown }])
      }
    }
  })

  it('[CONN-9] takes one answer from a thenable that gives several', async () => {
    const url = () => ({
      // biome-ignore lint/suspicious/noThenProperty: a thenable is what this is about
      then(
        resolved?: ((address: string) => unknown) | null,
        rejected?: ((cause: unknown) => unknown) | null,
      ) {
        resolved?.('ws://sync.test/1')
        resolved?.('ws://sync.test/2')
        rejected?.(new Error('too late'))
      },
    })
    const { outcomes } = resolve({ url: url as () => PromiseLike<string> })
    await settle()
    expect(outcomes).toMatchObject([{ ok: true, request: { url: new URL('ws://sync.test/1') } }])
  })

  it('[CONN-4] ignores what comes after the attempt was given up', async () => {
    const late = () => settle().then(() => 'ws://sync.test')
    const lateRejection = () => settle().then(() => Promise.reject(new Error('late')))
    for (const url of [late, lateRejection]) {
      const credentials = vi.fn()
      const { outcomes, abort } = resolve({ url, credentials })
      abort.abort()
      await settle()
      await settle()
      expect(outcomes).toEqual([])
      expect(credentials).not.toHaveBeenCalled()
    }
  })

  it('[CONN-5] tells an address that is none from credentials that do not fit', () => {
    const bad = resolve({ url: 'ftp://sync.test', credentials: {} }, tokenRule).outcomes
    expect(bad).toMatchObject([{ ok: false, failure: { code: 'url-unusable' } }])
    for (const credentials of [undefined, {}, { token: '' }, { token: 7 }, null, 'token']) {
      const { outcomes } = resolve({ url: 'ws://sync.test', credentials }, tokenRule)
      expect(outcomes).toMatchObject([{ ok: false, failure: { code: 'credentials-missing' } }])
    }
  })

  it('[CONN-5] takes a rule that cannot write the credentials for credentials that do not fit', () => {
    const thrown = new Error('no such header')
    const rule: CredentialsRule<z.ZodType> = {
      schema: z.unknown(),
      apply: () => {
        throw thrown
      },
    }
    const { outcomes } = resolve({ url: 'ws://sync.test' }, rule)
    expect(outcomes).toMatchObject([
      { ok: false, failure: { code: 'credentials-missing' }, thrown },
    ])
  })

  it('[NET-5] repeats neither address nor credentials in a failure', () => {
    const secret = 'canary-7c1f'
    const targets: Target[] = [
      { url: `ftp://user:${secret}@sync.test/?token=${secret}` },
      { url: `::${secret}` },
      { url: 'ws://sync.test', credentials: { token: { [secret]: secret } } },
      { url: 'ws://sync.test', credentials: secret },
      {
        url: () => {
          throw new Error(secret)
        },
      },
    ]
    for (const target of targets) {
      const [resolved] = resolve(target, tokenRule).outcomes
      expect(resolved).toMatchObject({ ok: false })
      const { failure } = resolved as Extract<Resolved, { ok: false }>
      expect(JSON.stringify(failure)).not.toContain(secret)
    }
  })
})

describe('parseAddress', () => {
  it('[CONN-6] reads http as ws and https as wss, and drops a fragment', () => {
    const addresses: Record<string, string> = {
      'ws://sync.test/ws?a=1': 'ws://sync.test/ws?a=1',
      'wss://sync.test': 'wss://sync.test/',
      'http://sync.test:8080/ws#top': 'ws://sync.test:8080/ws',
      'https://sync.test/ws#': 'wss://sync.test/ws',
      'HTTPS://SYNC.test/Ws': 'wss://sync.test/Ws',
      'https://sync.test:443/': 'wss://sync.test/',
      'http://sync.test:80/': 'ws://sync.test/',
      'http://[::1]:9000/': 'ws://[::1]:9000/',
      ' ws://sync.test/ ': 'ws://sync.test/',
    }
    for (const [given, expected] of Object.entries(addresses)) {
      expect(parseAddress(given)?.href).toBe(expected)
      expect(parseAddress(new URL(given))?.href).toBe(expected)
    }
  })

  it('[CONN-5] refuses what is no WebSocket address', () => {
    const odd: unknown[] = [
      ...['', ' ', 'sync.test', '/ws', 'localhost:8080/ws', 'ftp://sync.test', 'file:///ws'],
      ...['ws://', 'ws://:80', 'ws://a b/', 'ws://sync.test:99999', 'javascript:alert(1)', 'null'],
      ...[undefined, null, 7, {}, [], true, Symbol('ws'), { href: 'ws://sync.test' }],
    ]
    for (const address of odd) expect(parseAddress(address)).toBeUndefined()
  })

  it('[CONN-6] counts a relative address from the page, where there is one', () => {
    vi.stubGlobal('location', { href: 'https://app.test/deep/page?x=1#top' })
    expect(parseAddress('/ws')?.href).toBe('wss://app.test/ws')
    expect(parseAddress('ws')?.href).toBe('wss://app.test/deep/ws')
    expect(parseAddress('//other.test/ws')?.href).toBe('wss://other.test/ws')
    expect(parseAddress('ws://sync.test/')?.href).toBe('ws://sync.test/')
    expect(parseAddress('')).toBeUndefined()
    vi.stubGlobal('location', { href: 'about:blank' })
    expect(parseAddress('/ws')).toBeUndefined()
    vi.stubGlobal('location', {})
    expect(parseAddress('/ws')).toBeUndefined()
  })
})
