// The contract of src/transport/transport.ts, one test per promise. It runs in Node and in pages,
// against real servers and the fake. A harness hides the differences between them.
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { RawFrame } from '../../src/schemas/message.js'
import type { ConnectionFailure } from '../../src/transport/failure.js'
import type { Socket, SocketRequest, Transport } from '../../src/transport/transport.js'
import { type Play, TOKEN, textOfBytes } from './play.js'

/** What the suite needs from the environment that it runs in. */
export interface TransportHarness {
  readonly transport: Transport
  /** The address of a server that plays this. */
  url(play: Play): string
  /** Lets time pass until a condition holds. Throws if that takes too long. */
  until(condition: () => boolean): Promise<void>
  /** Lets time pass until every event that was on its way has arrived. */
  settle(): Promise<void>
  readonly stop?: () => Promise<void>
  /** Whether the client sees HTTP answers, system codes and headers. A page does not. */
  readonly isNode: boolean
}

interface Connection {
  readonly socket: Socket
  /** What the handlers were told, in order. */
  readonly events: ('opened' | 'received' | 'closed')[]
  readonly frames: RawFrame[]
  readonly failures: ConnectionFailure[]
}

const LIMIT = 2 * 1024 * 1024

/** Runs the compliance suite on a transport. */
export function describeTransport(
  name: string,
  createHarness: () => TransportHarness | Promise<TransportHarness>,
): void {
  describe(`the transport contract: ${name}`, () => {
    let harness: TransportHarness
    const open: Connection[] = []

    beforeAll(async () => {
      harness = await createHarness()
    })
    afterAll(() => harness.stop?.())

    // Whatever a test is about, its connections must have ended as the contract says.
    afterEach(async () => {
      for (const { socket } of open) socket.terminate()
      await harness.until(() => open.every(({ failures }) => failures.length > 0))
      await harness.settle()
      for (const connection of open.splice(0)) expectWellTold(connection)
    })

    function connect(play: Play | string, request: Partial<SocketRequest> = {}): Connection {
      const events: Connection['events'] = []
      const frames: RawFrame[] = []
      const failures: ConnectionFailure[] = []
      const url = typeof play === 'string' ? play : harness.url(play)
      const defaults = { protocols: [], headers: {}, maxMessageBytes: LIMIT }
      let hasReturned = false
      const socket = harness.transport.connect(
        { url, ...defaults, ...request },
        {
          opened: () => events.push('opened'),
          received(frame) {
            events.push('received')
            frames.push(frame)
          },
          closed(failure) {
            events.push('closed')
            failures.push(failure)
            expect(hasReturned).toBe(true)
          },
        },
      )
      expect(events).toEqual([])
      hasReturned = true
      const connection = { socket, events, frames, failures }
      open.push(connection)
      return connection
    }

    async function connectOpen(
      play: Play,
      request: Partial<SocketRequest> = {},
    ): Promise<Connection> {
      const connection = connect(play, request)
      await harness.until(() => connection.events.length > 0)
      expect(connection.events[0]).toBe('opened')
      return connection
    }

    async function received(connection: Connection, count: number): Promise<RawFrame[]> {
      await harness.until(() => connection.frames.length >= count)
      return connection.frames
    }

    async function ended(connection: Connection): Promise<ConnectionFailure> {
      await harness.until(() => connection.failures.length > 0)
      return connection.failures[0]!
    }

    async function echoed(frame: RawFrame): Promise<RawFrame | undefined> {
      const connection = await connectOpen({ does: 'echo' })
      connection.socket.send(frame)
      return (await received(connection, 1))[0]
    }

    describe('opening', () => {
      it('[NET-1] [TEST-41] tells once that it is open', async () => {
        const connection = await connectOpen({ does: 'echo' })
        await harness.settle()
        expect(connection.events).toEqual(['opened'])
        expect(connection.socket.bufferedAmount).toBe(0)
      })

      it('[NET-1] [TEST-40] calls no handler from inside connect, send or close', async () => {
        const connection = await connectOpen({ does: 'echo' })
        connection.socket.send('hello')
        expect(connection.events).toEqual(['opened'])
        await received(connection, 1)
        connection.socket.close(1000, '')
        expect(connection.events).toEqual(['opened', 'received'])
        const early = connect({ does: 'echo' })
        early.socket.close(1000, '')
        expect(early.events).toEqual([])
        await ended(early)
      })

      it('[NET-1] [TEST-50] asks for the subprotocols, and sends headers where it can', async () => {
        const connection = await connectOpen(
          { does: 'tell' },
          {
            protocols: ['first', 'second'],
            headers: harness.isNode ? { 'x-compliance': 'yes' } : {},
          },
        )
        const [told] = await received(connection, 1)
        expect(JSON.parse(String(told))).toEqual({
          protocol: 'first',
          header: harness.isNode ? 'yes' : null,
        })
      })

      it('[NET-1] [TEST-48] tells that nobody is there', async () => {
        const connection = connect({ does: 'refuse' })
        const failure = await ended(connection)
        expect(failure).toMatchObject({
          code: 'network',
          ...(harness.isNode && { systemCode: 'ECONNREFUSED' }),
        })
        expect(connection.events).toEqual(['closed'])
      })

      it('[NET-1] [TEST-48] tells an HTTP answer, and when to come back', async () => {
        const connection = connect({ does: 'reject', status: 503, retryAfterS: 7 })
        const failure = await ended(connection)
        expect(failure).toMatchObject(
          harness.isNode
            ? { code: 'upgrade-refused', status: 503, retryAfterMs: 7_000 }
            : { code: 'network' },
        )
        expect(connection.events).toEqual(['closed'])
      })

      it('[NET-1] [TEST-48] tells an HTTP answer that does not say when', async () => {
        const failure = await ended(connect({ does: 'reject', status: 401 }))
        if (harness.isNode) expect(failure).toMatchObject({ code: 'upgrade-refused', status: 401 })
        expect(failure).not.toHaveProperty('retryAfterMs')
      })

      it.each([['ws://host:99999/'], ['ftp://host/'], ['ws://']])(
        '[NET-1] [TEST-48] makes an outcome, not a throw, of the address "%s"',
        async (address) => {
          const connection = connect(`${address}?token=${TOKEN}`)
          expect(await ended(connection)).toMatchObject({ code: expect.any(String) as string })
          expect(connection.events).toEqual(['closed'])
          connection.socket.send('harmless')
          connection.socket.close(1000, '')
        },
      )
    })

    describe('frames', () => {
      it.each([
        ['text', 'hello'],
        ['no text at all', ''],
        ['unicode', '\u0000 é 漢字 👩‍👩‍👧‍👦 \ufffd \u2028'],
        ['a mebibyte of text', 'x'.repeat(1024 * 1024)],
      ])('[NET-1] [TEST-42] carries %s both ways', async (_, text) => {
        expect(await echoed(text)).toBe(text)
      })

      it.each([
        ['bytes', Uint8Array.of(0, 1, 127, 128, 255)],
        ['no bytes at all', new Uint8Array()],
        ['a part of a buffer', new Uint8Array(Uint8Array.of(9, 8, 7, 6).buffer, 1, 2)],
        ['a mebibyte of bytes', new Uint8Array(1024 * 1024).fill(0xa5)],
      ])('[NET-1] [TEST-42] carries %s both ways', async (_, bytes) => {
        const frame = await echoed(bytes)
        // Not toEqual, which is slow for a million items.
        expect(frame).toBeInstanceOf(Uint8Array)
        expect((frame as Uint8Array).byteLength).toBe(bytes.byteLength)
        expect((frame as Uint8Array).every((byte, at) => byte === bytes[at])).toBe(true)
      })

      it('[NET-1] [TEST-42] keeps the order of what is sent and received', async () => {
        const connection = await connectOpen({ does: 'echo' })
        const sent = Array.from({ length: 500 }, (_, at) =>
          at % 7 === 0 ? Uint8Array.of(at & 255, at >> 8) : `${at}:${'x'.repeat(at)}`,
        )
        for (const frame of sent) connection.socket.send(frame)
        expect(await received(connection, sent.length)).toEqual(sent)
      })

      it('[NET-1] [TEST-42] keeps the order of a burst', async () => {
        const connection = await connectOpen({ does: 'count', count: 1_000 })
        const expected = Array.from({ length: 1_000 }, (_, at) => String(at))
        expect(await received(connection, 1_000)).toEqual(expected)
      })

      it('[NET-1] [TEST-46] loses what is sent before it is open or after its end, harmlessly', async () => {
        const connection = connect({ does: 'echo' })
        connection.socket.send('too early')
        await harness.until(() => connection.events.length > 0)
        connection.socket.send('in time')
        expect(await received(connection, 1)).toEqual(['in time'])
        connection.socket.close(1000, '')
        connection.socket.send('too late')
        await ended(connection)
        connection.socket.send('much too late')
        await harness.settle()
        expect(connection.events).toEqual(['opened', 'received', 'closed'])
      })

      it('[NET-1] [TEST-47] takes a message as large as the limit', async () => {
        const connection = await connectOpen(
          { does: 'sendBytes', bytes: 1_001 },
          { maxMessageBytes: 1_001 },
        )
        expect(await received(connection, 1)).toEqual([textOfBytes(1_001)])
        connection.socket.send('still there')
        expect((await received(connection, 2))[1]).toBe('still there')
      })

      it('[NET-1] [TEST-47] ends with a message over the limit, and names the limit', async () => {
        const connection = await connectOpen(
          { does: 'sendBytes', bytes: 1_001 },
          { maxMessageBytes: 1_000 },
        )
        const failure = await ended(connection)
        expect(failure).toMatchObject({ code: 'message-too-large', limitBytes: 1_000 })
        expect(failure.message).toContain('1000')
        expect(connection.events).toEqual(['opened', 'closed'])
      })
    })

    describe('the end, by the peer', () => {
      it.each([
        [1000, 'done'],
        [1001, ''],
        [1011, 'an error'],
        [1012, 'restarting'],
        [3999, 'mine'],
        [4001, 'No token provided'],
      ])('[NET-1] [TEST-43] carries the code %d and the reason "%s"', async (closeCode, reason) => {
        const connection = await connectOpen({ does: 'close', closeCode, reason })
        const failure = await ended(connection)
        expect(failure).toMatchObject({ code: 'closed', closeCode, reason })
        expect(connection.events).toEqual(['opened', 'closed'])
      })

      it('[NET-1] [TEST-43] delivers what was sent before the end, before the end', async () => {
        const connection = connect({ does: 'count', count: 100, closeCode: 4000 })
        expect(await ended(connection)).toMatchObject({ closeCode: 4000 })
        expect(connection.frames).toHaveLength(100)
        expect(connection.events.at(-1)).toBe('closed')
      })

      it('[NET-1] [TEST-43] tells a connection that broke off as 1006', async () => {
        const connection = await connectOpen({ does: 'drop' })
        expect(await ended(connection)).toMatchObject({ code: 'closed', closeCode: 1006 })
      })
    })

    describe('the end, by us', () => {
      it('[NET-1] [TEST-44] closes with a handshake, which carries our code and reason', async () => {
        const connection = await connectOpen({ does: 'echo' })
        connection.socket.close(4321, 'bye')
        expect(await ended(connection)).toMatchObject({
          code: 'closed',
          closeCode: 4321,
          reason: 'bye',
        })
      })

      it('[NET-1] [TEST-46] takes a second close or terminate for none', async () => {
        const connection = await connectOpen({ does: 'echo' })
        connection.socket.close(4321, 'bye')
        connection.socket.close(4322, 'again')
        expect(await ended(connection)).toMatchObject({ closeCode: 4321 })
        connection.socket.close(1000, '')
        connection.socket.terminate()
        await harness.settle()
        expect(connection.events).toEqual(['opened', 'closed'])
      })

      it.each(['echo', 'staySilent', 'refuse'] as const)(
        '[NET-1] [TEST-44] gives an attempt up when closed before it is open: %s',
        async (does) => {
          const connection = connect({ does })
          connection.socket.close(1000, 'changed my mind')
          await ended(connection)
          await harness.settle()
          expect(connection.events).toEqual(['closed'])
        },
      )

      it.each(['echo', 'staySilent', 'refuse'] as const)(
        '[NET-1] [TEST-45] terminates an attempt that is not open: %s',
        async (does) => {
          const connection = connect({ does })
          connection.socket.terminate()
          await ended(connection)
          await harness.settle()
          expect(connection.events).toEqual(['closed'])
        },
      )

      it('[NET-1] [TEST-45] terminates an open connection at once', async () => {
        const connection = await connectOpen({ does: 'echo' })
        connection.socket.send('an answer to this comes too late')
        connection.socket.terminate()
        expect(await ended(connection)).toMatchObject({ code: 'closed', closeCode: 1006 })
        await harness.settle()
        expect(connection.events).toEqual(['opened', 'closed'])
      })

      it('[NET-1] [TEST-45] terminates the connection to a peer that never completes the closing handshake', async () => {
        const connection = await connectOpen({ does: 'neverClose' })
        connection.socket.close(1000, '')
        await harness.settle()
        expect(connection.events).toEqual(['opened'])
        connection.socket.terminate()
        expect(await ended(connection)).toMatchObject({ code: 'closed', closeCode: 1006 })
      })
    })

    // afterEach looks for secrets in every failure of every test. These failures are the likeliest
    // to have one.
    it.each([
      { does: 'refuse' },
      { does: 'reject', status: 403 },
      { does: 'close', closeCode: 4002, reason: `Invalid token ${TOKEN}` },
      { does: 'drop' },
    ] as const)('[NET-5] [TEST-49] tells no URL, token or reason: $does', async (play) => {
      const connection = connect(play)
      expect((await ended(connection)).message).toMatch(/^[\w (),.-]+$/)
    })

    it('[NET-1] [NET-2] tells each of many attempts apart, however fast they come and go', async () => {
      // No more than this: with sixteen attempts at once Chromium delays each of them by seconds.
      const connections = Array.from({ length: 12 }, (_, at) => {
        const connection = connect(at % 4 === 0 ? { does: 'refuse' } : { does: 'echo' })
        if (at % 3 === 0) connection.socket.close(1000, '')
        if (at % 5 === 0) connection.socket.terminate()
        return connection
      })
      const isToOpen = (at: number) => at % 4 > 0 && at % 3 > 0 && at % 5 > 0
      await harness.until(() =>
        connections.every(({ events }, at) => events.includes(isToOpen(at) ? 'opened' : 'closed')),
      )
      const opened = connections.filter((_, at) => isToOpen(at))
      expect(opened).toHaveLength(4)
      for (const [at, { socket }] of opened.entries()) socket.send(String(at))
      await harness.until(() => opened.every(({ frames }) => frames.length === 1))
      expect(opened.map(({ frames }) => frames[0])).toEqual(opened.map((_, at) => String(at)))
    })
  })
}

function expectWellTold({ events, failures, frames }: Connection): void {
  expect(failures, '[TEST-41] closed exactly once').toHaveLength(1)
  expect(events.at(-1), '[TEST-41] closed last').toBe('closed')
  const opened = events.filter((event) => event === 'opened')
  expect(opened.length, '[TEST-41] opened at most once').toBeLessThanOrEqual(1)
  if (frames.length > 0) expect(events[0], '[TEST-41] opened before any frame').toBe('opened')
  const [failure] = failures
  if (failure === undefined) return
  // The reason is the peer's text, and has its own field. The message is the library's text.
  const reason = 'reason' in failure ? failure.reason : ''
  for (const secret of [TOKEN, encodeURIComponent(TOKEN), 'ws:', '/ws', reason]) {
    if (secret !== '') expect(failure.message, '[TEST-49] no secret').not.toContain(secret)
  }
}
