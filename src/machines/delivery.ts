/*
 * The delivery machine. `quiet`, `awaitingAck` and `awaitingLateAck` are states inside `live`.
 *
 *   offline ──connection.opened──▶ deciding ──the address is known as plain──▶ plain
 *                                      └──else──▶ greeting
 *   greeting ──greetingTimeout, server.plain──▶ plain
 *   any online state ──server.greeted──▶ resuming
 *   resuming ──server.answered──▶ live
 *   live ──gap.found, outbox.acquired──▶ resuming
 *   resuming ──outbox.opened, outbox.acquired──▶ resuming
 *   resuming, live ──server.draining──▶ draining
 *
 *   quiet ──outbox.transmitted──▶ awaitingAck ──answerTimeout, nothing on its way──▶ quiet
 *   awaitingAck ──answerTimeout fired late──▶ awaitingLateAck ──answerTimeout──▶ awaitingAck, quiet
 *
 *   any online state ──connection.dropped──▶ offline
 *   An answer that is overdue in resuming, live or draining abandons the connection.
 */
import { assign, setup, type StateValue } from 'xstate'
import { type Clock, clampDelay, LATE_TIMER_MS } from '../base/clock.js'
import { createOutboxMachine, type OutboxActions } from './outbox.js'

/** The events of the delivery machine. */
export type DeliveryEvent =
  | { readonly type: 'connection.opened' }
  | { readonly type: 'connection.dropped' }
  /** The server sent `$hello`. */
  | { readonly type: 'server.greeted' }
  /** The server's first frame was not `$hello`: it has no delivery. */
  | { readonly type: 'server.plain' }
  /** The server answered the last `$resume`. */
  | { readonly type: 'server.answered' }
  | { readonly type: 'server.draining' }
  /** A numbered message is missing. */
  | { readonly type: 'gap.found' }
  /** The storage of the outbox has answered: the first `$resume` waits for that. */
  | { readonly type: 'outbox.opened' }
  /** This handle owns the outbox now: the server has not heard of it on this connection. */
  | { readonly type: 'outbox.acquired' }
  /** A message is on its way that the server has to acknowledge. */
  | { readonly type: 'outbox.transmitted' }

/** Where a connection stands with delivery. */
export type DeliveryState = 'offline' | 'greeting' | 'plain' | 'resuming' | 'live' | 'draining'

/** What the delivery machine asks for. Every call returns at once, and none throws. */
export interface DeliveryActions {
  /** Hands over the machine's mailbox, once, before any other call. */
  listen(send: (event: DeliveryEvent) => void): void
  /** Called after each event, with the state that it led to. */
  noteState(state: DeliveryState): void
  /** A connection is open: what was said on the one before is forgotten. */
  beginConnection(): void
  endConnection(): void
  /** Sends `$resume`: the position of the cursor, and who owns the outbox. */
  resume(): void
  /** Opens the channel that the server's answer describes. */
  openChannel(): void
  /** Opens the channel to a server without delivery. */
  openPlainChannel(): void
  /** Sends no new messages; acknowledgements are still read. */
  pauseChannel(): void
  /** Asks for one `outbox.transmitted`: at once if messages are on their way, else with the next. */
  watchTransmission(): void
  /** When the oldest message on its way was sent, in the clock's `now`. */
  oldestSentAt(): number | undefined
  /** Whether the server at this address is known to have no delivery. */
  isKnownPlain(): boolean
  /** Remembers whether the server at this address is one without delivery. */
  notePlain(isPlain: boolean): void
  /** Ends the connection as failed: the server's answer is overdue. */
  abandonConnection(): void
}

/** How long delivery waits for a server, in milliseconds. */
export interface DeliveryPolicy {
  /** For `$hello`; after it the server is treated as one without delivery. */
  readonly greetingMs: number
  /** For an answer or an acknowledgement. */
  readonly answerTimeoutMs: number
}

/** What the delivery machine needs. The actor system runs on the same clock. */
export interface DeliveryInput {
  readonly actions: DeliveryActions
  /** For the outbox machine, which runs as a child of this one. */
  readonly outbox: OutboxActions
  readonly clock: Clock
  readonly policy: DeliveryPolicy
}

/** The delivery machine's memory. */
export interface DeliveryContext extends DeliveryInput {
  /** When the answer is due, in monotonic milliseconds. */
  readonly dueAt: number
}

let deliveryMachine: ReturnType<typeof makeDeliveryMachine> | undefined

/**
 * Makes the machine that finds out, on each connection, whether the server has delivery, resumes
 * where the last connection ended, and abandons a connection whose answer is overdue. No message
 * passes through it. docs/protocol.md lists the frames. Made on first use; all clients share it.
 */
export function createDeliveryMachine(): ReturnType<typeof makeDeliveryMachine> {
  deliveryMachine ??= makeDeliveryMachine()
  return deliveryMachine
}

/** The public state, derived from the machine's. */
function readState(value: StateValue): DeliveryState {
  const { online } = value as { readonly online?: StateValue }
  if (typeof online === 'object') return 'live'
  switch (online) {
    case 'greeting':
    case 'plain':
    case 'resuming':
    case 'draining':
      return online
    default:
      return 'offline'
  }
}

/** The action that calls a method without arguments. */
function ask(name: Exclude<keyof DeliveryActions, 'listen' | 'noteState' | 'notePlain'>) {
  return ({ context }: { readonly context: DeliveryContext }): void => {
    context.actions[name]()
  }
}

function makeDeliveryMachine() {
  return setup({
    types: {
      context: {} as DeliveryContext,
      events: {} as DeliveryEvent,
      input: {} as DeliveryInput,
    },
    actors: { outbox: createOutboxMachine() },
    delays: {
      greetingTimeout: ({ context }) => context.policy.greetingMs,
      answerTimeout: ({ context }) => clampDelay(context.dueAt - context.clock.now()),
    },
    guards: {
      isKnownPlain: ({ context }) => context.actions.isKnownPlain(),
      firedLate: ({ context }) => context.clock.now() - context.dueAt > LATE_TIMER_MS,
      isOverdue: ({ context }) => context.clock.now() >= ackDueAt(context),
      isOnItsWay: ({ context }) => context.actions.oldestSentAt() !== undefined,
    },
    actions: {
      listen: ({ context: { actions }, self }) => {
        actions.listen((event) => self.send(event))
        self.subscribe(({ value }) => actions.noteState(readState(value)))
      },
      notePlain: ({ context }) => context.actions.notePlain(true),
      noteDelivery: ({ context }) => context.actions.notePlain(false),
      expectGreeting: assign(({ context }) => ({
        dueAt: context.clock.now() + context.policy.greetingMs,
      })),
      expectAnswer: assign(({ context }) => ({
        dueAt: context.clock.now() + context.policy.answerTimeoutMs,
      })),
      expectAck: assign(({ context }) => ({ dueAt: ackDueAt(context) })),
    },
  }).createMachine({
    id: 'delivery',
    context: ({ input }) => ({ ...input, dueAt: 0 }),
    entry: 'listen',
    invoke: {
      src: 'outbox',
      id: 'outbox',
      input: ({ context: { outbox, clock } }) => ({ actions: outbox, clock }),
    },
    initial: 'offline',
    states: {
      offline: { on: { 'connection.opened': 'online' } },

      online: {
        entry: ask('beginConnection'),
        exit: ask('endConnection'),
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
                // The device slept: the greeting may have arrived and not been read yet.
                { guard: 'firedLate', target: 'greeting', reenter: true },
                { target: 'plain', actions: 'notePlain' },
              ],
            },
            on: { 'server.plain': { target: 'plain', actions: 'notePlain' } },
          },

          plain: {
            entry: ask('openPlainChannel'),
            exit: ask('pauseChannel'),
            on: { 'outbox.acquired': { target: 'plain', reenter: true } },
          },

          resuming: {
            entry: ['noteDelivery', 'expectAnswer', ask('resume')],
            after: {
              answerTimeout: [
                // The device slept: the answer may have arrived and not been read yet.
                { guard: 'firedLate', target: 'resuming', reenter: true },
                { actions: ask('abandonConnection') },
              ],
            },
            on: {
              'server.answered': 'live',
              'server.draining': 'draining',
              'outbox.opened': { target: 'resuming', reenter: true },
              'outbox.acquired': { target: 'resuming', reenter: true },
            },
          },

          live: {
            entry: ask('openChannel'),
            exit: ask('pauseChannel'),
            on: {
              'gap.found': 'resuming',
              'outbox.acquired': 'resuming',
              'server.draining': 'draining',
            },
            initial: 'quiet',
            states: {
              quiet: {
                entry: ask('watchTransmission'),
                on: { 'outbox.transmitted': 'awaitingAck' },
              },
              awaitingAck: {
                entry: 'expectAck',
                after: {
                  answerTimeout: [
                    { guard: 'firedLate', target: 'awaitingLateAck' },
                    { guard: 'isOverdue', actions: ask('abandonConnection') },
                    { guard: 'isOnItsWay', target: 'awaitingAck', reenter: true },
                    { target: 'quiet' },
                  ],
                },
              },
              awaitingLateAck: {
                entry: 'expectAnswer',
                after: {
                  answerTimeout: [
                    { guard: 'isOverdue', actions: ask('abandonConnection') },
                    { guard: 'isOnItsWay', target: 'awaitingAck' },
                    { target: 'quiet' },
                  ],
                },
              },
            },
          },

          // Acknowledgements are still read; no new message is sent.
          draining: {
            entry: 'expectAnswer',
            after: {
              answerTimeout: [
                { guard: 'firedLate', target: 'draining', reenter: true },
                { actions: ask('abandonConnection') },
              ],
            },
          },
        },
      },
    },
  })
}

/** When the oldest message on its way has to be acknowledged. Without one nothing is overdue. */
function ackDueAt({ clock, actions, policy }: DeliveryContext): number {
  return (actions.oldestSentAt() ?? clock.now()) + policy.answerTimeoutMs
}
