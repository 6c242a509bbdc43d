import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import type { ConnectionFailure } from '../../src/transport/failure.js'
import type { Socket } from '../../src/transport/transport.js'
import {
  createWebSocketTransport,
  type WebSocketConstructor,
} from '../../src/transport/websocket.js'

// What test/compliance cannot make real sockets do: platforms with an odd order of events.

const CLOSED = 3
type Platform = 'browser' | 'ws'

/** A socket that does nothing by itself, with the surface of a platform. */
class PlayedSocket {
  binaryType = ''
  readyState = 0
  bufferedAmount = 0
  onopen: ((event: unknown) => void) | null = null
  onclose: ((event: unknown) => void) | null = null
  onerror: ((event: unknown) => void) | null = null
  onmessage: ((event: unknown) => void) | null = null
  readonly calls: string[] = []

  open(): void {
    this.readyState = 1
    this.onopen?.({})
  }
  fail(): void {
    this.readyState = CLOSED
    this.onerror?.({})
  }
  end(code: number, reason = ''): void {
    this.readyState = CLOSED
    this.onclose?.({ code, reason })
  }
  send(data: unknown): void {
    this.calls.push(`send ${String(data)}`)
  }
  close(code?: number): void {
    this.calls.push(`close ${code ?? ''}`)
    // As browsers do.
    if (!('on' in this) && code !== undefined && code !== 1000 && code < 3000) {
      throw new Error('InvalidAccessError')
    }
    this.readyState = 2
  }
}

/** The same with what `ws` has beyond that. */
class PlayedNodeSocket extends PlayedSocket {
  readonly listeners = new Map<string, ((...args: never[]) => void)[]>()
  on(event: string, listener: (...args: never[]) => void): void {
    this.listeners.set(event, [...(this.listeners.get(event) ?? []), listener])
  }
  emit(event: string, ...args: unknown[]): void {
    for (const listener of this.listeners.get(event) ?? []) listener(...(args as never[]))
  }
  terminate(): void {
    this.calls.push('terminate')
    this.readyState = CLOSED
  }
  override fail(error: unknown = { code: 'ECONNREFUSED' }): void {
    this.readyState = CLOSED
    this.emit('error', error)
    this.onerror?.({})
  }
}

function play(platform: Platform, maxMessageBytes = 100) {
  const log: string[] = []
  const failures: ConnectionFailure[] = []
  const played = platform === 'ws' ? new PlayedNodeSocket() : new PlayedSocket()
  const transport = createWebSocketTransport({
    // A constructor that returns an object makes that object.
    WebSocket: function WebSocket() {
      return played
    } as unknown as WebSocketConstructor,
  })
  const socket: Socket = transport.connect(
    { url: 'ws://sync.test', protocols: [], headers: {}, maxMessageBytes },
    {
      opened: () => log.push('opened'),
      received: (frame) => log.push(`received ${String(frame)}`),
      closed: (failure) => {
        failures.push(failure)
        log.push(`closed ${failure.code}`)
      },
    },
  )
  return { log, failures, played, socket }
}

function settle(): Promise<void> {
  return new Promise((done) => setImmediate(done))
}

describe('a socket of any platform', () => {
  it('[NET-2] settles once, last, whatever the order of what the platform tells', async () => {
    const happening = fc.constantFrom(
      ...(['open', 'open', 'open', 'open', 'fail', 'end', 'close', 'terminate'] as const),
      ...(['large', 'text', 'wait', 'wait'] as const),
    )
    const counts = { settled: 0, opened: 0 }
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom<Platform>('browser', 'ws'),
        fc.array(happening, { size: 'max', maxLength: 15 }),
        async (platform, happenings) => {
          const { log, played, socket } = play(platform, 10)
          const receive = (text: string) => {
            if (played instanceof PlayedNodeSocket) played.emit('message', Buffer.from(text), false)
            else played.onmessage?.({ data: text })
          }
          for (const happening of happenings) {
            if (happening === 'open') played.open()
            if (happening === 'fail') played.fail()
            if (happening === 'end') played.end(1006)
            if (happening === 'close') socket.close(1000, '')
            if (happening === 'terminate') socket.terminate()
            if (happening === 'large') receive('x'.repeat(11))
            if (happening === 'text') receive('hi')
            if (happening === 'wait') await settle()
          }
          played.end(1000)
          await settle()
          expect(log.filter((entry) => entry.startsWith('closed'))).toHaveLength(1)
          expect(log.at(-1)).toMatch(/^closed/)
          counts.settled += 1
          if (log.includes('opened')) counts.opened += 1
          expect(socket.send('late')).toBe(false)
        },
      ),
      { numRuns: 500 },
    )
    expect(counts.settled).toBeGreaterThanOrEqual(500)
    expect(counts.opened).toBeGreaterThan(50)
  })

  it('[NET-3] keeps a listener for errors, after the end, too', () => {
    for (const platform of ['browser', 'ws'] as const) {
      const { played, socket } = play(platform)
      played.open()
      socket.close(1000, '')
      socket.terminate()
      played.end(1000)
      expect(played.onerror).not.toBeNull()
      if (played instanceof PlayedNodeSocket) expect(played.listeners.get('error')).toHaveLength(1)
      expect(() => played.fail()).not.toThrow()
    }
  })

  it('[CODE-12] that never opened could not reach the server, with or without a close event', async () => {
    for (const platform of ['browser', 'ws'] as const) {
      const { failures, played } = play(platform)
      played.fail()
      if (platform === 'ws') played.end(1006)
      await settle()
      expect(failures).toMatchObject([{ code: 'network' }])
      expect('systemCode' in (failures[0] ?? {})).toBe(platform === 'ws')
      played.end(1006)
      expect(failures).toHaveLength(1)
    }
  })

  it('[CODE-1] that was open and breaks is a 1006, not a server out of reach', async () => {
    for (const platform of ['browser', 'ws'] as const) {
      for (const hasCloseEvent of [true, false]) {
        // ws always tells the end.
        if (platform === 'ws' && !hasCloseEvent) continue
        const { failures, played } = play(platform)
        played.open()
        played.fail()
        // In browsers the close event is a task of its own.
        if (platform === 'browser') await settle()
        if (hasCloseEvent) played.end(1006)
        expect(failures).toMatchObject([{ code: 'closed', closeCode: 1006 }])
      }
    }
  })

  it('[NET-2] over ws tells what the close event says, which an error only announces', async () => {
    const { failures, played } = play('ws')
    played.open()
    played.fail()
    await settle()
    expect(failures).toEqual([])
    played.end(1002)
    expect(failures).toMatchObject([{ code: 'closed', closeCode: 1002 }])
  })

  it('[CONN-14] terminates at once the connection to a peer that sent too much, and names the limit', () => {
    for (const platform of ['browser', 'ws'] as const) {
      const { log, failures, played } = play(platform)
      played.open()
      if (played instanceof PlayedNodeSocket) {
        // ws has begun to close by then, and waits for the peer to do the same.
        played.readyState = 2
        played.emit('error', { code: 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH' })
      } else {
        played.onmessage?.({ data: 'é'.repeat(51) })
        expect(played.calls).toEqual(['close 4009'])
      }
      expect(failures).toMatchObject([{ code: 'message-too-large', limitBytes: 100 }])
      expect(failures[0]?.message).toContain('100')
      played.end(1006)
      expect(log).toEqual(['opened', 'closed message-too-large'])
    }
  })

  it('[CONN-14] counts the bytes of a message, not its letters', () => {
    const { log, played } = play('browser', 6)
    played.open()
    for (const data of ['123456', 'ééé', '漢漢']) played.onmessage?.({ data })
    played.onmessage?.({ data: new ArrayBuffer(6) })
    expect(log).toHaveLength(5)
    played.onmessage?.({ data: '漢漢1' })
    expect(log.at(-1)).toBe('closed message-too-large')
  })

  it('[SEND-2] takes nothing that it would only drop', () => {
    for (const platform of ['browser', 'ws'] as const) {
      const { played, socket } = play(platform)
      expect(socket.send('early')).toBe(false)
      played.open()
      expect(socket.send('1')).toBe(true)
      // The peer has begun to close.
      played.readyState = 2
      expect(socket.send('2')).toBe(false)
      played.end(1000)
      expect(socket.send('3')).toBe(false)
      expect(played.calls).toEqual(['send 1'])
    }
  })

  it('[NET-2] ends once where the built-in close throws for every code', () => {
    for (const end of ['close', 'terminate'] as const) {
      const { failures, played, socket } = play('browser')
      played.open()
      played.close = () => {
        throw new Error('InvalidStateError')
      }
      if (end === 'close') socket.close(1000, '')
      else socket.terminate()
      expect(failures).toMatchObject([{ code: 'closed', closeCode: 1006 }])
    }
  })

  it('[NET-5] [CONN-5] that cannot even be constructed has an unusable address, told later, unquoted', async () => {
    const log: ConnectionFailure[] = []
    const transport = createWebSocketTransport({
      WebSocket: function WebSocket(url: string) {
        throw new Error(`bad address ${url}`)
      } as unknown as WebSocketConstructor,
    })
    const socket = transport.connect(
      { url: 'ws://canary.test', protocols: [], headers: {}, maxMessageBytes: 1 },
      {
        opened: () => expect.unreachable(),
        received: () => expect.unreachable(),
        closed: (failure) => log.push(failure),
      },
    )
    expect([log.length, socket.send('x'), socket.bufferedAmount]).toEqual([0, false, 0])
    socket.close(1000, '')
    socket.terminate()
    await settle()
    expect(log).toMatchObject([{ code: 'url-unusable' }])
    expect(JSON.stringify(log)).not.toContain('canary')
  })
})

describe('over the real ws', () => {
  let server: Server | undefined

  afterEach(() => {
    server?.closeAllConnections()
    server?.close()
  })

  async function serve(upgraded: (socket: Duplex, request: IncomingMessage) => void) {
    const made = createServer()
    server = made
    const held = new Set<Duplex>()
    made.on('upgrade', (request, socket: Duplex) => {
      held.add(socket)
      socket.on('error', () => undefined)
      upgraded(socket, request)
    })
    made.on('close', () => {
      for (const socket of held) socket.destroy()
    })
    made.listen(0, '127.0.0.1')
    await once(made, 'listening')
    return `ws://127.0.0.1:${(made.address() as AddressInfo).port}/?token=canary`
  }

  function connect(url: string, closeTimeoutMs?: number) {
    return new Promise<{ failure: ConnectionFailure; events: string[]; sent: boolean }>(
      (resolve) => {
        const events: string[] = []
        let sent = false
        const socket = createWebSocketTransport().connect(
          {
            ...{ url, protocols: [], headers: {}, maxMessageBytes: 1_000 },
            ...(closeTimeoutMs !== undefined && { closeTimeoutMs }),
          },
          {
            opened: () => events.push('opened'),
            received(frame) {
              events.push(`received ${String(frame)}`)
              // By now the close that came with it has been read.
              setImmediate(() => {
                sent = socket.send('too late')
              })
            },
            closed: (failure) => {
              resolve({ failure, events, sent })
            },
          },
        )
      },
    )
  }

  it('[CODE-8] reads Retry-After: seconds, a date by the server’s own clock, and nothing else', async () => {
    const date = 'Mon, 24 Nov 2025 10:00:00 GMT'
    const cases: readonly (readonly [headers: string, retryAfterMs: number | undefined])[] = [
      ['Retry-After: 120', 120_000],
      ['Retry-After: 0', 0],
      ['Retry-After: -5', undefined],
      ['Retry-After: 1.5', 1_500],
      [`Date: ${date}\r\nRetry-After: Mon, 24 Nov 2025 10:00:30 GMT`, 30_000],
      [`Date: ${date}\r\nRetry-After: Mon, 24 Nov 2025 09:00:00 GMT`, 0],
      ['Retry-After: Mon, 24 Nov 2025 10:00:30 GMT', undefined],
      [`Date: ${date}\r\nRetry-After: soon`, undefined],
      ['Retry-After: Infinity', undefined],
      ['Retry-After: NaN', undefined],
      ['Retry-After: ', undefined],
      ['X-Other: 1', undefined],
    ]
    for (const [headers, retryAfterMs] of cases) {
      const url = await serve((socket) => {
        socket.end(`HTTP/1.1 503 Busy\r\n${headers}\r\nContent-Length: 0\r\n\r\n`)
      })
      const { failure } = await connect(url)
      expect(failure).toEqual({
        code: 'upgrade-refused',
        status: 503,
        message: 'The server answered the upgrade with HTTP 503.',
        ...(retryAfterMs !== undefined && { retryAfterMs }),
      })
      server?.close()
    }
  })

  it('[SEND-2] [CONN-10] does not wait long for a peer that closes and keeps the line', {
    timeout: 10_000,
  }, async () => {
    const url = await serve((socket, request) => {
      const key = String(request.headers['sec-websocket-key'])
      const guid = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
      const accept = createHash('sha1')
        .update(key + guid)
        .digest('base64')
      socket.write(
        `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
      )
      // A text frame "hi" and a close frame with code 4001, and then nothing, not even an end.
      socket.write(Buffer.from([0x81, 2, 0x68, 0x69, 0x88, 2, 0x0f, 0xa1]))
    })
    const { failure, events, sent } = await connect(url, 50)
    expect(failure).toMatchObject({ code: 'closed', closeCode: 4001 })
    expect([events, sent]).toEqual([['opened', 'received hi'], false])
  })
})
