import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, it, onTestFinished } from 'vitest'
import { createKullRoutes } from '../../src/kull/server.js'
import { createSyncServer } from '../../src/server/index.js'
import { connect, createTally, kull, type TestClient } from './support.js'

interface Entry {
  readonly at: number
  readonly device: string
  readonly dir: 'open' | 'in' | 'out' | 'close'
  readonly frame: string | null
  readonly code?: number
  readonly reason?: string
}

interface Recorded {
  readonly type: string
  readonly data: Readonly<Record<string, unknown>>
  readonly deviceId?: string
  readonly userId?: string
}

const entries = readFileSync(new URL('../fixtures/deployed-server.jsonl', import.meta.url), 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as Entry)

/** What each client of the recording said of itself. */
const queries: Readonly<Record<string, string>> = {
  'no-token': '',
  'bad-token': '?token=:DEVICE',
  mac: '?token=user-123:DEVICE-MAC',
  phone: '?token=user-123:DEVICE-PHONE',
  'phone-again': '?token=user-123:DEVICE-PHONE',
  'phone-twice': '?token=user-123:DEVICE-PHONE',
  web: '?token=user-123',
  stranger: '?token=user-999:DEVICE-X',
}

const routeOf: Readonly<Record<string, string>> = {
  SHOOT_PROGRESS: '/api/sync/shoot-progress',
  CREDIT_UPDATE: '/api/sync/credit-update',
  PROMPT_CHANGE: '/api/sync/prompt-change',
}

/** A frame without what differs from run to run: times, and ids that the server made up. */
function comparable(frame: string): string {
  return frame.replace(/"timestamp":\d+/g, '"timestamp":0').replace(/web-\d+-\w+/g, 'web-made-up')
}

/** A frame of the recording that a trusted caller caused, and the request it must have made. */
interface Push {
  readonly path: string
  readonly data: object
  readonly userIds: Set<string>
  isMade: boolean
}

function keyOf({ type, data }: Recorded): string {
  return JSON.stringify([type, data])
}

/** The pushes behind the recording: each reached several clients, and was made once. */
function readPushes(): ReadonlyMap<string, Push> {
  const pushes = new Map<string, Push>()
  for (const { dir, frame } of entries) {
    const recorded = dir === 'in' ? (JSON.parse(frame!) as Recorded) : undefined
    if (recorded?.deviceId !== 'server') continue
    const { type, data, userId } = recorded
    const push = pushes.get(keyOf(recorded))
    if (push !== undefined) push.userIds.add(userId!)
    else {
      const path = routeOf[type]!
      pushes.set(keyOf(recorded), { path, data, userIds: new Set([userId!]), isMade: false })
    }
  }
  return pushes
}

function bodyOf({ data, userIds }: Push): string {
  const [userId] = userIds
  return JSON.stringify({ ...data, userId, userIds: [...userIds] })
}

it('[SRV-41] answers the recorded clients as the deployed server did', async () => {
  const left = createTally()
  const sync = createSyncServer({ protocol: kull, onDisconnected: left.add })
  const routes = createKullRoutes(sync, { authorize: () => 'allowed' })
  const http = createServer((request, response) => void routes(request, response))
  http.on('upgrade', sync.handleUpgrade)
  http.listen(0, '127.0.0.1')
  await once(http, 'listening')
  onTestFinished(() => new Promise((resolve) => http.close(() => resolve())))
  const { port } = http.address() as AddressInfo

  const pushes = readPushes()
  const clients = new Map<string, TestClient>()
  const expected = new Map<string, string[]>()
  const open = new Set<string>()
  let departures = 0
  let leftOut = 0

  for (const { device, dir, frame, code, reason } of entries) {
    const client = clients.get(device)
    switch (dir) {
      case 'open':
        clients.set(device, await connect(`ws://127.0.0.1:${port}/ws${queries[device]!}`))
        expected.set(device, [])
        open.add(device)
        break
      case 'out':
        client!.say(frame!)
        break
      case 'in': {
        const recorded = JSON.parse(frame!) as Recorded
        const its = `:${recorded.deviceId ?? ''}`
        const stays = [...open].some((other) => queries[other]!.endsWith(its))
        if (recorded.type === 'DEVICE_DISCONNECTED' && stays) {
          leftOut += 1
          break
        }
        const push = pushes.get(keyOf(recorded))
        if (push !== undefined && !push.isMade) {
          push.isMade = true
          const url = `http://127.0.0.1:${port}${push.path}`
          const answer = await fetch(url, { method: 'POST', body: bodyOf(push) })
          expect(answer.status).toBe(200)
        }
        expected.get(device)!.push(comparable(frame!))
        await client!.received(expected.get(device)!.length)
        break
      }
      case 'close':
        open.delete(device)
        if (code === 4001 || code === 4002) {
          expect(await client!.closed).toEqual({ code, reason })
          break
        }
        // Nothing that the recorded clients did not hear has come by now.
        for (const name of open) await clients.get(name)!.settled()
        // The recording ends with 1006, all at once: somebody pulled the plug.
        if (code === 1006) break
        if (code === 1005) client!.socket.close()
        else client!.socket.close(code, reason)
        departures += 1
        await left.reached(departures)
        break
      default:
        dir satisfies never
    }
  }

  const heard = new Map([...clients].map(([name, { raw }]) => [name, raw.map(comparable)]))
  expect(leftOut).toBe(3)
  expect(pushes.size).toBe(4)
  expect(heard.get('mac')).toHaveLength(expected.get('mac')!.length)
  expect(heard).toEqual(expected)
  expect(sync.stats()).toMatchObject({ unknown: 1, invalid: 1, rejected: 2, sockets: 4 })
  await sync.close()
})
