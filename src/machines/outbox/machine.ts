import { assign, fromCallback, sendTo, setup } from 'xstate'
import { type Clock, clampDelay } from '../../base/clock.js'
import type { Outbox, OutboxFact } from '../../delivery/outbox.js'

/** What the outbox machine needs. */
export interface OutboxInput {
  /** The outbox that is used now. */
  readonly outbox: () => Outbox
  /** The clock that the actor system runs on, too. */
  readonly clock: Clock
}

/** Everything an outbox machine hears. */
export type OutboxEvent =
  /** There is a way to the server, and it may be used. */
  | { readonly type: 'line.opened' }
  /** There is none, or it may not be used now. */
  | { readonly type: 'line.closed' }
  | OutboxFact

/** The outbox machine's memory. */
export interface OutboxContext extends OutboxInput {
  /**
   * The number that the server refused for now, how many times in a row, and until when, in
   * monotonic milliseconds, nothing is sent for that.
   */
  readonly refusal: { readonly n: number; readonly times: number; readonly until: number }
}

/** What the machine asks of the outbox. */
type OutboxCommand = { readonly type: 'acquire' | 'flow' | 'hold' | 'removeExpired' }

const outboxActor = fromCallback<OutboxCommand, OutboxInput>(({ input: { outbox }, receive }) => {
  receive((command) => {
    switch (command.type) {
      case 'acquire':
      case 'removeExpired':
        outbox()[command.type]()
        break
      case 'flow':
      case 'hold':
        outbox().transmission[command.type]()
        break
      default:
        command.type satisfies never
    }
  })
})

// Neither ws nor browsers tell when a socket has room again.
const BLOCKED_MS = 25
const LONGEST_REFUSAL_MS = 30_000

const noRefusal = { n: 0, times: 0, until: Number.NEGATIVE_INFINITY }

/**
 * Makes the machine that decides when an outbox sends: while it is ours, there is a line, the
 * socket has room and the server takes messages. It also lets go of what has expired. No message
 * passes through it.
 */
export function createOutboxMachine() {
  return setup({
    types: {
      context: {} as OutboxContext,
      events: {} as OutboxEvent,
      input: {} as OutboxInput,
    },
    actors: { outbox: outboxActor },
    delays: {
      nextExpiry: ({ context: { outbox, clock } }) =>
        clampDelay((outbox().nextExpiryAt() ?? clock.epoch()) - clock.epoch()),
      hasRoomAgain: BLOCKED_MS,
      refusalWait: ({ context: { clock, refusal } }) => clampDelay(refusal.until - clock.now()),
    },
    guards: {
      isRefused: ({ context: { clock, refusal } }) => clock.now() < refusal.until,
    },
    actions: {
      acquire: sendTo('outbox', { type: 'acquire' }),
      flow: sendTo('outbox', { type: 'flow' }),
      hold: sendTo('outbox', { type: 'hold' }),
      removeExpired: sendTo('outbox', { type: 'removeExpired' }),
      noteRefusal: assign(({ context: { clock, refusal }, event }) => {
        if (event.type !== 'outbox.refusedForNow') return {}
        const times = event.n === refusal.n ? refusal.times + 1 : 1
        const waitMs = Math.min(1_000 * 2 ** (times - 1), LONGEST_REFUSAL_MS)
        return { refusal: { n: event.n, times, until: clock.now() + waitMs } }
      }),
      forgetRefusal: assign({ refusal: noRefusal }),
    },
  }).createMachine({
    id: 'outbox',
    context: ({ input }) => ({ ...input, refusal: noRefusal }),
    invoke: { src: 'outbox', id: 'outbox', input: ({ context }) => context },
    type: 'parallel',
    states: {
      ownership: {
        initial: 'waiting',
        states: {
          waiting: {
            entry: 'acquire',
            on: {
              'outbox.acquired': 'owned',
              // Another outbox is in use.
              'outbox.lost': { target: 'waiting', reenter: true },
            },
          },
          owned: { on: { 'outbox.lost': 'waiting' } },
        },
      },

      flow: {
        initial: 'held',
        on: {
          'line.closed': '.held',
          'line.opened': [{ guard: 'isRefused', target: '.refused' }, { target: '.sending' }],
          // Also while it is held: what the server will not hear now, it will not sooner for that.
          'outbox.refusedForNow': { actions: 'noteRefusal' },
          'outbox.lost': { actions: 'forgetRefusal' },
        },
        states: {
          held: { entry: 'hold' },
          sending: {
            entry: 'flow',
            on: {
              // Another line: from within the state, since a region that re-enters itself takes
              // the other regions with it.
              'line.opened': [
                { guard: 'isRefused', target: 'refused' },
                { target: 'sending', reenter: true },
              ],
              'outbox.blocked': 'blocked',
              'outbox.refusedForNow': { target: 'refused', actions: 'noteRefusal' },
            },
          },
          blocked: {
            after: { hasRoomAgain: 'sending' },
            on: { 'outbox.refusedForNow': { target: 'refused', actions: 'noteRefusal' } },
          },
          refused: { after: { refusalWait: 'sending' } },
        },
      },

      expiry: {
        initial: 'idle',
        states: {
          idle: { on: { 'outbox.expiryScheduled': 'waiting' } },
          waiting: {
            on: { 'outbox.expiryScheduled': { target: 'waiting', reenter: true } },
            // The outbox then tells of the next one, where there is one.
            after: { nextExpiry: { target: 'idle', actions: 'removeExpired' } },
          },
        },
      },
    },
  })
}
