import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { receive, send } from '../../src/schemas/kull.js'
import { createEnvelope } from '../../src/schemas/envelope.js'
import type { Schema } from '../../src/schemas/schema.js'
import { arbitraryValue } from '../../src/testing/arbitraries.js'
import { decodeJson, encodeJson } from '../../src/transport/json-codec.js'
import { read } from './read.js'

interface Sent extends Record<string, unknown> {
  readonly data?: object
  readonly payload?: object
}

const envelope = createEnvelope()
const meta = fc.record({
  timestamp: fc.option(fc.nat(), { nil: undefined }),
  deviceId: fc.option(fc.string(), { nil: undefined }),
  userId: fc.option(fc.string(), { nil: undefined }),
})

describe.each([
  ['toClient', receive],
  ['toServer', send],
] as const)('messages %s', (side, schemas) => {
  it.each(Object.entries<Schema | null>(schemas))(
    '[SCH-2] %s is decoded as it was encoded, and encodes again to the same frame',
    (type, schema) => {
      const body = schema === null ? fc.constant(undefined) : arbitraryValue(schema)
      let decoded = 0
      fc.assert(
        fc.property(body, meta, (data, about) => {
          const encoded = encodeJson(envelope[side].seal(type, data, about))
          if (!encoded.ok) return
          const { data: sent, payload = sent, ...beside } = JSON.parse(encoded.frame) as Sent
          for (const part of [beside, payload ?? {}]) {
            expect(Object.values(part)).not.toContain(null)
          }
          const frame = decodeJson(encoded.frame)
          const { messages, invalid } = read(schemas, [frame.ok && frame.value], { side })
          expect(invalid).toEqual([])
          expect(messages).toEqual([{ type, data, meta: about }])
          const again = envelope[side].seal(type, messages[0]?.data, messages[0]?.meta)
          expect(JSON.parse(JSON.stringify(again))).toEqual(JSON.parse(encoded.frame))
          decoded += 1
        }),
      )
      expect(decoded).toBe(100)
    },
  )
})

describe('what the deployed server and older senders do', () => {
  function accept(type: keyof typeof receive, ...bodies: unknown[]): void {
    const frames = bodies.map((data) => ({ type, data }))
    const { messages, invalid } = read(receive, frames)
    expect(invalid).toEqual([])
    expect(messages.map(({ data }) => data)).toEqual(bodies)
  }

  it('[SCH-4] progress without counts, beyond them, in fractions, of nothing', () => {
    const shoot = { shootId: 's', status: 'processing' }
    accept(
      'SHOOT_PROGRESS',
      { ...shoot, progress: 0.5 },
      { ...shoot, progress: 17 },
      { ...shoot, processedCount: 12, totalCount: 10, provider: 'p' },
      { ...shoot, processedCount: 0.5, totalCount: 1.5, eta: 36.16 },
      { ...shoot, processedCount: 0, totalCount: 0 },
      shoot,
    )
  })

  it('[SCH-4] presence with only a device id and a time, or with all that the contract says', () => {
    const full = { deviceId: 'd', platform: 'iOS', deviceName: 'n', connectedAt: 5 }
    for (const type of ['DEVICE_CONNECTED', 'DEVICE_DISCONNECTED'] as const) {
      accept(type, { deviceId: 'd', timestamp: 5 }, { deviceId: 'd' }, full)
      accept(type, { ...full, connectedAt: '2026-11-23T18:00:00Z' })
    }
  })

  it('[SCH-4] a PONG of just a type and a time', () => {
    const { order, invalid } = read(receive, [{ type: 'PONG', timestamp: 5 }])
    expect([order, invalid]).toEqual([['PONG', 'pong'], []])
  })

  it('[SCH-4] a ping with a time, without one, and without a payload', () => {
    const frames = [{ timestamp: 5 }, {}, undefined].map((payload) => ({ type: 'PING', payload }))
    expect(read(send, frames, { side: 'toServer' }).invalid).toEqual([])
  })

  it('[SCH-4] an empty reason, and admin updates with and without a user', () => {
    accept('CREDIT_UPDATE', { userId: 'u', newBalance: 480, change: -20, reason: '' })
    const admin = { sessionId: 's', action: 'session_updated' }
    accept('ADMIN_SESSION_UPDATE', admin, {
      ...admin,
      userId: 'u',
      userEmail: 'e',
      messageCount: 2,
    })
    accept('PROMPT_CHANGE', { promptId: 'p', action: 'deleted' })
  })

  it.each([
    ['SHOOT_PROGRESS', { shootId: 's', status: 'paused' }],
    ['SHOOT_PROGRESS', { status: 'processing' }],
    ['SHOOT_PROGRESS', { shootId: 's', status: 'processing', processedCount: '5' }],
    ['SHOOT_PROGRESS', { shootId: 's', status: 'processing', processedCount: Infinity }],
    ['CREDIT_UPDATE', { newBalance: 480, change: -20, reason: '' }],
    ['PROMPT_CHANGE', { promptId: 'p', action: 'renamed' }],
    ['DEVICE_CONNECTED', {}],
    ['DEVICE_CONNECTED', undefined],
    ['ADMIN_SESSION_UPDATE', { sessionId: 's' }],
  ])('[SCH-4] but no %s of %j', (type, data) => {
    expect(read(receive, [{ type, data }]).order).toEqual(['invalid schema-mismatch'])
  })
})
