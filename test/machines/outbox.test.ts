import { describe, expect, it } from 'vitest'
import { createActor } from 'xstate'
import { createDeliveryMachine } from '../../src/machines/delivery.js'
import { createOutboxMachine, type OutboxEvent } from '../../src/machines/outbox.js'
import { createManualClock } from '../../src/testing/clock.js'

/** The machine on the real actor, and the actions that it asked for. */
function createBench() {
  const clock = createManualClock()
  let calls: string[] = []
  let expiryAt: number | undefined
  const note = (call: string) => () => {
    calls.push(call)
  }
  const actor = createActor(createOutboxMachine(), {
    clock,
    input: {
      clock,
      actions: {
        listen: () => undefined,
        acquire: note('acquire'),
        startSending: note('startSending'),
        stopSending: note('stopSending'),
        removeExpired: note('removeExpired'),
        nextExpiryAt: () => expiryAt,
      },
    },
  })
  actor.start()
  calls = []
  return {
    clock,
    value: () => actor.getSnapshot().value,
    send(...types: Exclude<OutboxEvent['type'], 'outbox.refusedForNow'>[]) {
      for (const type of types) actor.send({ type })
    },
    /** The server refuses a number for now. */
    refuse(n: number) {
      actor.send({ type: 'outbox.refusedForNow', n })
    },
    /** The next message expires after so many milliseconds. */
    scheduleExpiry(ms: number) {
      expiryAt = clock.epoch() + ms
      actor.send({ type: 'outbox.expiryScheduled' })
    },
    /** The calls since the last look. */
    calls() {
      const seen = calls
      calls = []
      return seen
    },
  }
}

describe('ownership', () => {
  it('[OUT-16] is waited for again each time it is lost', () => {
    const { send, calls, value } = createBench()
    send('outbox.acquired')
    expect(value()).toMatchObject({ ownership: 'owned' })
    expect(calls()).toEqual([])
    send('outbox.lost')
    expect(value()).toMatchObject({ ownership: 'waiting' })
    expect(calls()).toEqual(['acquire'])
  })

  it('[OUT-12] is waited for again where another outbox is in use before it came', () => {
    const { send, calls } = createBench()
    send('outbox.lost')
    expect(calls()).toEqual(['acquire'])
  })
})

describe('a refusal for now', () => {
  it('[DLV-10] is waited for 1, 2, 4, 8, 16, 30 and again 30 s where it is of one number', () => {
    const { clock, send, refuse, calls } = createBench()
    send('channel.opened')
    calls()
    for (const seconds of [1, 2, 4, 8, 16, 30, 30]) {
      refuse(7)
      clock.advance(seconds * 1_000 - 1)
      expect(calls()).toEqual([])
      clock.advance(1)
      expect(calls()).toEqual(['startSending'])
    }
  })

  it('[DLV-10] is waited for 1 s where it is of another number', () => {
    const { clock, send, refuse, calls } = createBench()
    send('channel.opened')
    refuse(7)
    clock.advance(1_000)
    refuse(7)
    clock.advance(2_000)
    calls()
    refuse(8)
    clock.advance(1_000)
    expect(calls()).toEqual(['startSending'])
  })

  it('[DLV-10] that comes while the socket is full is waited for as well', () => {
    const { clock, send, refuse, calls } = createBench()
    send('channel.opened', 'outbox.blocked')
    calls()
    refuse(7)
    clock.advance(999)
    expect(calls()).toEqual([])
    clock.advance(1)
    expect(calls()).toEqual(['startSending'])
  })

  it('[DLV-10] that comes while no channel is open holds the next one back', () => {
    const { clock, send, refuse, calls } = createBench()
    refuse(7)
    clock.advance(400)
    send('channel.opened')
    clock.advance(599)
    expect(calls()).toEqual([])
    clock.advance(1)
    expect(calls()).toEqual(['startSending'])
  })

  it('[DLV-10] does not hold back a channel that opens when its time is over', () => {
    const { clock, send, refuse, calls } = createBench()
    refuse(7)
    clock.advance(1_000)
    send('channel.opened')
    expect(calls()).toEqual(['startSending'])
  })

  it('[OUT-12] is forgotten with the outbox', () => {
    const { send, refuse, calls } = createBench()
    send('channel.opened')
    refuse(7)
    send('channel.closed', 'outbox.lost')
    calls()
    send('channel.opened')
    expect(calls()).toEqual(['startSending'])
  })
})

describe('a full socket', () => {
  it('[OUT-10] is tried again after 25 ms', () => {
    const { clock, send, calls } = createBench()
    send('channel.opened', 'outbox.blocked')
    calls()
    clock.advance(24)
    expect(calls()).toEqual([])
    clock.advance(1)
    expect(calls()).toEqual(['startSending'])
  })

  it('[OUT-10] is not tried again once its channel is closed', () => {
    const { clock, send, calls } = createBench()
    send('channel.opened', 'outbox.blocked')
    calls()
    send('channel.closed')
    expect(calls()).toEqual(['stopSending'])
    expect(clock.pending.count).toBe(0)
  })
})

describe('expiry', () => {
  it('[OUT-7] removes what has expired at its time, by one timer', () => {
    const { clock, scheduleExpiry, calls, value } = createBench()
    scheduleExpiry(5_000)
    scheduleExpiry(2_000)
    expect(clock.pending.count).toBe(1)
    clock.advance(1_999)
    expect(calls()).toEqual([])
    clock.advance(1)
    expect(calls()).toEqual(['removeExpired'])
    expect(value()).toMatchObject({ expiry: 'idle' })
    expect(clock.pending.count).toBe(0)
  })
})

it('[DLV-19] is named in what an inspector sees, and so is the delivery machine', () => {
  expect(createOutboxMachine().id).toBe('outbox')
  expect(createDeliveryMachine().id).toBe('delivery')
})
