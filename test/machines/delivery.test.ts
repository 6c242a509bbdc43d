import { describe, expect, it } from 'vitest'
import { createActor } from 'xstate'
import { createDeliveryMachine, type DeliveryEvent } from '../../src/machines/delivery.js'
import { createManualClock } from '../../src/testing/clock.js'

const policy = { greetingMs: 2_000, answerTimeoutMs: 15_000 }

/** The machine on the real actor, and the actions that it asked for. */
function createBench({ isKnownPlain = false } = {}) {
  const clock = createManualClock()
  let calls: string[] = []
  let sentAt: number | undefined
  let state = ''
  const note = (call: string) => () => {
    calls.push(call)
  }
  const actor = createActor(createDeliveryMachine(), {
    clock,
    input: {
      clock,
      policy,
      actions: {
        listen: () => undefined,
        noteState(next) {
          state = next
        },
        beginConnection: note('beginConnection'),
        endConnection: note('endConnection'),
        resume: note('resume'),
        openChannel: note('openChannel'),
        openPlainChannel: note('openPlainChannel'),
        pauseChannel: note('pauseChannel'),
        watchTransmission: note('watchTransmission'),
        oldestSentAt: () => sentAt,
        isKnownPlain: () => isKnownPlain,
        notePlain: (isPlain) => {
          calls.push(isPlain ? 'note plain' : 'note delivery')
        },
        abandonConnection: note('abandonConnection'),
      },
      outbox: {
        listen: () => undefined,
        acquire: () => undefined,
        startSending: () => undefined,
        stopSending: () => undefined,
        removeExpired: () => undefined,
        nextExpiryAt: () => undefined,
      },
    },
  })
  actor.start()
  return {
    clock,
    state: () => state,
    send(...types: DeliveryEvent['type'][]) {
      for (const type of types) actor.send({ type })
    },
    /** A message is on its way since now, and the machine is told. */
    transmit() {
      sentAt = clock.now()
      actor.send({ type: 'outbox.transmitted' })
    },
    /** Since when the oldest message is on its way. */
    setOldest(at: number | undefined) {
      sentAt = at
    },
    /** The calls since the last look. */
    calls() {
      const seen = calls
      calls = []
      return seen
    },
  }
}

/** A bench whose server has delivery and has answered. */
function createLive() {
  const bench = createBench()
  bench.send('connection.opened', 'server.greeted', 'server.answered')
  bench.calls()
  return bench
}

describe('a greeting', () => {
  it('[DLV-2] is waited for 2 s; a silent server is plain', () => {
    const { clock, state, send, calls } = createBench()
    send('connection.opened')
    expect(calls()).toEqual(['beginConnection'])
    clock.advance(1_999)
    expect(state()).toBe('greeting')
    clock.advance(1)
    expect(state()).toBe('plain')
    expect(calls()).toEqual(['note plain', 'openPlainChannel'])
  })

  it.each([
    { lateMs: 1_000, becomes: 'plain' },
    { lateMs: 1_001, becomes: 'greeting' },
  ])('[DLV-2] that is waited for $lateMs ms too long is $becomes', ({ lateMs, becomes }) => {
    const { clock, state, send } = createBench()
    send('connection.opened')
    clock.jump(2_000 + lateMs)
    expect(state()).toBe(becomes)
    clock.advance(1_999)
    expect(state()).toBe(becomes)
    clock.advance(1)
    expect(state()).toBe('plain')
  })

  it('[DLV-3] that is none makes the server plain, and is remembered', () => {
    const { state, send, calls } = createBench()
    send('connection.opened', 'server.plain')
    expect(state()).toBe('plain')
    expect(calls()).toEqual(['beginConnection', 'note plain', 'openPlainChannel'])
  })

  it('[DLV-3] is not waited for where the address is known as plain', () => {
    const { clock, state, send, calls } = createBench({ isKnownPlain: true })
    send('connection.opened')
    expect(state()).toBe('plain')
    expect(calls()).toEqual(['beginConnection', 'openPlainChannel'])
    expect(clock.pending.count).toBe(0)
  })

  it('[DLV-4] that comes late pauses the plain channel and resumes', () => {
    const { state, send, calls } = createBench({ isKnownPlain: true })
    send('connection.opened')
    calls()
    send('server.greeted')
    expect(state()).toBe('resuming')
    expect(calls()).toEqual(['pauseChannel', 'note delivery', 'resume'])
  })
})

describe('an answer', () => {
  it('[DLV-16] that is owed for 15 s ends the connection', () => {
    const { clock, send, calls } = createBench()
    send('connection.opened')
    clock.advance(1_000)
    send('server.greeted')
    calls()
    clock.advance(14_999)
    expect(calls()).toEqual([])
    clock.advance(1)
    expect(calls()).toEqual(['abandonConnection'])
  })

  it('[DLV-16] is asked for again, and waited for again, where the timer fires late', () => {
    const { clock, state, send, calls } = createBench()
    send('connection.opened', 'server.greeted')
    calls()
    clock.jump(60_000)
    expect([state(), calls()]).toEqual(['resuming', ['note delivery', 'resume']])
    clock.advance(14_999)
    expect(calls()).toEqual([])
    clock.advance(1)
    expect(calls()).toEqual(['abandonConnection'])
  })

  it('[DLV-5] is asked for again once this handle owns the outbox, and owed from then on', () => {
    const { clock, send, calls } = createBench()
    send('connection.opened', 'server.greeted')
    clock.advance(10_000)
    calls()
    send('outbox.acquired')
    expect(calls()).toEqual(['note delivery', 'resume'])
    clock.advance(14_999)
    expect(calls()).toEqual([])
    clock.advance(1)
    expect(calls()).toEqual(['abandonConnection'])
  })

  it('[OUT-16] [DLV-3] is not needed from a plain server: its channel opens anew', () => {
    const { state, send, calls } = createBench({ isKnownPlain: true })
    send('connection.opened')
    calls()
    send('outbox.acquired')
    expect([state(), calls()]).toEqual(['plain', ['pauseChannel', 'openPlainChannel']])
  })

  it.each(['gap.found', 'outbox.acquired'] as const)('[DLV-6] is asked for at %s', (type) => {
    const { state, send, calls } = createLive()
    send(type)
    expect(state()).toBe('resuming')
    expect(calls()).toEqual(['pauseChannel', 'note delivery', 'resume'])
  })

  it('[DLV-11] ends with the connection, whatever was owed', () => {
    const { clock, state, send, transmit, calls } = createLive()
    transmit()
    send('connection.dropped')
    expect(state()).toBe('offline')
    expect(calls()).toEqual(['pauseChannel', 'endConnection'])
    expect(clock.pending.count).toBe(0)
  })
})

describe('an acknowledgement', () => {
  it('[DLV-16] that is owed for 15 s ends the connection', () => {
    const { clock, transmit, calls } = createLive()
    clock.advance(100_000)
    transmit()
    clock.advance(14_999)
    expect(calls()).toEqual([])
    clock.advance(1)
    expect(calls()).toEqual(['abandonConnection'])
  })

  it('[DLV-16] is owed for the oldest message that is still on its way', () => {
    const { clock, transmit, setOldest, calls } = createLive()
    transmit()
    setOldest(10_000)
    clock.advance(24_999)
    expect(calls()).toEqual([])
    clock.advance(1)
    expect(calls()).toEqual(['abandonConnection'])
  })

  it('[DLV-16] is owed no more where nothing is on its way, until something is', () => {
    const { clock, transmit, setOldest, calls } = createLive()
    transmit()
    setOldest(undefined)
    clock.advance(15_000)
    expect(calls()).toEqual(['watchTransmission'])
    expect(clock.pending.count).toBe(0)
    clock.advance(60_000)
    transmit()
    clock.advance(14_999)
    expect(calls()).toEqual([])
    clock.advance(1)
    expect(calls()).toEqual(['abandonConnection'])
  })

  it('[DLV-16] has 15 s more where its timer fires late', () => {
    const { clock, transmit, calls } = createLive()
    transmit()
    clock.jump(60_000)
    clock.advance(14_999)
    expect(calls()).toEqual([])
    clock.advance(1)
    expect(calls()).toEqual(['abandonConnection'])
  })

  it('[DLV-16] that came after a late timer leaves the others their own time', () => {
    const { clock, transmit, setOldest, calls } = createLive()
    transmit()
    clock.jump(60_000)
    setOldest(70_000)
    clock.advance(24_999)
    expect(calls()).toEqual([])
    clock.advance(1)
    expect(calls()).toEqual(['abandonConnection'])
  })

  it('[DLV-16] that came after a late timer, as the last one, leaves nothing to wait for', () => {
    const { clock, transmit, setOldest, calls } = createLive()
    transmit()
    clock.jump(60_000)
    setOldest(undefined)
    clock.advance(15_000)
    expect(calls()).toEqual(['watchTransmission'])
    expect(clock.pending.count).toBe(0)
  })
})

describe('a server that drains', () => {
  it('[DLV-15] gets no new messages, and 15 s from then on to close', () => {
    const { clock, state, send, calls } = createLive()
    clock.advance(60_000)
    send('server.draining')
    expect([state(), calls()]).toEqual(['draining', ['pauseChannel']])
    clock.advance(14_999)
    expect(calls()).toEqual([])
    clock.advance(1)
    expect(calls()).toEqual(['abandonConnection'])
  })

  it('[DLV-15] has 15 s more where the timer fires late', () => {
    const { clock, send, calls } = createLive()
    send('server.draining')
    calls()
    clock.jump(60_000)
    clock.advance(14_999)
    expect(calls()).toEqual([])
    clock.advance(1)
    expect(calls()).toEqual(['abandonConnection'])
  })
})
