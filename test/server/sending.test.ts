import { describe, expect, it } from 'vitest'
import { createEnvelope } from '../../src/schemas/envelope.js'
import { createManualClock } from '../../src/testing/clock.js'
import { kull, progress, startServer } from './support.js'

const credits = { userId: 'ada', newBalance: 480, change: -20, reason: '' }

describe('sending', () => {
  it('[SRV-26] broadcasts to every socket of a user, and says how many', async () => {
    const clock = createManualClock({ epochMs: 1795423137702 })
    const { connect, sync } = await startServer({ clock })
    const mac = await connect('?token=ada:mac')
    const phone = await connect('?token=ada:phone')
    const again = await connect('?token=ada:phone')
    const stranger = await connect('?token=bob:mac')
    await mac.received(3)
    expect(sync.broadcastToUser('ada', 'CREDIT_UPDATE', credits)).toBe(3)
    expect(sync.broadcastToUser('nobody', 'CREDIT_UPDATE', credits)).toBe(0)
    await mac.received(4)
    expect(mac.raw[3]).toBe(
      '{"type":"CREDIT_UPDATE","data":{"userId":"ada","newBalance":480,"change":-20,"reason":""},' +
        '"timestamp":1795423137702,"deviceId":"server","userId":"ada"}',
    )
    for (const client of [phone, again]) {
      await client.settled()
      expect(client.raw.at(-1)).toBe(mac.raw[3])
    }
    await stranger.settled()
    expect(stranger.types).toEqual(['DEVICE_CONNECTED'])
  })

  it('[SRV-27] sends to all sockets of a device, to one socket, and to admins', async () => {
    const { connect, sync } = await startServer({
      authenticate({ headers }, { byProtocol }) {
        const answer = byProtocol()
        return answer.ok ? { ...answer, isAdmin: headers['x-admin'] === 'yes' } : answer
      },
    })
    const mac = await connect('?token=ada:mac')
    const phone = await connect('?token=ada:phone', { 'x-admin': 'yes' })
    const again = await connect('?token=ada:phone')
    const boss = await connect('?token=bob:mac', { 'x-admin': 'yes' })
    const all = [mac, phone, again, boss]
    for (const client of all) await client.settled()
    const before = all.map(({ raw }) => raw.length)
    const since = () => all.map(({ types }, index) => types.slice(before[index]))

    expect(sync.sendToDevice('ada', 'phone', 'SHOOT_PROGRESS', progress)).toBe(2)
    expect(sync.sendToDevice('bob', 'phone', 'SHOOT_PROGRESS', progress)).toBe(0)
    expect(sync.clients('ada')[0]!.send('PING')).toBe(true)
    const update = { sessionId: 's-1', action: 'new_message' } as const
    expect(sync.broadcastToAdmins('ADMIN_SESSION_UPDATE', update)).toBe(2)
    for (const client of all) await client.settled()
    expect(since()).toEqual([
      ['PING'],
      ['SHOOT_PROGRESS', 'ADMIN_SESSION_UPDATE'],
      ['SHOOT_PROGRESS'],
      ['ADMIN_SESSION_UPDATE'],
    ])
    const { timestamp } = boss.frames.at(-1)!
    expect(boss.raw.at(-1)).toBe(
      '{"type":"ADMIN_SESSION_UPDATE","data":{"sessionId":"s-1","action":"new_message"},' +
        `"timestamp":${timestamp},"deviceId":"server"}`,
    )
    boss.socket.close()
    await boss.closed
    expect(sync.broadcastToAdmins('ADMIN_SESSION_UPDATE', update)).toBe(1)
  })

  it('[SRV-27] hands nothing to a socket that is closing', async () => {
    const { connect, left, sync } = await startServer()
    const mac = await connect('?token=ada:mac')
    await mac.received(1)
    const client = sync.clients('ada')[0]!
    client.close(4000, 'go')
    client.close()
    expect(client.send('PING')).toBe(false)
    expect(sync.broadcastToUser('ada', 'PING')).toBe(0)
    expect(await mac.closed).toEqual({ code: 4000, reason: 'go' })
    await left(1)
    client.close()
    client.terminate()
    expect(client.send('PING')).toBe(false)
    expect(() => client.close(1006)).toThrow(expect.objectContaining({ code: 'option-invalid' }))
  })

  it('[SRV-28] sends several messages in one frame', async () => {
    const { connect, sync } = await startServer()
    const mac = await connect('?token=ada:mac')
    await mac.received(1)
    const messages = [
      { type: 'CREDIT_UPDATE', data: credits },
      { type: 'PING' },
      { type: 'SHOOT_PROGRESS', data: progress },
    ] as const
    expect(sync.broadcastBatchToUser('ada', messages)).toBe(1)
    expect(sync.broadcastBatchToUser('ada', [])).toBe(0)
    expect(sync.broadcastBatchToUser('nobody', messages)).toBe(0)
    await mac.received(2)
    const batch = mac.frames[1]!
    expect(Object.keys(batch)).toEqual(['type', 'messages', 'timestamp'])
    const meta = { timestamp: batch.timestamp, deviceId: 'server', userId: 'ada' }
    expect(batch.messages).toEqual(messages.map((message) => ({ ...message, ...meta })))
  })

  it('[SRV-28] sends them one by one where the envelope knows no batches', async () => {
    const { connect, sync } = await startServer({
      protocol: { ...kull, envelope: createEnvelope({ batch: false }) },
    })
    const mac = await connect('?token=ada:mac')
    await mac.received(1)
    const messages = [{ type: 'PING' }, { type: 'CREDIT_UPDATE', data: credits }] as const
    expect(sync.broadcastBatchToUser('ada', messages)).toBe(1)
    await mac.received(3)
    expect(mac.types).toEqual(['DEVICE_CONNECTED', 'PING', 'CREDIT_UPDATE'])
  })

  it('[SRV-29] never sends null for what is absent', async () => {
    const { connect, sync } = await startServer()
    const mac = await connect('?token=ada:mac')
    const absent: { eta?: number; currentImage?: string } = { eta: undefined } as object
    sync.broadcastToUser('ada', 'SHOOT_PROGRESS', { ...progress, ...absent })
    await mac.received(2)
    expect(mac.raw[1]).not.toContain('null')
    expect(mac.raw[1]).not.toContain('eta')
  })

  it('[SRV-29] throws for what JSON cannot hold, and sends nothing', async () => {
    const { connect, sync } = await startServer()
    const mac = await connect('?token=ada:mac')
    for (const newBalance of [Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() =>
        sync.broadcastToUser('ada', 'CREDIT_UPDATE', { ...credits, newBalance }),
      ).toThrow(
        expect.objectContaining({
          code: 'message-invalid',
          message: expect.stringContaining('newBalance') as unknown,
        }),
      )
    }
    await mac.settled()
    expect(mac.types).toEqual(['DEVICE_CONNECTED'])
  })

  it('[SRV-26] keeps up 1,000 messages to 10 devices, each whole and in order', async () => {
    const { connect, sync } = await startServer()
    const names = Array.from({ length: 10 }, (_, index) => `device-${index}`)
    const clients = await Promise.all(names.map((name) => connect(`?token=ada:${name}`)))
    await Promise.all(clients.map((client) => client.settled()))
    const before = clients.map(({ frames }) => frames.length)
    let taken = 0
    for (let burst = 0; burst < 5; burst += 1) {
      for (let index = 0; index < 200; index += 1) {
        const processedCount = burst * 200 + index
        taken += sync.broadcastToUser('ada', 'SHOOT_PROGRESS', { ...progress, processedCount })
      }
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(taken).toBe(10_000)
    const expected = Array.from({ length: 1_000 }, (_, index) => index)
    for (const [index, client] of clients.entries()) {
      await client.received(before[index]! + 1_000)
      const news = client.frames.slice(before[index])
      expect(news.map(({ data }) => data?.['processedCount'])).toEqual(expected)
    }
  })
})

describe('listing', () => {
  it('[SRV-38] lists users, devices and sockets, and counts', async () => {
    const { connect, left, sync } = await startServer()
    expect(sync.stats()).toEqual({
      accepted: 0,
      refused: 0,
      rejected: 0,
      messagesIn: 0,
      framesOut: 0,
      unknown: 0,
      invalid: 0,
      tooLarge: 0,
      tooSlow: 0,
      silent: 0,
      sockets: 0,
      users: 0,
      devices: 0,
    })
    const mac = await connect('?token=ada:mac')
    await connect('?token=ada:phone')
    await connect('?token=ada:phone')
    await connect('?token=bob:mac')
    await mac.received(3)
    expect(sync.users()).toEqual(['ada', 'bob'])
    expect(sync.devices('ada')).toEqual([
      { deviceId: 'mac', sockets: 1 },
      { deviceId: 'phone', sockets: 2 },
    ])
    expect(sync.devices('nobody')).toEqual([])
    expect(sync.clients('ada').map(({ deviceId }) => deviceId)).toEqual(['mac', 'phone', 'phone'])
    expect(sync.stats()).toMatchObject({ accepted: 4, sockets: 4, users: 2, devices: 3 })
    sync.clients('bob')[0]!.terminate()
    await left(1)
    expect(sync.users()).toEqual(['ada'])
    expect(sync.stats()).toMatchObject({ sockets: 3, users: 1, devices: 2 })
  })
})
