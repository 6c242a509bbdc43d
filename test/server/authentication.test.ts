import type { Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import type { SyncError } from '../../src/base/errors.js'
import { receive, send } from '../../src/schemas/kull.js'
import { defineProtocol, type Authentication } from '../../src/schemas/protocol.js'
import { createSyncServer } from '../../src/server/index.js'
import { createManualClock } from '../../src/testing/clock.js'
import { connect, startServer } from './support.js'

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
