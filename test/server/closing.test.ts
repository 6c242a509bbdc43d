import { once, getEventListeners } from 'node:events'
import { createServer } from 'node:http'
import { connect as connectTcp } from 'node:net'
import { describe, expect, it, vi } from 'vitest'
import { WebSocket } from 'ws'
import { createSyncServer } from '../../src/server/index.js'
import { createManualClock } from '../../src/testing/clock.js'
import { connect as connectTo, kull, progress, startServer } from './support.js'

describe('close', () => {
  it('[SRV-34] closes every socket with 1001 and resolves once all are gone', async () => {
    const clock = createManualClock()
    const { connect, http, sync } = await startServer({ clock })
    const clients = await Promise.all(['a', 'b', 'c'].map((name) => connect(`?token=ada:${name}`)))
    const closing = sync.close()
    expect(sync.close({ code: 4000 })).toBe(closing)
    await closing
    for (const { closed } of clients) {
      expect(await closed).toEqual({ code: 1001, reason: 'Server is closing' })
    }
    expect(sync.stats()).toMatchObject({ sockets: 0, users: 0, devices: 0 })
    expect(clock.pending.count).toBe(0)
    expect(http.listenerCount('upgrade')).toBe(0)
    expect(http.listening).toBe(true)
    await sync.close()
  })

  it('[SRV-34] clears only timers that it made', async () => {
    const clock = createManualClock()
    const clearTimeout = vi.spyOn(clock, 'clearTimeout')
    const { connect, sync } = await startServer({ clock })
    const mac = await connect('?token=ada:mac')
    mac.socket.close()
    await mac.closed
    await sync.close()
    expect(clearTimeout).not.toHaveBeenCalledWith(undefined)
  })

  it('[SRV-34] sends nothing any more once it was called', async () => {
    const { connect, sync } = await startServer()
    const mac = await connect('?token=ada:mac')
    await mac.received(1)
    const closing = sync.close()
    expect(sync.broadcastToUser('ada', 'PING')).toBe(0)
    await closing
    expect(mac.types).toEqual(['DEVICE_CONNECTED'])
  })

  it('[SRV-34] announces nobody as gone to sockets that go as well', async () => {
    const { connect, sync } = await startServer()
    const clients = [await connect('?token=ada:a'), await connect('?token=ada:b')]
    await sync.close({ code: 4100, reason: 'moved' })
    for (const { closed, types } of clients) {
      expect(await closed).toEqual({ code: 4100, reason: 'moved' })
      expect(types).not.toContain('DEVICE_DISCONNECTED')
    }
  })

  it('[SRV-34] accepts no new sockets, and terminates stuck ones after the grace', async () => {
    const clock = createManualClock()
    const { connect, http, port, sync } = await startServer({ clock })
    const stuck = await connect('?token=ada:stuck')
    await stuck.received(1)
    stuck.socket.pause()
    let isClosed = false
    const closing = sync.close({ graceMs: 5_000 }).then(() => {
      isClosed = true
    })
    const late = new WebSocket(`ws://127.0.0.1:${port}/ws?token=ada:late`)
    const [request, response] = (await once(late, 'unexpected-response')) as [
      { destroy(): void },
      { statusCode: number },
    ]
    request.destroy()
    expect(response.statusCode).toBe(503)
    expect(http.listenerCount('upgrade')).toBe(1)
    clock.advance(4_999)
    await new Promise((resolve) => setImmediate(resolve))
    expect(isClosed).toBe(false)
    clock.advance(1)
    await closing
    expect(http.listenerCount('upgrade')).toBe(0)
    expect(clock.pending.count).toBe(0)
  })

  it('[SRV-34] shortens the time of sockets that are closing already', async () => {
    const clock = createManualClock()
    const { connect, sync } = await startServer({ clock })
    const stuck = await connect('?token=ada:stuck')
    await stuck.received(1)
    stuck.socket.pause()
    sync.clients('ada')[0]!.close(4000)
    const closing = sync.close({ graceMs: 100 })
    clock.advance(100)
    await closing
  })

  it('[SRV-34] closes in the middle of traffic', async () => {
    const errors: unknown[] = []
    const { connect, sync } = await startServer({ onError: (error) => errors.push(error) })
    const clients = await Promise.all(
      Array.from({ length: 20 }, (_, index) => connect(`?token=ada:device-${index}`)),
    )
    let rounds = 0
    const talk = () => {
      rounds += 1
      sync.broadcastToUser('ada', 'SHOOT_PROGRESS', progress)
      for (const client of clients) {
        if (client.socket.readyState === WebSocket.OPEN) {
          client.say({ type: 'UPDATE_PROGRESS', payload: progress })
        }
      }
    }
    while (rounds < 20) {
      talk()
      await new Promise((resolve) => setImmediate(resolve))
    }
    const closing = sync.close()
    while (sync.stats().sockets > 0) {
      talk()
      await new Promise((resolve) => setImmediate(resolve))
    }
    await closing
    for (const { closed } of clients) expect((await closed).code).toBe(1001)
    expect(sync.broadcastToUser('ada', 'SHOOT_PROGRESS', progress)).toBe(0)
    expect(errors).toEqual([])
  })

  it('[SRV-34] refuses what makes no sense', async () => {
    const { connect, sync } = await startServer()
    const mac = await connect('?token=ada:mac')
    await mac.received(1)
    for (const options of [
      { code: 1006 },
      { code: 999 },
      { graceMs: -1 },
      { graceMs: Number.NaN },
    ]) {
      expect(() => sync.close(options)).toThrow(expect.objectContaining({ code: 'option-invalid' }))
    }
    expect(sync.users()).toEqual(['ada'])
  })

  it('[SRV-35] follows an abort signal, and leaves no listener on it', async () => {
    const controller = new AbortController()
    const { connect } = await startServer({ signal: controller.signal })
    const mac = await connect('?token=ada:mac')
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(1)
    controller.abort()
    expect((await mac.closed).code).toBe(1001)
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0)

    const other = new AbortController()
    const second = createSyncServer({ protocol: kull, signal: other.signal })
    await second.close()
    expect(getEventListeners(other.signal, 'abort')).toHaveLength(0)
    const third = createSyncServer({ protocol: kull, signal: controller.signal })
    await expect(third.listen()).rejects.toMatchObject({ code: 'option-invalid' })
  })

  it('[SRV-35] can be disposed of', async () => {
    const { connect, sync } = await startServer()
    const mac = await connect('?token=ada:mac')
    await sync[Symbol.asyncDispose]()
    expect((await mac.closed).code).toBe(1001)
  })
})

describe('listen', () => {
  it('[SRV-37] makes a server of its own, which answers other requests with 426', async () => {
    const sync = createSyncServer({ protocol: kull, path: '/sync' })
    const { host, port } = await sync.listen(0, '127.0.0.1')
    expect(host).toBe('127.0.0.1')
    const response = await fetch(`http://127.0.0.1:${port}/sync`)
    expect(response.status).toBe(426)
    const mac = await connectTo(`ws://127.0.0.1:${port}/sync?token=ada:mac`)
    await mac.received(1)
    await expect(sync.listen()).rejects.toMatchObject({ code: 'option-invalid' })
    await sync.close()
    expect((await mac.closed).code).toBe(1001)
    await expect(fetch(`http://127.0.0.1:${port}/sync`)).rejects.toThrow()
    await expect(sync.listen()).rejects.toMatchObject({ code: 'option-invalid' })
  })

  it('[SRV-37] rejects with the reason of the system where the port is taken', async () => {
    const { port } = await startServer()
    const sync = createSyncServer({ protocol: kull })
    await expect(sync.listen(port, '127.0.0.1')).rejects.toMatchObject({ code: 'EADDRINUSE' })
    await sync.close()
  })

  it('[SRV-37] is not for servers that were given one', async () => {
    const { sync } = await startServer()
    await expect(sync.listen()).rejects.toMatchObject({ code: 'option-invalid' })
  })

  it('[SRV-37] cuts off requests that outlast the grace', async () => {
    const clock = createManualClock()
    const sync = createSyncServer({ protocol: kull, clock })
    const { port } = await sync.listen(0, '127.0.0.1')
    const lingering = connectTcp(port, '127.0.0.1')
    lingering.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf')
    await once(lingering, 'data')
    const gone = once(lingering, 'close')
    const closing = sync.close()
    clock.advance(1_999)
    await new Promise((resolve) => setImmediate(resolve))
    expect(lingering.destroyed).toBe(false)
    clock.advance(1)
    await closing
    await gone
  })
})

describe('options', () => {
  it.each([
    ['path', { path: 'ws' }],
    ['path', { path: '/ws?x' }],
    ['maxMessageBytes', { maxMessageBytes: 0 }],
    ['maxMessageBytes', { maxMessageBytes: Number.NaN }],
    ['maxBufferedBytes', { maxBufferedBytes: -1 }],
    ['keepAliveMs', { keepAliveMs: 0 }],
    ['keepAliveMs', { keepAliveMs: Number.POSITIVE_INFINITY }],
    ['authenticateTimeoutMs', { authenticateTimeoutMs: -5 }],
    ['on', { on: { TYPO: () => undefined } }],
  ])('[SRV-39] names the option that makes no sense: %s', (option, options) => {
    expect(() => createSyncServer({ protocol: kull, ...(options as object) })).toThrow(
      expect.objectContaining({
        code: 'option-invalid',
        message: expect.stringContaining(option) as unknown,
      }),
    )
  })

  it('[SRV-39] does nothing by being made', () => {
    const http = createServer()
    const clock = createManualClock()
    createSyncServer({ protocol: kull, clock })
    expect(clock.pending.count).toBe(0)
    createSyncServer({ protocol: kull, clock, server: http })
    expect(http.listenerCount('upgrade')).toBe(1)
    expect(http.eventNames()).not.toContain('error')
  })
})
