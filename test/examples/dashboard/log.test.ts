import type { AnyMessage, InvalidFrame, MessageMeta } from 'statewire'
import type { kull } from 'statewire/kull'
import { describe, expect, it } from 'vitest'
import {
  clip,
  invalidText,
  messageText,
  signed,
  unknownText,
} from '../../../examples/dashboard/page/log-text.js'
import { createMessageLog } from '../../../examples/dashboard/page/message-log.js'

type KullMessage = AnyMessage<typeof kull.receive>
type Said = KullMessage extends infer M ? (M extends KullMessage ? Omit<M, 'meta'> : never) : never

const meta: MessageMeta = { timestamp: 1, deviceId: 'server', userId: undefined }

describe('a line of the log', () => {
  it.each<[Said, string]>([
    [
      {
        type: 'SHOOT_PROGRESS',
        data: {
          shootId: 'harbour',
          status: 'processing',
          processedCount: 3,
          totalCount: 8,
          currentImage: 'IMG_0003.jpg',
        },
      },
      'harbour · processing · 3/8 · IMG_0003.jpg',
    ],
    [
      {
        type: 'SHOOT_PROGRESS',
        data: { shootId: 'old', status: 'failed', progress: 0.5, errorMessage: 'Disk full' },
      },
      'old · failed · 50% · Disk full',
    ],
    [{ type: 'SHOOT_PROGRESS', data: { shootId: 'new', status: 'queued' } }, 'new · queued · 0%'],
    [
      { type: 'CREDIT_UPDATE', data: { userId: 'ada', newBalance: 480, change: -20, reason: '' } },
      '−20 → 480',
    ],
    [
      {
        type: 'CREDIT_UPDATE',
        data: { userId: 'ada', newBalance: 500, change: 100, reason: 'Top-up' },
      },
      '+100 → 500 · Top-up',
    ],
    [{ type: 'PROMPT_CHANGE', data: { promptId: 'warm', action: 'voted' } }, 'warm · voted'],
    [{ type: 'DEVICE_CONNECTED', data: { deviceId: 'mac' } }, 'mac'],
    [
      {
        type: 'DEVICE_DISCONNECTED',
        data: { deviceId: 'ABC', deviceName: "Ada's iPad", platform: 'iPadOS' },
      },
      "ABC · Ada's iPad · iPadOS",
    ],
    [
      {
        type: 'ADMIN_SESSION_UPDATE',
        data: { sessionId: 's-1', action: 'new_message', messageCount: 3, userEmail: 'a@b.c' },
      },
      's-1 · new message · 3 messages · a@b.c',
    ],
    [
      { type: 'ADMIN_SESSION_UPDATE', data: { sessionId: 's-1', action: 'session_updated' } },
      's-1 · session updated',
    ],
    [{ type: 'PONG', data: undefined }, ''],
  ])('[DEMO-6] sums up %o', (message, text) => {
    expect(messageText({ ...message, meta })).toBe(text)
  })

  it('[DEMO-6] shows the data of an unknown type as it came, cut short', () => {
    const unknown = (data: unknown) => unknownText({ type: 'STUDIO_WEATHER', data, meta })
    expect(unknown({ sky: '<b>clear</b>' })).toBe('{"sky":"<b>clear</b>"}')
    expect(unknown(undefined)).toBe('')
    expect(unknown('x'.repeat(500))).toHaveLength(120)
  })

  it('[DEMO-6] shows why a frame is invalid, and how it begins', () => {
    const frame: InvalidFrame = { reason: 'not-json', detail: 'is not JSON', raw: '{"a' }
    expect(invalidText(frame)).toBe('is not JSON: {"a')
    expect(invalidText({ ...frame, reason: 'not-text', raw: new Uint8Array(7) })).toContain(
      '7 bytes',
    )
  })
})

it('signs changes so that they line up', () => {
  expect([5, -5, 0].map(signed)).toEqual(['+5', '−5', '0'])
})

it('clips at 120 characters and says so', () => {
  expect(clip('x'.repeat(120))).toBe('x'.repeat(120))
  expect(clip('x'.repeat(121))).toBe(`${'x'.repeat(119)}…`)
})

it('[DEMO-6] keeps the latest lines, the newest first, and counts them all', () => {
  const log = createMessageLog(3)
  for (const title of ['A', 'B', 'C', 'D', 'E'])
    log.add({ at: 0, kind: 'message', title, text: '' })
  expect(log.lines.map(({ id, title }) => `${id}${title}`)).toEqual(['5E', '4D', '3C'])
  expect(log.total).toBe(5)

  const before = log.lines
  log.clear()
  expect(log.lines).toEqual([])
  expect(before).toHaveLength(3)
  log.add({ at: 0, kind: 'message', title: 'F', text: '' })
  expect(log.lines.map(({ id }) => id)).toEqual([6])
})
