import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bring, createHarness } from './harness.js'

describe('send', () => {
  it('[SEND-2] [SEND-5] is sent once handed to an open connection', async () => {
    const harness = createHarness()
    await bring(harness, 'connected')
    const receipt = harness.sync.send('SAY', { text: 'hello' })
    expect(receipt.type).toBe('SAY')
    expect(receipt.outcome).toEqual({ outcome: 'sent' })
    await expect(receipt.settled).resolves.toBe(receipt.outcome)
    await harness.settle()
    expect(harness.peer.messages).toMatchObject([{ type: 'SAY', data: { text: 'hello' } }])
  })

  it('[SEND-1] sends a type without payload without one', async () => {
    const harness = createHarness()
    await bring(harness, 'connected')
    harness.sync.send('BYE')
    await harness.settle()
    expect(harness.peer.messages.map(({ raw }) => raw)).toEqual(['{"type":"BYE"}'])
  })

  it('[SEND-3] [SEND-4] refuses what does not fit, and says why without the values', async () => {
    const harness = createHarness()
    await bring(harness, 'connected')
    const { sync } = harness
    const send = sync.send as (type: string, payload?: unknown) => ReturnType<typeof sync.send>
    for (const [type, payload] of [
      ['SAY', { text: 5 }],
      ['SAY', undefined],
      ['SAY', { text: 'x', tags: ['secret-value', 7] }],
      ['BYE', {}],
      ['NO_SUCH_TYPE', {}],
      ['__proto__', {}],
    ] as const) {
      const { outcome } = send(type, payload)
      expect(outcome).toMatchObject({ outcome: 'notSent', reason: 'invalid' })
      expect(JSON.stringify(outcome)).not.toContain('secret-value')
    }
    await harness.settle()
    expect(harness.peer.messages).toEqual([])
    expect(harness.sync.isConnected).toBe(true)
  })

  it('[SEND-4] leaves out unknown fields and what has no value', async () => {
    const harness = createHarness()
    await bring(harness, 'connected')
    const payload = { text: 'hello', tags: undefined, unknown: 1 }
    harness.sync.send('SAY', payload)
    await harness.settle()
    expect(harness.peer.messages.map(({ raw }) => raw)).toEqual([
      '{"type":"SAY","payload":{"text":"hello"}}',
    ])
  })

  it('[SEND-4] never sends null for undefined, whatever the payload', async () => {
    let sent = 0
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          text: fc.string(),
          tags: fc.option(fc.array(fc.string()), { nil: undefined }),
        }),
        async (payload) => {
          const harness = createHarness()
          await bring(harness, 'connected')
          harness.sync.send('SAY', payload)
          await harness.settle()
          const [message] = harness.peer.messages
          expect(message?.data).toEqual(JSON.parse(JSON.stringify(payload)))
          sent += 1
        },
      ),
      { numRuns: 50 },
    )
    expect(sent).toBe(50)
  })

  it('[SEND-6] is full when too much waits in the socket', async () => {
    const harness = createHarness({ maxBufferedBytes: 100 })
    await bring(harness, 'connected')
    expect(harness.sync.send('SAY', { text: 'x'.repeat(200) }).outcome).toMatchObject({
      outcome: 'notSent',
      reason: 'full',
    })
    expect(harness.sync.send('SAY', { text: 'x' }).outcome).toEqual({ outcome: 'sent' })
    await harness.settle()
    expect(harness.peer.messages).toHaveLength(1)
  })
})
