import { describe, expect, it } from 'vitest'
import { createBench } from './harness.js'

const frameOf = (text: string) => JSON.stringify({ type: 'SAY', payload: { text } })
const full = { outcome: 'notSent', reason: 'full' }
const waiting = (sync: ReturnType<typeof createBench>['sync']) =>
  sync.outbox.messages().map(({ payload }) => (payload as { text: string }).text)

describe('the order of sending', () => {
  it('[OUT-4] is by priority, whichever priority comes first', async () => {
    const { sync, server, settle } = createBench()
    for (const priority of [1, 5, 3, 0, 3, -2, 5]) {
      sync.send('SAY', { text: `${priority}` }, { priority })
    }
    expect(waiting(sync)).toEqual(['5', '5', '3', '3', '1', '0', '-2'])
    sync.start()
    await settle()
    expect(server.texts).toEqual(['5', '5', '3', '3', '1', '0', '-2'])
  })

  it('[OUT-4] prefers the priority of the call to that of the rule', () => {
    const { sync } = createBench({ outbox: { SAY: { priority: 2 } } })
    sync.send('SAY', { text: 'low' }, { priority: 0 })
    sync.send('SAY', { text: 'ruled' })
    expect(waiting(sync)).toEqual(['ruled', 'low'])
  })

  it('[OUT-9] does not decide which message is the oldest', async () => {
    const { sync, clock } = createBench()
    sync.send('SAY', { text: 'old' })
    const acceptedAt = clock.epoch()
    await clock.advanceAsync(1_000)
    sync.send('SAY', { text: 'urgent' }, { priority: 1 })
    expect(sync.outbox.status.oldestAt).toBe(acceptedAt)
  })
})

describe('room', () => {
  it('[OUT-5] is for 1,000 messages', () => {
    const { sync, say } = createBench()
    for (let at = 0; at < 1_000; at += 1) expect(say('a').outcome).toBeUndefined()
    expect(say('a').outcome).toMatchObject(full)
    expect(sync.outbox.status.depth).toBe(1_000)
  })

  it('[OUT-5] is for 1 MiB, to the byte', () => {
    const { say } = createBench()
    const bytes = 2 ** 20 - frameOf('').length
    expect(say('x'.repeat(bytes + 1)).outcome).toMatchObject(full)
    expect(say('x'.repeat(bytes)).outcome).toBeUndefined()
    expect(say('').outcome).toMatchObject(full)
  })

  it('[OUT-5] is made by the lowest priority first, as much as is needed', () => {
    const { sync } = createBench({
      delivery: { maxMessages: 4 },
      outbox: { SAY: { whenFull: 'dropOldest' } },
    })
    for (const [text, priority] of [
      ['low 1', -1],
      ['old 1', 0],
      ['low 2', -1],
      ['urgent', 1],
    ] as const) {
      sync.send('SAY', { text }, { priority })
    }
    sync.send('SAY', { text: 'new 1' })
    expect(waiting(sync)).toEqual(['urgent', 'old 1', 'new 1', 'low 2'])
    sync.send('SAY', { text: 'new 2' })
    expect(waiting(sync)).toEqual(['urgent', 'old 1', 'new 1', 'new 2'])
    sync.send('SAY', { text: 'new 3' })
    expect(waiting(sync)).toEqual(['urgent', 'new 1', 'new 2', 'new 3'])
  })

  it('[OUT-5] is made by as many messages as the bytes of the new one need', () => {
    const { sync, say } = createBench({
      delivery: { maxBytes: 4 * frameOf('aa').length },
      outbox: { SAY: { whenFull: 'dropOldest' } },
    })
    for (const text of ['aa', 'bb', 'cc', 'dd']) say(text)
    say('x'.repeat(frameOf('aa').length))
    expect(waiting(sync).slice(0, -1)).toEqual(['cc', 'dd'])
  })

  it('[OUT-5] [OUT-6] is that of the message which the new one replaces', () => {
    const { sync, say } = createBench({
      delivery: { maxMessages: 2 },
      outbox: { NOTE: { keepLatestBy: () => 'one', whenFull: 'dropOldest' } },
    })
    say('a')
    sync.send('NOTE', { text: 'x1' })
    sync.send('NOTE', { text: 'x2' })
    expect(waiting(sync)).toEqual(['a', 'x2'])
    const other = createBench({
      delivery: { maxBytes: frameOf('x1').length + 1 },
      outbox: { NOTE: { keepLatestBy: () => 'one' } },
    })
    other.sync.send('NOTE', { text: 'x1' })
    other.sync.send('NOTE', { text: 'x2' })
    expect(waiting(other.sync)).toEqual(['x2'])
    expect(other.sync.outbox.status.bytes).toBe(frameOf('x2').length + 1)
  })

  it('[OUT-5] [OUT-6] is not made twice by the message which the new one replaces', () => {
    const [small, large] = [frameOf('x1').length, frameOf('x'.repeat(20)).length]
    const { sync, say } = createBench({
      delivery: { maxBytes: 2 * small + large },
      outbox: { NOTE: { keepLatestBy: () => 'one', whenFull: 'dropOldest' } },
    })
    const replaced = sync.send('NOTE', { text: 'x1' })
    const dropped = say('aa')
    say('bb')
    const room = 2 * small + large - sync.outbox.status.bytes
    sync.send('NOTE', { text: 'x'.repeat(room + 5) })
    expect(replaced.outcome).toMatchObject({ reason: 'replaced' })
    expect(dropped.outcome).toMatchObject({ reason: 'dropped' })
    expect(sync.outbox.status.bytes).toBeLessThanOrEqual(2 * small + large)
    expect(waiting(sync)[0]).toBe('bb')
  })

  it('[OUT-6] of a key is that of the newest, while an older one is sent again', async () => {
    const { sync, server, peer, clock } = createBench()
    server.behaviour.window = 1
    server.behaviour.ignoresMessages = true
    sync.start()
    await clock.advanceAsync(0)
    const first = sync.send('NOTE', { text: 'x1' })
    const second = sync.send('NOTE', { text: 'x2' })
    peer.drops()
    await clock.advanceAsync(1_000)
    expect(sync.outbox.status).toMatchObject({ depth: 2, inFlight: 1 })
    const third = sync.send('NOTE', { text: 'x3' })
    expect([first, second, third].map(({ outcome }) => outcome)).toMatchObject([
      undefined,
      { reason: 'replaced' },
      undefined,
    ])
    expect(waiting(sync)).toEqual(['x1', 'x3'])
  })

  it('[OUT-6] is kept apart by type and by key', () => {
    const { sync } = createBench({
      outbox: { NOTE: { keepLatestBy: ({ text }) => text }, SAY: { keepLatestBy: () => 'x' } },
    })
    sync.send('NOTE', { text: 'x' })
    sync.send('SAY', { text: 'said' })
    sync.send('NOTE', { text: 'y' })
    expect(waiting(sync)).toEqual(['x', 'said', 'y'])
    sync.send('NOTE', { text: 'x' })
    expect(waiting(sync)).toEqual(['said', 'y', 'x'])
  })

  it('[OUT-6] of a key is free once its message was taken back', () => {
    const { sync } = createBench()
    const first = sync.send('NOTE', { text: 'x1' })
    first.abort()
    const second = sync.send('NOTE', { text: 'x2' })
    expect(first.outcome).toMatchObject({ reason: 'aborted' })
    expect(second.outcome).toBeUndefined()
    expect(waiting(sync)).toEqual(['x2'])
  })
})

describe('the window', () => {
  it('[OUT-10] is 256, or less where the server says so, and at least 1', async () => {
    for (const [asked, given] of [
      [256, 256],
      [1_000, 256],
      [7, 7],
      [1, 1],
    ] as const) {
      const { sync, say, server, settle } = createBench()
      server.behaviour.window = asked
      server.behaviour.ignoresMessages = true
      for (let at = 0; at < 300; at += 1) say('a')
      sync.start()
      await settle()
      expect(sync.outbox.status.inFlight).toBe(given)
    }
  })
})

describe('the largest message', () => {
  it('[DLV-13] that a server takes is delivered, and one byte more is refused', async () => {
    const { sync, say, server, peer, settle } = createBench()
    sync.start()
    await settle()
    say('probe')
    await settle()
    const raw = peer.messages.map((message) => message.raw.toString())
    const probe = raw.find((frame) => frame.includes('probe')) ?? ''
    server.behaviour.maxBytes = probe.length + 100
    sync.reconnect()
    await settle()
    const fits = say('x'.repeat(100 + 'probe'.length))
    const tooLarge = say('x'.repeat(101 + 'probe'.length))
    await settle()
    expect(fits.outcome).toEqual({ outcome: 'delivered' })
    expect(tooLarge.outcome).toEqual({ outcome: 'refused', code: 'too-large' })
  })

  it('[DLV-13] on its way is the first of those that are equally large', async () => {
    const { sync, say, server, peer, clock } = createBench()
    sync.start()
    await clock.advanceAsync(0)
    server.behaviour.ignoresMessages = true
    const receipts = [say('aa'), say('bb'), say('cc')]
    await clock.advanceAsync(0)
    server.behaviour.ignoresMessages = false
    peer.closes(1009)
    await clock.advanceAsync(1_000)
    expect(receipts.map(({ outcome }) => outcome?.outcome)).toEqual([
      'refused',
      'delivered',
      'delivered',
    ])
  })

  it('[DLV-13] is not refused where the server closes for another reason', async () => {
    const { sync, say, server, peer, clock } = createBench()
    sync.start()
    await clock.advanceAsync(0)
    server.behaviour.ignoresMessages = true
    const receipt = say('a')
    await clock.advanceAsync(0)
    server.behaviour.ignoresMessages = false
    peer.closes(1001)
    await clock.advanceAsync(60_000)
    expect(receipt.outcome).toEqual({ outcome: 'delivered' })
  })
})
