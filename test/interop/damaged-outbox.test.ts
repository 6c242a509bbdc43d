import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createSyncClient, defineProtocol, type SyncError } from 'statewire'
import { createDelivery } from 'statewire/delivery'
import { createSqliteDatabase } from 'statewire/storage/sqlite'
import { createFakeTransport, createManualClock } from 'statewire/testing'
import { expect, it } from 'vitest'
import * as z from 'zod'
import { makeFolder } from '../database/folder.js'

const chat = defineProtocol({ receive: {}, send: { SAY: z.object({ text: z.string() }) } })
const MESSAGES = 60

/** A run of a client that never connects, on the outbox of the runs before. */
function run(path: string) {
  const clock = createManualClock()
  const errors: SyncError[] = []
  const onError = (error: SyncError): unknown => errors.push(error)
  const database = createSqliteDatabase(path, { clock, onError })
  const sync = createSyncClient(chat, {
    url: 'ws://server.test/ws',
    clock,
    transport: createFakeTransport({ clock, protocol: chat }),
    delivery: createDelivery({ database }),
    onError,
  })
  return {
    clock,
    errors,
    sync,
    say: (text: string) => sync.send('SAY', { text }),
    async end(): Promise<void> {
      sync.dispose()
      await sync.disposed
      await database.close()
    },
  }
}

it.each([0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9])(
  '[DB-13] [KEEP-12] keeps the messages that a flipped byte at %f of the file has left',
  async (at) => {
    const path = join(makeFolder(), 'outbox.db')
    const first = run(path)
    const receipts = Array.from({ length: MESSAGES }, (_, n) =>
      first.say(`message ${n}`.repeat(20)),
    )
    expect(await Promise.all(receipts.map(({ durable }) => durable))).not.toContain(false)
    await first.end()

    const bytes = readFileSync(path)
    const offset = Math.floor(bytes.length * at)
    bytes.writeUInt8(bytes.readUInt8(offset) ^ 0x10, offset)
    writeFileSync(path, bytes)

    const second = run(path)
    await second.clock.advanceAsync(0)
    const { depth, isDurable } = second.sync.outbox.status
    const codes = second.errors.map(({ code }) => code)
    // Nothing is lost silently, and a byte costs no more than the page that it is in.
    expect(codes).toEqual(depth < MESSAGES ? ['storage-damaged'] : expect.any(Array))
    expect(depth).toBeGreaterThan(MESSAGES - 15)
    expect(isDurable).toBe(true)
    expect(await second.say('later').durable).toBe(true)
    await second.end()
    const third = run(path)
    await third.clock.advanceAsync(0)
    expect(third.sync.outbox.status.depth).toBe(depth + 1)
    await third.end()
  },
)
