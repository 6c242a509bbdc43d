import { request as httpRequest } from 'node:http'
import { createServer } from 'node:net'
import { type ConnectionStatus, createSyncClient, type SyncError } from 'statewire'
import { kull, loadCredits } from 'statewire/kull'
import { expect, it, onTestFinished } from 'vitest'
import {
  type EnvironmentOptions,
  startEnvironment,
} from '../../../examples/dashboard/server/environment-server.js'
import { eventually } from '../../eventually.js'

const userId = 'ada'
const page = 'http://127.0.0.1:5002'

async function serve(options: Partial<EnvironmentOptions> = {}) {
  const errors: Error[] = []
  const environment = await startEnvironment({
    name: 'development',
    port: 0,
    secret: 'open-sesame',
    isOurPage: (origin) => origin === page,
    onError: (error) => errors.push(error),
    ...options,
  })
  onTestFinished(async () => {
    await environment.stop()
    expect(errors).toEqual([])
  })
  return environment
}

type Served = Awaited<ReturnType<typeof serve>>

/** A device that is connected, and reconnects without waiting. */
async function connect(environment: Served, deviceId = 'mac', timing = {}) {
  const errors: SyncError[] = []
  const statuses: ConnectionStatus[] = []
  const sync = createSyncClient(kull, {
    url: environment.webSocketUrl,
    credentials: { userId, deviceId },
    loadSnapshot: loadCredits({
      baseUrl: environment.httpUrl,
      headers: { authorization: `Bearer ${userId}:${deviceId}` },
    }),
    backoff: { stepsMs: [20], jitter: 'none', maxAttempts: 1_000 },
    onError: (error) => errors.push(error),
    ...timing,
  })
  onTestFinished(() => sync.dispose())
  sync.status$.subscribe((status) => statuses.push(status))
  sync.start()
  await eventually(() => expect(sync.isConnected).toBe(true))
  /** Why each connection ended so far. */
  const causes = () =>
    statuses.flatMap((status) =>
      status.state === 'reconnecting' && status.retryAt !== null ? [status.cause] : [],
    )
  const reconnected = () =>
    eventually(() => {
      expect(causes().length).toBeGreaterThan(0)
      expect(sync.isConnected).toBe(true)
    })
  return { sync, statuses, causes, reconnected }
}

function charge(environment: Served, newBalance: number, secret = 'open-sesame') {
  return fetch(`${environment.httpUrl}/api/sync/credit-update`, {
    method: 'POST',
    headers: { authorization: `Bearer ${secret}` },
    body: JSON.stringify({ userId, newBalance, change: -1, reason: 'IMG_0001.jpg' }),
  })
}

async function balance(environment: Served): Promise<unknown> {
  const response = await fetch(`${environment.httpUrl}/api/kull/credits/summary?token=${userId}:x`)
  return response.json()
}

it('[DEMO-13] cuts a device off without a goodbye, all its sockets and no others', async () => {
  const environment = await serve()
  const mac = await connect(environment)
  const twin = await connect(environment)
  const phone = await connect(environment, 'phone')
  expect(environment.cut(userId, 'mac')).toBe(2)
  await Promise.all([mac.reconnected(), twin.reconnected()])
  expect(mac.causes()).toMatchObject([{ code: 'closed', closeCode: 1006 }])
  expect(twin.causes()).toMatchObject([{ code: 'closed', closeCode: 1006 }])
  expect(phone.causes()).toEqual([])
  expect(environment.cut(userId, 'nobody')).toBe(0)
})

it('[DEMO-14] goes silent: only a missing pong tells, and the next socket is fine', async () => {
  const environment = await serve()
  const phone = await connect(environment, 'phone')
  const mac = await connect(environment, 'mac', { pingIntervalMs: 400, pongTimeoutMs: 200 })
  await eventually(() => expect(phone.sync.state.connectedDevices.has('mac')).toBe(true))

  const heard: number[] = []
  mac.sync.on('CREDIT_UPDATE', ({ data }) => heard.push(data.newBalance))

  expect(environment.silence(userId, 'mac')).toBe(1)
  await charge(environment, 499)
  await eventually(() => expect(phone.sync.state.creditBalance).toBe(499))
  mac.sync.send('UPDATE_PROGRESS', { shootId: 'unheard', status: 'queued' })

  await mac.reconnected()
  expect(mac.causes()).toMatchObject([{ code: 'pong-timeout' }])
  await eventually(() => expect(mac.sync.state.creditBalance).toBe(499))
  await charge(environment, 498)
  await eventually(() => expect(phone.sync.state.creditBalance).toBe(498))
  await eventually(() => expect(heard).toEqual([498]))
  expect(phone.sync.state.activeShootProgress.size).toBe(0)
})

it('[DEMO-15] is not there while stopped, and comes back with the same port and accounts', async () => {
  const environment = await serve()
  const mac = await connect(environment)
  await charge(environment, 321)
  expect(environment.isUp).toBe(true)

  await environment.stop()
  expect(environment.isUp).toBe(false)
  const refused = { code: 'network', systemCode: 'ECONNREFUSED' }
  await eventually(() => expect(mac.causes().at(-1)).toMatchObject(refused))
  expect(mac.causes()[0]).toMatchObject({ code: 'closed', closeCode: 1001 })
  await expect(charge(environment, 1)).rejects.toThrow()

  await environment.start()
  expect(environment.isUp).toBe(true)
  await mac.reconnected()
  expect(await balance(environment)).toEqual({ balance: 321 })
})

it('[DEMO-15] stops and starts in the order that it is told to, silent sockets or not', async () => {
  const environment = await serve()
  await connect(environment)
  environment.silence(userId, 'mac')
  const turns = [environment.stop(), environment.start(), environment.stop(), environment.start()]
  await Promise.all(turns)
  expect(environment.isUp).toBe(true)
  await Promise.all([environment.start(), environment.stop(), environment.stop()])
  expect(environment.isUp).toBe(false)
})

it('[DEMO-16] writes any text to a device, as a frame of its own', async () => {
  const environment = await serve()
  const { sync, causes } = await connect(environment)
  const seen: string[] = []
  sync.invalid$.subscribe(({ raw }) => seen.push(`invalid ${raw.length}`))
  sync.unknown$.subscribe(({ type }) => seen.push(type))
  // Lengths on both sides of where the frame's header changes.
  for (const length of [0, 125, 126, 65_535])
    environment.writeFrame(userId, 'mac', '{'.repeat(length))
  environment.writeFrame(userId, 'mac', '{"type":"STUDIO_WEATHER","data":{}}')
  await eventually(() => expect(seen).toContain('STUDIO_WEATHER'))
  expect(seen).toEqual([
    'invalid 0',
    'invalid 125',
    'invalid 126',
    'invalid 65535',
    'STUDIO_WEATHER',
  ])
  expect(() => environment.writeFrame(userId, 'mac', 'x'.repeat(65_536))).toThrow(RangeError)
  expect(causes()).toEqual([])
})

it('[DEMO-16] sends news of the types that a worker never causes', async () => {
  const environment = await serve()
  const { sync } = await connect(environment)
  const seen: string[] = []
  sync.messages$.subscribe(({ type }) => seen.push(type))
  environment.sendNews(userId)
  await eventually(() => expect(seen).toContain('ADMIN_SESSION_UPDATE'))
  expect(seen.filter((type) => type === 'PROMPT_CHANGE')).toHaveLength(2)
})

it('[DEMO-9] opens an account with 500 credits and lets nobody charge without the secret', async () => {
  const environment = await serve()
  const { sync } = await connect(environment)
  await eventually(() => expect(sync.state.creditBalance).toBe(500))
  expect((await charge(environment, 400, 'guess')).status).toBe(403)
  expect(await balance(environment)).toEqual({ balance: 500 })
  expect((await charge(environment, 499)).status).toBe(200)
  expect(await balance(environment)).toEqual({ balance: 499 })
  await eventually(() => expect(sync.state.lastCreditUpdate?.newBalance).toBe(499))
})

it('[DEMO-18] answers pages of its own and no others', async () => {
  const environment = await serve()
  const url = `${environment.httpUrl}/api/kull/credits/summary`
  const preflight = (origin: string) =>
    fetch(url, {
      method: 'OPTIONS',
      headers: {
        origin,
        'access-control-request-method': 'GET',
        'access-control-request-headers': 'authorization',
      },
    })
  const ours = await preflight(page)
  expect(ours.status).toBe(204)
  expect(ours.headers.get('access-control-allow-origin')).toBe(page)
  expect(ours.headers.get('access-control-allow-headers')).toBe('authorization, content-type')
  const theirs = await preflight('http://evil.test')
  expect(theirs.status).toBe(405)
  expect(theirs.headers.get('access-control-allow-origin')).toBeNull()

  expect(await upgrade(environment.port, '/ws?token=ada:mac', page)).toBe(101)
  expect(await upgrade(environment.port, '/ws?token=ada:mac', 'http://evil.test')).toBe(403)
  expect(await upgrade(environment.port, '/elsewhere', page)).toBe(404)
  expect(await upgrade(environment.port, '//', page)).toBe(404)
  expect((await fetch(`${environment.httpUrl}/elsewhere`)).status).toBe(404)
})

it('[DEMO-19] takes a free port where its own is taken', async () => {
  const taken = createServer()
  const port = await new Promise<number>((resolve) => {
    taken.listen(0, '127.0.0.1', () => resolve((taken.address() as { port: number }).port))
  })
  onTestFinished(() => void taken.close())
  const environment = await serve({ port })
  expect(environment.port).not.toBe(port)
  expect(await balance(environment)).toEqual({ balance: 500 })
})

/** The status that an upgrade is answered with. */
function upgrade(port: number, path: string, origin: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({
      port,
      host: '127.0.0.1',
      path,
      headers: {
        origin,
        connection: 'Upgrade',
        upgrade: 'websocket',
        'sec-websocket-version': '13',
        'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
      },
    })
    request.on('upgrade', ({ statusCode }, socket) => {
      socket.destroy()
      resolve(statusCode)
    })
    request.on('response', (response) => {
      response.resume()
      resolve(response.statusCode)
    })
    request.on('error', reject)
    request.end()
  })
}
