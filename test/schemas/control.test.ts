import { describe, expect, it } from 'vitest'
import type * as z from 'zod/mini'
import { toClient, toServer } from '../../src/schemas/control.js'
import { isControlType } from '../../src/schemas/control-type.js'
import type { MessageMeta } from '../../src/schemas/envelope.js'
import { createValidate } from '../../src/schemas/schema.js'
import { read } from './read.js'

const fits = (schema: z.core.$ZodType, value: unknown) => createValidate(schema)(value).ok

describe('control frames of delivery', () => {
  it('are told from messages by the first letter of their type', () => {
    expect(['$ack', '$'].every(isControlType)).toBe(true)
    expect(['', 'ack', 'a$', ' $ack'].some(isControlType)).toBe(false)
  })

  it('count with whole numbers from 0', () => {
    for (const n of [0, 1, Number.MAX_SAFE_INTEGER]) {
      expect(fits(toClient.$ack, { cid: 'c', n })).toBe(true)
    }
    for (const n of [-1, 0.5, Number.NaN, 2 ** 53, '1', null, undefined]) {
      expect(fits(toClient.$ack, { cid: 'c', n })).toBe(false)
    }
  })

  it('may leave out what their sender does not know', () => {
    expect(fits(toServer.$resume, {})).toBe(true)
    expect(fits(toServer.$resume, { seq: -1 })).toBe(false)
    expect(fits(toClient.$resumed, { epoch: 'e', head: 0 })).toBe(true)
    expect(fits(toClient.$resumed, { epoch: 'e', head: 0, hwm: 2, refused: [[1, 'no']] })).toBe(
      true,
    )
    expect(fits(toClient.$resumed, { epoch: 'e', head: 0, refused: [[-1, 'no']] })).toBe(false)
    expect(fits(toClient.$reset, { why: 'later', epoch: 'e', head: 0 })).toBe(false)
  })
})

describe('a gate', () => {
  const frames = [
    { type: '$ack', data: 1 },
    { type: 'SAID', seq: 1, epoch: 'e' },
    { type: 'SAID', seq: 2, epoch: 'e' },
    { type: 'NEW' },
  ]

  it('hears control frames, and decides which messages are read', () => {
    const heard: unknown[] = []
    const asked: MessageMeta[] = []
    const gate = {
      admits(meta: MessageMeta) {
        asked.push(meta)
        return meta.seq !== 1
      },
      hear: (type: string, body: unknown) => heard.push([type, body]),
    }
    const { order, messages } = read({ SAID: null }, frames, { gate })
    expect(heard).toEqual([['$ack', 1]])
    expect(asked.map(({ seq }) => seq)).toEqual([1, 2, undefined])
    expect(order).toEqual(['SAID', 'unknown NEW'])
    expect(messages[0]?.meta.seq).toBe(2)
  })

  it('is missed by nobody without delivery: control frames are unknown types there', () => {
    const { order } = read({ SAID: null }, frames)
    expect(order).toEqual(['unknown $ack', 'SAID', 'SAID', 'unknown NEW'])
  })
})
