import { describe, expect, it } from 'vitest'
import * as z from 'zod'
import type { Heartbeat } from '../../src/schemas/policy.js'
import { defineProtocol } from '../../src/schemas/protocol.js'
import { createSyncServer } from '../../src/server/index.js'
import { createManualClock } from '../../src/testing/clock.js'
import { connect, progress, startServer } from './support.js'

describe('presence towards plain clients', () => {
  it('[SRV-10] [SRV-15] sends a new socket its own DEVICE_CONNECTED first', async () => {
    const { connect } = await startServer()
    const mac = await connect('?token=ada:mac')
    await mac.received(1)
    const [frame] = mac.frames
    expect(mac.raw[0]).toBe(
      `{"type":"DEVICE_CONNECTED","data":{"deviceId":"mac","timestamp":${frame!.timestamp}},` +
        `"timestamp":${frame!.timestamp},"deviceId":"mac","userId":"ada"}`,
    )
  })

  it('[SRV-11] [SRV-12] tells the other devices of the user, and nobody else', async () => {
    const { connect } = await startServer()
    const mac = await connect('?token=ada:mac')
    await mac.received(1)
    const stranger = await connect('?token=bob:mac')
    await stranger.received(1)
    const phone = await connect('?token=ada:phone')
    await phone.received(1)
    await mac.received(2)
    const again = await connect('?token=ada:phone')
    await again.received(1)
    await mac.received(3)
    await Promise.all([mac.settled(), phone.settled(), again.settled(), stranger.settled()])
    expect(mac.frames.map(({ data }) => data?.['deviceId'])).toEqual(['mac', 'phone', 'phone'])
    expect(phone.frames.map(({ data }) => data?.['deviceId'])).toEqual(['phone'])
    expect(again.frames.map(({ data }) => data?.['deviceId'])).toEqual(['phone'])
    expect(stranger.frames).toHaveLength(1)
  })

  it('[SRV-13] says nothing when a socket closes whose device has another', async () => {
    const { connect, left, sync } = await startServer()
    const mac = await connect('?token=ada:mac')
    const phone = await connect('?token=ada:phone')
    const again = await connect('?token=ada:phone')
    await mac.received(3)
    phone.socket.close()
    await left(1)
    await again.settled()
    await mac.settled()
    expect(sync.devices('ada')).toEqual([
      { deviceId: 'mac', sockets: 1 },
      { deviceId: 'phone', sockets: 1 },
    ])
    expect(again.types).toEqual(['DEVICE_CONNECTED'])
    expect(mac.types).toEqual(['DEVICE_CONNECTED', 'DEVICE_CONNECTED', 'DEVICE_CONNECTED'])
  })

  it('[SRV-14] signs a device off as often as it was announced once its last socket closes', async () => {
    const { connect, sync } = await startServer()
    const mac = await connect('?token=ada:mac')
    const sockets = [
      await connect('?token=ada:phone'),
      await connect('?token=ada:phone'),
      await connect('?token=ada:phone'),
    ]
    await mac.received(4)
    for (const { socket } of sockets) socket.close()
    await mac.received(7)
    await mac.settled()
    expect(mac.types.slice(4)).toEqual(Array(3).fill('DEVICE_DISCONNECTED'))
    expect(mac.raw[4]).toBe(
      `{"type":"DEVICE_DISCONNECTED","data":{"deviceId":"phone","timestamp":${mac.frames[4]!.timestamp}},` +
        `"timestamp":${mac.frames[4]!.timestamp},"deviceId":"phone","userId":"ada"}`,
    )
    expect(sync.devices('ada')).toEqual([{ deviceId: 'mac', sockets: 1 }])
  })

  it('[SRV-14] signs a device off that broke off without a handshake', async () => {
    const { connect } = await startServer()
    const mac = await connect('?token=ada:mac')
    const phone = await connect('?token=ada:phone')
    await mac.received(2)
    phone.socket.terminate()
    await mac.received(3)
    expect(mac.types.at(-1)).toBe('DEVICE_DISCONNECTED')
  })
})

describe('messages of plain clients', () => {
  it.each([
    ['with a payload', { type: 'PING', payload: { timestamp: 1763420000 } }],
    ['with an empty payload', { type: 'PING', payload: {} }],
    ['without one', { type: 'PING' }],
    ['with one that is wrong', { type: 'PING', payload: 'now' }],
  ])('[SRV-16] answers a PING %s with a bare PONG', async (_how, ping) => {
    const { connect } = await startServer()
    const mac = await connect('?token=ada:mac')
    const other = await connect('?token=ada:mac')
    await mac.received(1)
    mac.say(ping)
    await mac.received(2)
    expect(mac.raw[1]).toBe(`{"type":"PONG","timestamp":${mac.frames[1]!.timestamp}}`)
    await other.settled()
    expect(other.types).toEqual(['DEVICE_CONNECTED'])
  })

  it('[SRV-16] answers with a body where the protocol has one', async () => {
    const clock = createManualClock({ epochMs: 1795423137702 })
    const receive = { ALIVE: z.object({ at: z.number() }) }
    const send = { ALIVE_: null }
    const authenticate = () => ({ ok: true, userId: 'ada', deviceId: 'mac' }) as const
    const answerTo = async (heartbeat: Heartbeat | false) => {
      const protocol = defineProtocol({ receive, send, heartbeat })
      const sync = createSyncServer({ protocol, authenticate, clock })
      const { port } = await sync.listen(0, '127.0.0.1')
      const client = await connect(`ws://127.0.0.1:${port}/ws`)
      client.say({ type: 'ALIVE?' })
      client.say({ type: 'ALIVE_' })
      await client.settled()
      await sync.close()
      return client.raw
    }
    const heartbeat = { ping: 'ALIVE?', pong: 'ALIVE' }
    expect(await answerTo(heartbeat)).toEqual([
      '{"type":"ALIVE","data":{"timestamp":1795423137702},"timestamp":1795423137702}',
    ])
    expect(await answerTo({ ...heartbeat, body: (at) => ({ at }) })).toEqual([
      '{"type":"ALIVE","data":{"at":1795423137702},"timestamp":1795423137702}',
    ])
    expect(await answerTo({ ...heartbeat, ping: 'ALIVE_', pong: 'UNHEARD_OF' })).toEqual([
      '{"type":"UNHEARD_OF","timestamp":1795423137702}',
    ])
    expect(await answerTo(false)).toEqual([])
  })

  it('[SRV-17] sends reported progress to all of the user, the sender too', async () => {
    const { connect } = await startServer()
    const mac = await connect('?token=ada:mac')
    const phone = await connect('?token=ada:phone')
    const stranger = await connect('?token=bob:mac')
    await mac.received(2)
    await phone.received(1)
    mac.say({ type: 'UPDATE_PROGRESS', payload: { ...progress, eta: 27.119999999999997, x: 1 } })
    await mac.received(3)
    await phone.received(2)
    const { timestamp } = mac.frames[2]!
    expect(mac.raw[2]).toBe(
      '{"type":"SHOOT_PROGRESS","data":{"shootId":"shoot-1","status":"processing",' +
        '"processedCount":20,"totalCount":100,"eta":27.119999999999997,"provider":"gpt-5-nano"},' +
        `"timestamp":${timestamp},"deviceId":"mac","userId":"ada"}`,
    )
    expect(phone.raw[1]).toBe(mac.raw[2])
    await stranger.settled()
    expect(stranger.types).toEqual(['DEVICE_CONNECTED'])
  })

  it('[SRV-18] takes a BATCH apart in order', async () => {
    const { connect, sync } = await startServer()
    const mac = await connect('?token=ada:mac')
    const report = (processedCount: number) => ({
      type: 'UPDATE_PROGRESS',
      payload: { ...progress, processedCount },
    })
    mac.say({
      type: 'BATCH',
      messages: [
        report(1),
        { type: 'NOVELTY' },
        { type: 'BATCH', messages: [report(2)] },
        { type: 'UPDATE_PROGRESS', payload: {} },
        report(3),
      ],
    })
    await mac.received(4)
    expect(mac.frames.slice(1).map(({ data }) => data?.['processedCount'])).toEqual([1, 2, 3])
    expect(sync.stats()).toMatchObject({ messagesIn: 3, unknown: 1, invalid: 1 })
  })

  it('[SRV-19] [SRV-20] accepts what is reserved, and counts what it does not know', async () => {
    const events: string[] = []
    const { connect, sync } = await startServer({ log: ({ event }) => events.push(event) })
    const mac = await connect('?token=ada:mac')
    mac.say({ type: 'SUBSCRIBE' })
    mac.say({ type: 'UNSUBSCRIBE', payload: { whatever: true } })
    mac.say({ type: 'PONG', payload: { timestamp: 1 } })
    mac.say({ type: '$resume', cid: 'x', seq: null })
    mac.say({ type: 'constructor' })
    mac.say({ type: 'TYPING', payload: { where: 'here' } })
    await mac.settled()
    expect(mac.types).toEqual(['DEVICE_CONNECTED'])
    expect(sync.stats()).toMatchObject({ messagesIn: 3, unknown: 3, invalid: 0 })
    expect(events.filter((event) => event === 'message.unknown')).toHaveLength(3)
  })
})

describe('handlers', () => {
  it('[SRV-23] gives validated messages to the handler of their type, then to onMessage', async () => {
    const calls: unknown[] = []
    const { connect } = await startServer({
      on: {
        UPDATE_PROGRESS({ client, payload }) {
          calls.push(['on', client.deviceId, payload.shootId])
        },
      },
      onMessage({ client, type, payload }) {
        calls.push(['onMessage', client.userId, type, payload])
      },
    })
    const mac = await connect('?token=ada:mac')
    mac.say({ type: 'UPDATE_PROGRESS', payload: { shootId: 'x' } })
    mac.say({ type: 'UPDATE_PROGRESS', payload: progress })
    mac.say({ type: 'SUBSCRIBE', payload: 1 })
    await mac.received(2)
    await mac.settled()
    expect(calls).toEqual([
      ['on', 'mac', 'shoot-1'],
      ['onMessage', 'ada', 'UPDATE_PROGRESS', progress],
      ['onMessage', 'ada', 'SUBSCRIBE', undefined],
    ])
  })

  it('[SRV-24] reports what handlers throw or reject with, and carries on', async () => {
    const errors: [string, unknown][] = []
    const { connect } = await startServer({
      on: {
        UPDATE_PROGRESS() {
          throw new Error('on')
        },
        SUBSCRIBE: () => Promise.reject(new Error('on, later')),
      },
      onMessage() {
        throw new Error('onMessage')
      },
      onConnected() {
        throw new Error('onConnected')
      },
      onDisconnected() {
        throw new Error('onDisconnected')
      },
      log() {
        throw new Error('log')
      },
      onError(error) {
        errors.push([error.code, (error.cause as Error).message])
        throw new Error('onError')
      },
    })
    const phone = await connect('?token=ada:phone')
    const mac = await connect('?token=ada:mac')
    phone.say({ type: 'UPDATE_PROGRESS', payload: progress })
    phone.say({ type: 'SUBSCRIBE' })
    phone.say({ type: 'PING' })
    await phone.received(4)
    phone.socket.close()
    await mac.received(3)
    await mac.settled()
    expect(new Set(errors.map(([code]) => code))).toEqual(new Set(['handler-threw']))
    const messages = errors.map(([, message]) => message).filter((message) => message !== 'log')
    // A rejection is heard a microtask later: before or after the next frame.
    expect(messages.sort()).toEqual([
      'on',
      'on, later',
      'onConnected',
      'onConnected',
      'onDisconnected',
      'onMessage',
      'onMessage',
      'onMessage',
    ])
  })

  it('[SRV-25] tells when a socket joined and left', async () => {
    const calls: unknown[] = []
    const { connect, left, sync } = await startServer({
      onConnected: ({ userId, deviceId, isAdmin }) =>
        calls.push(['connected', userId, deviceId, isAdmin, sync.stats().framesOut]),
      onMessage: ({ type }) => calls.push(type),
      onDisconnected: ({ deviceId }, end) => calls.push(['disconnected', deviceId, end]),
    })
    const mac = await connect('?token=ada:mac')
    mac.say({ type: 'SUBSCRIBE' })
    mac.socket.close(4321, 'tired')
    await left(1)
    const phone = await connect('?token=ada:phone')
    await phone.received(1)
    expect(calls).toEqual([
      ['connected', 'ada', 'mac', false, 1],
      'SUBSCRIBE',
      ['disconnected', 'mac', { code: 4321, reason: 'tired' }],
      ['connected', 'ada', 'phone', false, 2],
    ])
  })
})
