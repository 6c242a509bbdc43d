import { describe, expect, it } from 'vitest'
import * as z from 'zod/mini'
import { createEnvelope, type Envelope } from '../../src/schemas/envelope.js'
import { read } from './read.js'

const schemas = { SAID: z.object({ text: z.string() }), PING: null, PONG: null, BYE: null }
const said = (text: unknown) => ({ type: 'SAID', data: { text } })

describe('the standard envelope', () => {
  const { toClient, toServer } = createEnvelope()

  it('[ENV-1] is `type` and `data` with who and when to a client, and `type` and `payload` to a server', () => {
    const meta = { timestamp: 5, deviceId: 'server', userId: 'u' }
    const frame = { type: 'SAID', data: { text: 'x' }, ...meta }
    expect(toClient.seal('SAID', { text: 'x' }, meta)).toEqual(frame)
    expect(toClient.open(frame)).toEqual({
      kind: 'message',
      type: 'SAID',
      body: { text: 'x' },
      meta,
    })
    expect(toServer.seal('SAY', { text: 'x' })).toEqual({ type: 'SAY', payload: { text: 'x' } })
    expect(toServer.open({ type: 'SAY', payload: 1, data: 2 })).toMatchObject({ body: 1 })
    expect(JSON.stringify(toServer.seal('BYE', undefined))).toBe('{"type":"BYE"}')
  })

  it('[ENV-1] takes a frame of just a type and data, and one of just a type', () => {
    const { messages } = read(schemas, [said('x'), { type: 'BYE' }])
    const meta = { timestamp: undefined, deviceId: undefined, userId: undefined }
    expect(messages).toEqual([
      { type: 'SAID', data: { text: 'x' }, meta },
      { type: 'BYE', data: undefined, meta },
    ])
  })

  it('[ENV-2] treats who and when of the wrong kind as absent', () => {
    const odd = { ...said('x'), timestamp: 'today', deviceId: null, userId: 7 }
    expect(read(schemas, [odd]).messages).toMatchObject([
      {
        data: { text: 'x' },
        meta: { timestamp: undefined, deviceId: undefined, userId: undefined },
      },
    ])
  })

  it.each([null, 5, 'SAID', true, [], [said('x')], {}, { type: 5 }, { type: '' }, { data: {} }])(
    '[ENV-3] finds no message in %j',
    (frame) => {
      const { invalid, messages } = read(schemas, [frame])
      expect(messages).toEqual([])
      expect(invalid).toMatchObject([{ reason: 'envelope-mismatch', raw: JSON.stringify(frame) }])
    },
  )

  it.each<[frame: unknown, detail: string]>([
    [null, 'the frame is not an object'],
    [5, 'the frame is not an object'],
    ['SAID', 'the frame is not an object'],
    [[], 'the frame is not an object'],
    [{}, 'the frame has no "type"'],
    [{ type: 5 }, 'the frame has no "type"'],
    [{ type: '' }, 'the frame has no "type"'],
    [{ type: 'BATCH', messages: {} }, 'BATCH without a "messages" array'],
  ])('[ENV-3] says what is missing in %j', (frame, detail) => {
    expect(toClient.open(frame)).toEqual({ kind: 'invalid', detail })
  })
})

describe('the numbers of delivery', () => {
  const { toClient, toServer } = createEnvelope()
  const meta = (frame: object): unknown => {
    const opened = toClient.open({ type: 'SAID', ...frame })
    return opened.kind === 'message' ? opened.meta : opened
  }

  it('[ENV-9] stand beside the data', () => {
    const numbers = { seq: 5, epoch: 'e', id: 'cid/1' }
    expect(toClient.seal('SAID', 1, numbers)).toEqual({ type: 'SAID', data: 1, ...numbers })
    expect(meta(numbers)).toMatchObject(numbers)
    const sent = toServer.seal('SAY', 1, { cid: 'c', n: 3 })
    expect(sent).toEqual({ type: 'SAY', payload: 1, cid: 'c', n: 3 })
    expect(toServer.open(sent)).toMatchObject({ meta: { cid: 'c', n: 3 } })
  })

  it('[ENV-9] stand without an id that is no text', () => {
    expect(meta({ seq: 5, epoch: 'e', id: 7 })).not.toHaveProperty('id')
  })

  it.each([
    { seq: 5 },
    { epoch: 'e' },
    { seq: '5', epoch: 'e' },
    { seq: 0, epoch: 'e' },
    { seq: 1.5, epoch: 'e' },
    { seq: 5, epoch: 7 },
    { n: 3 },
    { n: -1, cid: 'c' },
    { n: 3, cid: null },
  ])('[ENV-9] are none where they are not whole: %j', (frame) => {
    const read = meta(frame) as Record<string, unknown>
    expect([read['seq'], read['epoch'], read['n'], read['cid']]).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
    ])
  })
})

describe('a batch', () => {
  const batch = (...messages: unknown[]) => ({ type: 'BATCH', messages, timestamp: 9 })

  it('[ENV-4] is unpacked in order, batches in it too', () => {
    const frames = [said('a'), batch(said('b'), batch(said('c'), { type: 'PONG' })), said('d')]
    const { order, messages } = read(schemas, [batch(...frames), said('e')])
    expect(messages.map(({ data }) => (data as { text?: string } | undefined)?.text)).toEqual([
      'a',
      'b',
      'c',
      undefined,
      'd',
      'e',
    ])
    expect(order).toEqual(['SAID', 'SAID', 'SAID', 'PONG', 'pong', 'SAID', 'SAID'])
  })

  it('[ENV-4] loses nothing but the message that could not be read', () => {
    const frame = batch(said('a'), null, said(5), { type: 'NEW', data: 1 }, said('b'))
    const { order, invalid } = read(schemas, [frame])
    expect(order).toEqual([
      'SAID',
      'invalid envelope-mismatch',
      'invalid schema-mismatch',
      'unknown NEW',
      'SAID',
    ])
    for (const { raw } of invalid) expect(raw).toBe(JSON.stringify(frame))
  })

  it('[ENV-4] may be empty, and is one invalid frame where it holds no list', () => {
    expect(read(schemas, [batch()]).order).toEqual([])
    const odd = [{ type: 'BATCH' }, { type: 'BATCH', messages: {} }]
    expect(read(schemas, odd).order).toEqual([
      'invalid envelope-mismatch',
      'invalid envelope-mismatch',
    ])
  })

  it('[ENV-5] is refused where it nests deeper than eight batches', () => {
    const nest = (depth: number): unknown => (depth === 0 ? said('x') : batch(nest(depth - 1)))
    expect(read(schemas, [nest(8)]).order).toEqual(['SAID'])
    expect(read(schemas, [nest(9)]).invalid).toMatchObject([
      { reason: 'too-deep', detail: 'batches nest deeper than 8' },
    ])
    expect(read(schemas, [batch(said('a'), nest(9), said('b'))]).order).toEqual([
      'SAID',
      'invalid too-deep',
      'SAID',
    ])
  })

  it('[ENV-4] is wrapped as it is unwrapped', () => {
    const { toClient } = createEnvelope()
    const sealed = toClient.batch?.([toClient.seal('SAID', { text: 'a' })], { timestamp: 9 })
    expect(sealed).toEqual(batch(said('a')))
  })
})

describe('control frames', () => {
  it('[ENV-6] are told apart whatever is in them', () => {
    const odd = [
      { type: 'PONG', timestamp: 5 },
      { type: 'PONG', data: [[]] },
      { type: 'PING', data: 'x', payload: 5 },
    ]
    expect(read(schemas, odd).order).toEqual(['PONG', 'pong', 'PONG', 'pong', 'PING', 'ping'])
  })

  it('[ENV-6] count also where the protocol does not list them, or their body does not fit', () => {
    const pong = { type: 'PONG', data: 5 }
    expect(read({}, [pong, { type: 'PING' }]).order).toEqual(['pong', 'ping'])
    expect(read({ PONG: z.string() }, [pong]).order).toEqual(['invalid schema-mismatch', 'pong'])
  })

  it('[ENV-6] have the types that the protocol says, or none', () => {
    const frames = [{ type: 'PONG' }, { type: 'ja' }]
    const named = read({}, frames, { heartbeat: { ping: 'da?', pong: 'ja' } })
    expect(named.order).toEqual(['unknown PONG', 'pong'])
    expect(read({}, frames, { heartbeat: false }).order).toEqual(['unknown PONG', 'unknown ja'])
  })
})

describe('an envelope of another shape', () => {
  it('[ENV-7] has other field names by configuration', () => {
    const envelope = createEnvelope({
      type: 'kind',
      data: 'body',
      payload: 'args',
      batch: { type: 'MANY', frames: 'items' },
    })
    const frames = [{ kind: 'MANY', items: [{ kind: 'SAID', body: { text: 'x' } }] }]
    expect(read(schemas, frames, { envelope }).order).toEqual(['SAID'])
    expect(envelope.toServer.seal('SAY', 5)).toEqual({ kind: 'SAY', args: 5 })
    expect(envelope.toServer.batch?.([1])).toEqual({ kind: 'MANY', items: [1] })
  })

  it('[ENV-7] has no batches where they are switched off', () => {
    const envelope = createEnvelope({ batch: false })
    expect(envelope.toClient.batch).toBeUndefined()
    const frames = [{ type: 'BATCH', messages: [said('x')] }]
    expect(read(schemas, frames, { envelope }).order).toEqual(['unknown BATCH'])
  })

  it('[ENV-8] may be anything that can be opened and sealed', () => {
    const direction: Envelope['toClient'] = {
      open(frame) {
        if (!Array.isArray(frame)) return { kind: 'invalid', detail: 'no array' }
        const [type, body] = frame as [string, unknown]
        const meta = { timestamp: undefined, deviceId: undefined, userId: undefined }
        return { kind: 'message', type, body, meta }
      },
      seal: (type, body) => [type, body],
    }
    const envelope = { toClient: direction, toServer: direction }
    const frames = [['SAID', { text: 'x' }], { type: 'SAID' }]
    expect(read(schemas, frames, { envelope }).order).toEqual(['SAID', 'invalid envelope-mismatch'])
  })

  it('[ENV-8] makes a frame invalid that it throws on, and gets the next', () => {
    const { toClient, toServer } = createEnvelope()
    const open: typeof toClient.open = (frame) => {
      if (frame === 'secret') throw new TypeError('secret')
      return toClient.open(frame)
    }
    const envelope = { toClient: { ...toClient, open }, toServer }
    const { order, invalid } = read(schemas, ['secret', said('x')], { envelope })
    expect(order).toEqual(['invalid envelope-mismatch', 'SAID'])
    expect(invalid[0]?.detail).toBe('the envelope threw: TypeError')
  })
})
