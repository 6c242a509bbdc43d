import fc from 'fast-check'
import { immediateBatches, timedBatches } from 'statewire'
import { describe, expect, it } from 'vitest'
import { bring, createHarness, type Harness } from './harness.js'

function say(id: string, text = 'hello') {
  return { type: 'SAID', data: { id, text } } as const
}

/** Everything a subscriber sees, in the order in which it sees it. */
function record(harness: Harness): string[] {
  const { sync } = harness
  const seen: string[] = []
  sync.status$.subscribe(({ state }) => seen.push(state))
  sync.state$.subscribe(({ lines, notices }) => seen.push(`state ${lines.size}/${notices}`))
  sync.on('SAID', ({ data }) => seen.push(`SAID ${data.id}`))
  sync.on('LEFT', ({ data }) => seen.push(`LEFT ${data.id}`))
  sync.on('NOTICE', () => seen.push('NOTICE'))
  sync.unknown$.subscribe(({ type }) => seen.push(`unknown ${type}`))
  sync.invalid$.subscribe(({ reason }) => seen.push(`invalid ${reason}`))
  return seen
}

/** Sends frames so that they come in one read, as a burst does. */
function burst(harness: Harness, frames: readonly object[]): void {
  harness.peer.sendsRaw(JSON.stringify({ type: 'BATCH', messages: frames }))
}

describe('the one order that everybody sees', () => {
  it('[ORDER-1] publishes the state before the handlers of its messages run', async () => {
    const harness = createHarness()
    await bring(harness, 'connected')
    const sizes: number[] = []
    harness.sync.on('SAID', () => sizes.push(harness.sync.state.lines.size))
    harness.sync.on('SAID', ({ data }) => expect(harness.sync.state.lines.get(data.id)).toBe(data))
    harness.peer.sends('SAID', { id: '1', text: 'hello' })
    await harness.settle()
    burst(harness, [say('2'), say('3')])
    await harness.settle()
    expect(sizes).toEqual([1, 3, 3])
    expect(harness.errors).toEqual([])
  })

  it('[ORDER-2] gives the messages of a batch in the order of the wire', async () => {
    const harness = createHarness()
    await bring(harness, 'connected')
    const seen = record(harness)
    seen.length = 0
    burst(harness, [say('1'), { type: 'NOTICE' }, { type: 'NEW' }, say('2'), { no: 'type' }])
    await harness.settle()
    expect(seen).toEqual([
      'state 2/1',
      'SAID 1',
      'NOTICE',
      'unknown NEW',
      'SAID 2',
      'invalid envelope-mismatch',
    ])
  })

  it('[ORDER-2] keeps that order for any frames, however they are batched', async () => {
    let batches = 0
    const frame = fc.oneof(
      fc.nat(20).map((id) => say(String(id))),
      fc.constant({ type: 'NOTICE' }),
      fc.nat(20).map((id) => ({ type: 'LEFT', data: { id: String(id) } })),
    )
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(frame, { size: 'max', maxLength: 20 })),
        async (bursts) => {
          const harness = createHarness()
          await bring(harness, 'connected')
          const seen: string[] = []
          harness.sync.messages$.subscribe(({ type, data }) => {
            seen.push(`${type} ${data?.id ?? ''}`)
          })
          for (const frames of bursts) {
            burst(harness, frames)
            if (frames.length > 1) batches += 1
          }
          await harness.settle()
          const sent = bursts.flat().map((message) => {
            return `${message.type} ${'data' in message ? message.data.id : ''}`
          })
          expect(seen).toEqual(sent)
          harness.sync.dispose()
        },
      ),
      { numRuns: 100 },
    )
    expect(batches).toBeGreaterThan(50)
  })

  it('[ORDER-3] emits what a handler causes after what it handles, for all subscribers', async () => {
    const harness = createHarness()
    await bring(harness, 'connected')
    const { sync } = harness
    const first: string[] = []
    const second: string[] = []
    sync.on('SAID', ({ data }) => {
      first.push(data.id)
      if (data.id === '1') sync.disconnect()
    })
    sync.status$.subscribe(({ state }) => first.push(state))
    sync.on('SAID', ({ data }) => second.push(data.id))
    sync.status$.subscribe(({ state }) => second.push(state))
    burst(harness, [say('1'), say('2')])
    await harness.settle()
    expect(first).toEqual(['connected', '1', '2', 'disconnected'])
    expect(second).toEqual(first)
  })

  it('[ORDER-4] publishes an open batch before a status change', async () => {
    const harness = createHarness((clock) => ({ batches: timedBatches(1_000, clock) }))
    const { clock } = harness
    harness.sync.connect()
    await clock.advanceAsync(0)
    const seen = record(harness)
    seen.length = 0
    harness.peer.sends('SAID', { id: '1', text: 'hello' })
    await clock.advanceAsync(10)
    expect(seen).toEqual([])
    harness.peer.drops()
    await clock.advanceAsync(0)
    expect(seen).toEqual(['state 1/0', 'SAID 1', 'reconnecting'])
  })

  it('[ORDER-5] drops the open batch on stop, even from a handler of that batch', async () => {
    const harness = createHarness()
    await bring(harness, 'connected')
    const { sync } = harness
    sync.on('SAID', ({ data }) => {
      if (data.id === '2') sync.stop()
    })
    const seen = record(harness)
    seen.length = 0
    burst(harness, [say('1'), say('2'), say('3')])
    await harness.clock.advanceAsync(120_000)
    expect(seen).toEqual(['state 3/0', 'SAID 1', 'SAID 2', 'disconnected', 'state 0/0'])
  })

  it('[ORDER-5] drops a batch that was not yet published', async () => {
    const harness = createHarness((clock) => ({ batches: timedBatches(1_000, clock) }))
    const { clock } = harness
    harness.sync.connect()
    await clock.advanceAsync(0)
    harness.peer.sends('SAID', { id: '1', text: 'hello' })
    await clock.advanceAsync(10)
    const seen = record(harness)
    seen.length = 0
    harness.sync.stop()
    await clock.advanceAsync(10_000)
    expect(seen).toEqual(['disconnected'])
    expect(clock.pending.count).toBe(0)
  })

  it('[ORDER-6] publishes with each frame where that is asked for, and floods in parts', async () => {
    const harness = createHarness({ batches: immediateBatches })
    await bring(harness, 'connected')
    const sizes: number[] = []
    harness.sync.state$.subscribe(({ lines }) => sizes.push(lines.size))
    harness.peer.sends('SAID', { id: '1', text: 'hello' })
    harness.peer.sends('SAID', { id: '2', text: 'hello' })
    await harness.settle()
    expect(sizes).toEqual([0, 1, 2])

    const flooded = createHarness()
    await bring(flooded, 'connected')
    const steps: number[] = []
    flooded.sync.state$.subscribe(({ lines }) => steps.push(lines.size))
    burst(
      flooded,
      Array.from({ length: 2_500 }, (_, at) => say(String(at))),
    )
    await flooded.settle()
    expect(steps).toEqual([0, 1_000, 2_000, 2_500])
  })

  it('[ORDER-7] takes no message through a machine', async () => {
    const events = new Set<string>()
    const harness = createHarness({
      inspect: (event) => {
        if (event.type === '@xstate.event') events.add(event.event.type)
      },
    })
    await bring(harness, 'connected')
    events.clear()
    let handled = 0
    harness.sync.on('NOTICE', () => {
      handled += 1
    })
    harness.peer.sends('NOTICE')
    await harness.settle()
    expect(handled).toBe(1)
    expect([...events].filter((type) => !type.startsWith('state.'))).toEqual([])
  })
})
