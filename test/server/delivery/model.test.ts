import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import * as z from 'zod'
import { defineProtocol } from '../../../src/schemas/protocol.js'
import { resolveDeliveryOptions } from '../../../src/server/delivery/options.js'
import type { SubscriberConnection, Subscription } from '../../../src/server/delivery/port.js'
import { ServerDelivery } from '../../../src/server/delivery/server-delivery.js'
import { Presence } from '../../../src/server/presence.js'
import type { DeliveryLog } from '../../../src/server/index.js'
import { createMemoryLog } from '../../../src/server/index.js'
import { Reporting } from '../../../src/server/reporting.js'
import { createManualClock } from '../../../src/testing/clock.js'
import { turn } from './support.js'

const lines = z.object({ lines: z.array(z.string()) })
const protocol = defineProtocol({
  receive: { SAID: z.object({ text: z.string() }) },
  send: {},
  coordinator: {
    initial: { lines: [] as string[] },
    fold: { SAID: (state, { data }) => ({ lines: [...state.lines, data.text] }) },
    checkpoint: { schema: lines, take: (state) => state, restore: (_draft, taken) => taken },
  },
})

/** The upgrade request of a client that asks for delivery. */
const request = { url: new URL('http://localhost/ws?caps=1'), headers: {} }

interface Said {
  readonly type: string
  readonly data?: Readonly<Record<string, unknown>>
  readonly seq?: number
  readonly epoch?: string
}

/** A client as docs/protocol.md wants it, as plainly as can be. */
class Client {
  readonly state: string[] = []
  cursor: { epoch: string; seq: number } | undefined
  hwm = 0
  acknowledged = 0
  broken = 0
  isAnswered = false

  hear({ type, data = {}, seq, epoch }: Said): void {
    if (type === '$snapshot') {
      this.cursor = { epoch: String(data['epoch']), seq: Number(data['seq']) }
      this.state.splice(0, this.state.length, ...(data['state'] as { lines: string[] }).lines)
    } else if (type === '$resumed' || type === '$reset') {
      this.isAnswered = true
      if (data['hwm'] !== undefined) this.hwm = Number(data['hwm'])
    } else if (type === '$ack') {
      this.hwm = Math.max(this.hwm, Number(data['n']))
      this.acknowledged = Math.max(this.acknowledged, this.hwm)
    } else if (seq !== undefined) {
      if (this.cursor?.epoch === epoch && seq === this.cursor!.seq + 1) {
        this.cursor = { epoch: epoch!, seq }
        this.state.push(String(data['text']))
      } else this.broken += 1
    }
  }
}

const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('send' as const),
      ahead: fc.constantFrom(0, 0, 0, 1, 2, -1, -2),
    }),
  },
  { weight: 3, arbitrary: fc.constant({ do: 'answer' as const, ahead: 0 }) },
  { weight: 1, arbitrary: fc.constant({ do: 'sendStale' as const, ahead: 0 }) },
  { weight: 1, arbitrary: fc.constant({ do: 'fail' as const, ahead: 0 }) },
  // Written, and the answer is lost.
  { weight: 1, arbitrary: fc.constant({ do: 'passSilently' as const, ahead: 0 }) },
  { weight: 2, arbitrary: fc.constant({ do: 'broadcast' as const, ahead: 0 }) },
  { weight: 2, arbitrary: fc.constant({ do: 'connect' as const, ahead: 0 }) },
  { weight: 1, arbitrary: fc.constant({ do: 'stall' as const, ahead: 0 }) },
  { weight: 1, arbitrary: fc.constant({ do: 'restart' as const, ahead: 0 }) },
)

describe('a server with delivery', () => {
  it('[DSRV-23] writes each message once and in order, whatever happens', async () => {
    const seen = {
      duplicates: 0,
      gaps: 0,
      fenced: 0,
      resets: 0,
      replayed: 0,
      logFailures: 0,
      restarts: 0,
      trimmed: 0,
    }
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 20, maxLength: 80, size: 'max' }),
        async (steps) => {
          const memory = createMemoryLog()
          const written: { seq: number; id?: string }[] = []
          let waiting: Record<'pass' | 'fail' | 'passSilently', () => void>[] = []
          // Each process has a log of its own, over the same memory.
          const openLog = (of: typeof waiting): DeliveryLog => ({
            open: (userId) => memory.open(userId),
            commit: (userId, change) =>
              new Promise<void>((resolve, reject) => {
                const write = () => {
                  void memory.commit(userId, change)
                  written.push(...(change.append ?? []))
                  if (change.trim !== undefined) seen.trimmed += 1
                }
                of.push({
                  pass() {
                    write()
                    resolve()
                  },
                  fail: () => reject(new Error('no')),
                  passSilently() {
                    write()
                    reject(new Error('late'))
                  },
                })
              }),
          })
          const client = new Client()
          let delivery!: ServerDelivery
          let subscriber: Subscription | undefined
          let stale: Subscription | undefined
          let connection:
            | (SubscriberConnection & { end(): void; stall(bytes: number): void })
            | undefined
          let broadcasts = 0

          function start(): void {
            const clock = createManualClock()
            waiting = []
            const log = openLog(waiting)
            delivery = new ServerDelivery({
              options: resolveDeliveryOptions({ log, maxEntries: 8, window: 8 }),
              protocol,
              envelope: protocol.envelope.toClient,
              clock,
              maxMessageBytes: 1,
              maxBufferedBytes: 2 ** 20,
              reporting: new Reporting(undefined, undefined, clock),
              members: { sendToPlain: () => 0, presence: new Presence() },
            })
          }

          function count(): void {
            const { counters } = delivery
            for (const name of [
              'duplicates',
              'gaps',
              'fenced',
              'resets',
              'replayed',
              'logFailures',
            ] as const) {
              seen[name] += counters[name]
            }
          }

          // The server has not noticed yet that the connection before is dead.
          function connect(): void {
            stale?.leave()
            stale = subscriber
            subscriber = undefined

            client.isAnswered = false
            const made = createFakeConnection((frame) => {
              if (connection === made) client.hear(frame)
            })
            connection = made
            const identity = { userId: 'ada', deviceId: 'mac' }
            void delivery
              .subscribe(request, identity, made, () => {})
              .then((subscription) => {
                if (connection !== made) {
                  subscription?.leave()
                  return
                }
                subscriber = subscription
                subscriber?.control('$resume', { ...client.cursor, cid: 'out', fence: 1 })
              })
          }

          function disconnect(): void {
            connection?.end()
            subscriber?.leave()
            stale?.leave()
            stale = undefined
            connection = undefined
            subscriber = undefined
          }

          function send(n: number, sender = subscriber): void {
            if (n < 1 || !client.isAnswered) return
            const relayed = { type: 'SAID', data: { text: `out/${n}` } }
            const input = { cid: 'out', n, message: relayed, relayed, handle() {} }
            sender?.receive({ kind: 'valid', ...input })
          }

          async function settle(): Promise<void> {
            do {
              for (const { pass } of waiting.splice(0)) pass()
              await turn()
            } while (waiting.length > 0)
          }

          start()
          for (const { do: what, ahead } of steps) {
            if (what === 'send') send(client.hwm + 1 + ahead)
            else if (what === 'sendStale') send(client.hwm + 1, stale)
            else if (what === 'connect') connect()
            else if (what === 'stall') connection?.stall(2 ** 19)
            else if (what === 'answer') waiting.shift()?.pass()
            else if (what === 'fail' || what === 'passSilently') waiting.shift()?.[what]()
            else if (what === 'broadcast') {
              broadcasts += 1
              delivery.broadcast('ada', [{ type: 'SAID', data: { text: `b${broadcasts}` } }])
            } else {
              disconnect()
              count()
              seen.restarts += 1
              // The process is gone, and with it what had not been written.
              start()
            }
            await turn()
          }
          await settle()
          connect()
          await settle()
          for (let n = client.hwm + 1; n <= client.hwm + 2; n += 1) send(n)
          await settle()
          count()

          expect(client.broken).toBe(0)
          expect(written.map(({ seq }) => seq)).toEqual(written.map((_, at) => at + 1))
          const ids = written.flatMap(({ id }) =>
            id === undefined ? [] : [Number(id.split('/')[1])],
          )
          // In order, each once, without a gap: and what was acknowledged is among them.
          expect(ids).toEqual(ids.map((_, at) => at + 1))
          expect(ids.length).toBeGreaterThanOrEqual(client.acknowledged)
          expect(client.hwm).toBe(ids.length)
          const kept = await memory.open('ada')
          expect(kept.messages.length).toBeLessThanOrEqual(8)
          expect(client.cursor!.seq).toBe(written.length)
          expect(client.state).toHaveLength(written.length)
          expect(client.state.filter((line) => line.startsWith('out/'))).toEqual(
            ids.map((n) => `out/${n}`),
          )
          disconnect()
        },
      ),
      { numRuns: 500 },
    )
    for (const [what, times] of Object.entries(seen))
      expect([what, times > 20]).toEqual([what, true])
  })
})

function createFakeConnection(
  heard: (frame: Said) => void,
): SubscriberConnection & { end(): void; stall(bytes: number): void } {
  let isOpen = true
  let buffered = 0
  let flushed = () => {}
  return {
    get isOpen() {
      return isOpen
    },
    get bufferedBytes() {
      return buffered
    },
    onFlushed(listener) {
      flushed = listener
    },
    send(frame) {
      if (isOpen) heard(JSON.parse(Buffer.from(frame).toString()) as Said)
      return isOpen
    },
    close() {
      isOpen = false
    },
    end() {
      isOpen = false
    },
    stall(bytes) {
      // It has gone out a little later.
      buffered = bytes
      setImmediate(() => {
        buffered = 0
        flushed()
      })
    },
  }
}
