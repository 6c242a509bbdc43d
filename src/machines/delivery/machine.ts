import { assign, fromCallback, sendTo, setup } from 'xstate'
import { type Clock, clampDelay } from '../../base/clock.js'
import type { OutboxFact } from '../../delivery/outbox.js'
import type { Channel, ChannelFact } from '../../delivery/channel.js'

/** What the delivery machine needs. */
export interface DeliveryInput {
  readonly channel: Channel
  readonly clock: Clock
  readonly policy: DeliveryPolicy
  /** Whether the server of the live connection is known to have no delivery. */
  readonly isKnownPlain: () => boolean
  /** Remembers that, or that it has. */
  readonly notePlain: (isPlain: boolean) => void
  /** Gives the connection up: an answer has not come in time. */
  readonly giveUp: () => void
  /** When the oldest message that is on its way was sent, in the clock's `now`. */
  readonly oldestSentAt: () => number | undefined
}

/** How long a delivery waits; in milliseconds. */
export interface DeliveryPolicy {
  /** For a greeting, before the server is taken for one without delivery. */
  readonly greetingMs: number
  /** For an answer that a server owes. */
  readonly answerTimeoutMs: number
  /** A timer that fires this much late tells of a sleep, not of a silent server. */
  readonly lateTimerMs: number
}

/** Everything a delivery machine hears. */
export type DeliveryEvent =
  | { readonly type: 'connection.opened' }
  | { readonly type: 'connection.dropped' }
  | ChannelFact
  | OutboxFact

/** The delivery machine's memory. */
export interface DeliveryContext extends DeliveryInput {
  /** When the answer that is waited for is due, in monotonic milliseconds. */
  readonly dueAt: number
}

interface ChannelCommand {
  readonly type: 'open' | 'close' | 'resume' | 'openLine' | 'openPlainLine' | 'rest' | 'hold'
}

const channelActor = fromCallback<ChannelCommand, { readonly channel: Channel }>(
  ({ input: { channel }, receive }) => {
    receive(({ type: command }) => {
      channel[command]()
    })
  },
)

/** Where a connection stands with delivery. */
export type DeliveryState = 'offline' | 'greeting' | 'plain' | 'resuming' | 'live' | 'draining'

/**
 * Makes the machine that finds out, on each connection, whether the server has delivery, tells it
 * where we stand, and gives the connection up where it owes an answer for too long. No message
 * passes through it. docs/protocol.md has the frames.
 */
export function createDeliveryMachine() {
  const machine = setup({
    types: {
      context: {} as DeliveryContext,
      events: {} as DeliveryEvent,
      input: {} as DeliveryInput,
    },
    actors: { channel: channelActor },
    delays: {
      greetingTimeout: ({ context }) => context.policy.greetingMs,
      answerTimeout: ({ context }) => clampDelay(context.dueAt - context.clock.now()),
    },
    guards: {
      isKnownPlain: ({ context }) => context.isKnownPlain(),
      firedLate: ({ context }) => context.clock.now() - context.dueAt > context.policy.lateTimerMs,
      isOverdue: ({ context }) => context.clock.now() >= dueFrom(context),
      isOnItsWay: ({ context }) => context.oldestSentAt() !== undefined,
    },
    actions: {
      openChannel: sendTo('channel', { type: 'open' }),
      closeChannel: sendTo('channel', { type: 'close' }),
      resume: sendTo('channel', { type: 'resume' }),
      openLine: sendTo('channel', { type: 'openLine' }),
      openPlainLine: sendTo('channel', { type: 'openPlainLine' }),
      hold: sendTo('channel', { type: 'hold' }),
      rest: sendTo('channel', { type: 'rest' }),
      notePlain: ({ context }) => {
        context.notePlain(true)
      },
      noteDelivery: ({ context }) => {
        context.notePlain(false)
      },
      giveUp: ({ context }) => {
        context.giveUp()
      },
      expectGreeting: assign(({ context }) => ({
        dueAt: context.clock.now() + context.policy.greetingMs,
      })),
      expectAnswer: assign(({ context }) => ({
        dueAt: context.clock.now() + context.policy.answerTimeoutMs,
      })),
      expectAck: assign(({ context }) => ({ dueAt: dueFrom(context) })),
    },
  })

  return machine.createMachine({
    id: 'delivery',
    context: ({ input }) => ({ ...input, dueAt: 0 }),
    invoke: { src: 'channel', id: 'channel', input: ({ context }) => context },
    initial: 'offline',
    states: {
      offline: { on: { 'connection.opened': 'online' } },

      online: {
        entry: 'openChannel',
        exit: 'closeChannel',
        on: { 'connection.dropped': 'offline', 'server.greeted': '.resuming' },
        initial: 'deciding',
        states: {
          deciding: {
            always: [{ guard: 'isKnownPlain', target: 'plain' }, { target: 'greeting' }],
          },

          greeting: {
            entry: 'expectGreeting',
            after: {
              greetingTimeout: [
                // The greeting may be waiting to be read.
                { guard: 'firedLate', target: 'greeting', reenter: true },
                { target: 'plain', actions: 'notePlain' },
              ],
            },
            on: { 'server.plain': { target: 'plain', actions: 'notePlain' } },
          },

          plain: {
            entry: 'openPlainLine',
            exit: 'hold',
            on: { 'outbox.acquired': { target: 'plain', reenter: true } },
          },

          resuming: {
            entry: ['noteDelivery', 'expectAnswer', 'resume'],
            after: {
              answerTimeout: [
                // What the server said may be waiting to be read.
                { guard: 'firedLate', target: 'resuming', reenter: true },
                { actions: 'giveUp' },
              ],
            },
            on: {
              'server.stands': 'live',
              'server.draining': 'draining',
              'outbox.acquired': { target: 'resuming', reenter: true },
            },
          },

          live: {
            entry: 'openLine',
            exit: 'hold',
            on: {
              'gap.found': 'resuming',
              'outbox.acquired': 'resuming',
              'server.draining': 'draining',
            },
            initial: 'quiet',
            states: {
              quiet: {
                entry: 'rest',
                on: { 'outbox.transmitted': 'awaitingAck' },
              },
              awaitingAck: {
                entry: 'expectAck',
                after: {
                  answerTimeout: [
                    { guard: 'firedLate', target: 'awaitingLateAck' },
                    { guard: 'isOverdue', actions: 'giveUp' },
                    { guard: 'isOnItsWay', target: 'awaitingAck', reenter: true },
                    { target: 'quiet' },
                  ],
                },
              },
              awaitingLateAck: {
                entry: 'expectAnswer',
                after: {
                  answerTimeout: [
                    { guard: 'isOverdue', actions: 'giveUp' },
                    { guard: 'isOnItsWay', target: 'awaitingAck' },
                    { target: 'quiet' },
                  ],
                },
              },
            },
          },

          // Acknowledgements still come; nothing new goes out.
          draining: {
            entry: 'expectAnswer',
            after: {
              answerTimeout: [
                { guard: 'firedLate', target: 'draining', reenter: true },
                { actions: 'giveUp' },
              ],
            },
          },
        },
      },
    },
  })
}

// Nothing on its way is never overdue.
function dueFrom({ clock, oldestSentAt, policy }: DeliveryContext): number {
  return (oldestSentAt() ?? clock.now() + 1) + policy.answerTimeoutMs
}
