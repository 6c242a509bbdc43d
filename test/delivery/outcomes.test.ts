import { describe, expect, it } from 'vitest'
import type { LogEntry, SendOutcome } from 'statewire'
import { chat, createBench } from './harness.js'

const detailOf = (outcome: SendOutcome | undefined): string =>
  outcome?.outcome === 'notSent' ? outcome.detail : ''

describe('a message that is not sent', () => {
  it('[OUT-2] has a receipt that says so at once, and gives its promises', async () => {
    const { sync, say } = createBench({ delivery: { maxMessages: 1 } })
    say('a')
    const receipt = say('b')
    expect(receipt).toMatchObject({ type: 'SAY', outcome: { outcome: 'notSent', reason: 'full' } })
    expect(await receipt.settled).toBe(receipt.outcome)
    expect(await receipt.durable).toBe(false)
    receipt.abort()
    expect(sync.outbox.status.depth).toBe(1)
  })

  it('[OUT-2] says that the envelope does not take it', () => {
    const seal = (): never => {
      throw new TypeError('canary')
    }
    const toServer = { ...chat.envelope.toServer, seal }
    const { sync, say } = createBench({ envelope: { ...chat.envelope, toServer } })
    const { outcome } = say('a')
    expect(outcome).toMatchObject({ outcome: 'notSent', reason: 'invalid' })
    expect(detailOf(outcome)).toBe('the envelope threw: TypeError')
    expect(sync.outbox.status.depth).toBe(0)
  })

  it('[OUT-5] says how much the outbox holds where it is full', () => {
    const { say } = createBench({ delivery: { maxMessages: 2, maxBytes: 500 } })
    say('a')
    say('b')
    expect(detailOf(say('c').outcome)).toBe('The outbox is full (2 messages, 500 bytes).')
  })

  it('[OUT-5] says that it was the oldest', () => {
    const { say } = createBench({
      delivery: { maxMessages: 1 },
      outbox: { SAY: { whenFull: 'dropOldest' } },
    })
    const receipt = say('a')
    say('b')
    expect(detailOf(receipt.outcome)).toBe(
      'The outbox was full, and the oldest message was dropped.',
    )
  })

  it('[OUT-6] says that another has replaced it', () => {
    const { sync } = createBench()
    const receipt = sync.send('NOTE', { text: 'x1' })
    sync.send('NOTE', { text: 'x2' })
    expect(detailOf(receipt.outcome)).toBe('A later message with the same key replaced it.')
  })

  it('[OUT-7] says that it has expired', async () => {
    const { sync, clock } = createBench()
    const receipt = sync.send('SAY', { text: 'a' }, { ttlMs: 100 })
    await clock.advanceAsync(100)
    expect(detailOf(receipt.outcome)).toBe('It waited longer than its time to live.')
  })

  it('[OUT-8] says how it was taken back', () => {
    const { sync, say } = createBench()
    const aborted = say('a')
    aborted.abort()
    const cleared = say('b')
    sync.outbox.clear()
    const late = sync.send('SAY', { text: 'c' }, { signal: AbortSignal.abort() })
    expect([aborted, cleared, late].map(({ outcome }) => detailOf(outcome))).toEqual([
      'It was taken back.',
      'The outbox was cleared.',
      'Its signal was aborted before.',
    ])
  })

  it('[OUT-11] says that its client is gone', () => {
    const { sync, say } = createBench()
    const waiting = say('a')
    sync.dispose()
    sync.dispose()
    for (const { outcome } of [waiting, say('b')]) {
      expect(detailOf(outcome)).toBe('The client has been disposed.')
    }
  })
})

describe('what user code throws', () => {
  it('[OUT-13] is reported by the name of the option or rule', () => {
    const fail = (): never => {
      throw new Error('user')
    }
    const { sync, errors } = createBench({
      delivery: { key: fail },
      outbox: { SAY: { keepLatestBy: fail } },
    })
    sync.send('SAY', { text: 'a' })
    expect(new Set(errors.map(({ code, message }) => `${code}: ${message}`))).toEqual(
      new Set(['handler-threw: delivery.key threw.', 'handler-threw: keepLatestBy threw.']),
    )
    expect(errors.every(({ cause }) => (cause as Error).message === 'user')).toBe(true)
  })
})

describe('what is counted', () => {
  it('[OUT-9] is each message once as accepted, and each transmission of it', async () => {
    const { sync, say, clock, peer, server } = createBench()
    sync.start()
    await clock.advanceAsync(0)
    server.behaviour.ignoresMessages = true
    say('a')
    say('b')
    await clock.advanceAsync(0)
    server.behaviour.ignoresMessages = false
    peer.drops()
    await clock.advanceAsync(1_000)
    expect(sync.outbox.counts()).toMatchObject({
      accepted: 2,
      delivered: 2,
      transmitted: 4,
      retransmitted: 2,
    })
  })

  it('[OUT-9] is no delivery where the server refused the message, or is plain', async () => {
    for (const isPlain of [true, false]) {
      const { sync, say, clock, server } = createBench()
      server.behaviour.isPlain = isPlain
      server.behaviour.refuse = () => ({ code: 'rude', retry: false })
      const receipt = say('a')
      sync.start()
      await clock.advanceAsync(2_000)
      expect(receipt.outcome?.outcome).toBe(isPlain ? 'sent' : 'refused')
      expect(sync.outbox.counts()).toMatchObject({ accepted: 1, transmitted: 1, delivered: 0 })
    }
  })

  it('[OUT-8] is no delivery where the message was taken back', async () => {
    const { sync, say, clock, peer, server } = createBench()
    sync.start()
    await clock.advanceAsync(0)
    server.behaviour.losesAcks = true
    const receipt = say('a')
    await clock.advanceAsync(0)
    receipt.abort()
    receipt.abort()
    const [first] = sync.outbox.messages()
    expect(first).toBeUndefined()
    expect(sync.outbox.status).toMatchObject({ depth: 1, inFlight: 1 })
    server.behaviour.losesAcks = false
    peer.drops()
    await clock.advanceAsync(1_000)
    expect(server.texts).toEqual(['a'])
    expect(sync.outbox.status.depth).toBe(0)
    expect(sync.outbox.counts().delivered).toBe(0)
  })
})

describe('a server that owes an answer', () => {
  it('[DLV-16] is left with a failure that says how long it had', async () => {
    const { sync, server, clock } = createBench({ delivery: { answerTimeoutMs: 4_000 } })
    server.behaviour.ignoresResume = true
    sync.start()
    await clock.advanceAsync(4_000)
    expect(sync.status).toMatchObject({
      state: 'reconnecting',
      cause: {
        code: 'answer-timeout',
        afterMs: 4_000,
        message: 'The server did not answer within 4000 ms.',
      },
    })
  })
})

describe('a log', () => {
  it('[DLV-18] has each control frame that was ignored, and why', async () => {
    const entries: LogEntry[] = []
    const { sync, peer, settle } = createBench({
      client: { log: (entry) => entries.push(entry) },
    })
    sync.start()
    await settle()
    peer.sendsRaw(JSON.stringify({ type: '$what' }))
    peer.sendsRaw(JSON.stringify({ type: '$ack', data: { cid: 5 } }))
    await settle()
    const problem = expect.stringContaining('cid') as string
    expect(entries.filter(({ event }) => event === 'frame.ignored')).toMatchObject([
      { level: 'debug', part: 'delivery', detail: { type: '$what', detail: 'unknown' } },
      { level: 'debug', part: 'delivery', detail: { type: '$ack', detail: problem } },
    ])
  })

  it('[DLV-8] says that the state was kept where the server gives none', async () => {
    const entries: LogEntry[] = []
    const { sync, server, settle } = createBench({
      client: { log: (entry) => entries.push(entry) },
    })
    server.behaviour.hasState = false
    sync.start()
    await settle()
    expect(entries.filter(({ event }) => event === 'state.kept')).toMatchObject([
      { level: 'info', part: 'delivery' },
    ])
  })
})
