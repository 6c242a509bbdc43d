import { describe, expect, it } from 'vitest'
import type { RawFrame } from '../../src/schemas/message.js'
import { createFrameReader } from '../../src/transport/frame-reader.js'

describe('the way in', () => {
  it('[CLI-1] [NET-6] reads what can be decoded, and shows the rest with its reason', () => {
    const read: [value: unknown, raw: RawFrame][] = []
    const invalid: { reason: string; raw: RawFrame }[] = []
    const inbound = createFrameReader(
      (value, raw) => read.push([value, raw]),
      (frame) => invalid.push(frame),
    )
    const bytes = new Uint8Array([1])
    const deep = '['.repeat(10_000)
    for (const raw of ['{"type":"A"}', bytes, 'no', ' null', deep]) inbound(raw)
    expect(read).toEqual([
      [{ type: 'A' }, '{"type":"A"}'],
      [null, ' null'],
    ])
    expect(invalid).toMatchObject([
      { reason: 'not-text', raw: bytes },
      { reason: 'not-json', raw: 'no' },
      { reason: 'too-deep', raw: deep },
    ])
  })
})
