// The connection. An arrow is labelled with the event or delay that it is taken on.
//
//    disconnected ---connect---> connecting ---socket.opened---> connected
//         ^                       |   ^                           |   ^
//         |                       |   | reconnect (from any       |   |
//     disconnect    socket.closed |   | but disconnected)         |   | socket.opened
//     (from any)                  v   |                           |   |
//         |      +-- reconnecting -----------------+ socket.closed|   |
//         +------|  waiting ---retryWait---------> |<-------------+   |
//                |     ^    hurried (see below)  attempting ----------+
//                |     +------ socket.closed ------|
//                +---------------------------------+
//
//    socket.closed where no retry helps: connecting, connected and attempting go to failed
//    failed ---connect, reconnect---> connecting
//
//    connected has two regions:
//      liveness   deciding ---> unwatched, where the protocol has no heartbeat; otherwise ---> idle
//                 idle ---pingDue, environment.*---> awaitingPong ---socket.ponged---> idle
//                 awaitingPong ---pongTimeout---> socket.closed; where the timer was late,
//                 awaitingPong again, up to three times in a row
//      stability  settling ---settled---> settled, which resets the count of attempts
//
//    hurried: connect, environment.online, .visible and .woke bring the attempt forward, but never
//    two of them within hurryIntervalMs. connectTimeout in connecting and attempting raises
//    socket.closed.
import { assign, raise, sendTo, setup } from 'xstate'
import { clampDelay } from '../../base/clock.js'
import type { ConnectionFailure } from '../../transport/failure.js'
import type { LinkEvent } from '../../transport/link.js'
import { environmentActor, linkActor } from './actors.js'
import {
  bringForward,
  type ConnectionContext,
  type ConnectionEvent,
  type ConnectionInput,
  createContext,
  hurriedRetryAt,
  noteFinalError,
  scheduleRetry,
} from './context.js'
import type { ConnectionPolicy } from './policy.js'
import { decide, freshHistory } from './verdict.js'

// A throttled tab's timers are always late, and the peer answers the ping all the same. Three late
// timers in a row are forgiven; the next one ends the connection.
const MOST_LATE_TIMERS = 3

function makeConnectionMachine() {
  const machine = setup({
    types: {
      context: {} as ConnectionContext,
      events: {} as ConnectionEvent,
      input: {} as ConnectionInput,
    },
    actors: { link: linkActor, environment: environmentActor },
    delays: {
      connectTimeout: ({ context }) => context.policy.connectTimeoutMs,
      retryWait: ({ context }) => clampDelay(context.retryAt - context.clock.now()),
      pingDue: ({ context }) => clampDelay(context.nextPingAt - context.clock.now()),
      pongTimeout: ({ context }) => context.policy.pongTimeoutMs,
      settled: ({ context }) => context.policy.settleMs,
    },
    guards: {
      isCurrent: ({ context, event }) =>
        'generation' in event && event.generation === context.generation,
      closedForGood: ({ context, event }) =>
        event.type === 'socket.closed' &&
        event.generation === context.generation &&
        decide(context.history, event.failure, context.policy).next === 'fail',
      firedLate: ({ context }) =>
        context.lateTimers < MOST_LATE_TIMERS &&
        context.clock.now() - context.pongDueAt > context.policy.lateTimerMs,
      hasNoHeartbeat: ({ context }) => context.policy.pingIntervalMs === Number.POSITIVE_INFINITY,
      mayAttemptNow: ({ context, event }) => hurriedRetryAt(context, event) <= context.clock.now(),
      comesSooner: ({ context, event }) => hurriedRetryAt(context, event) < context.retryAt,
    },
    actions: {
      watchEnvironment: sendTo('environment', { type: 'watch' }),
      unwatchEnvironment: sendTo('environment', { type: 'unwatch' }),
      openSocket: sendTo('link', ({ context }) => ({
        type: 'socket.open',
        generation: context.generation,
        attempt: context.history.attempt,
        refused: context.history.wasRefused,
      })),
      releaseSocket: sendTo('link', ({ context: { generation } }) => ({
        type: 'socket.release',
        generation,
      })),
      ping: sendTo('link', ({ context: { generation } }) => ({ type: 'socket.ping', generation })),
      startAfresh: assign({ history: freshHistory, failure: undefined, error: undefined }),
      beginAttempt: assign(({ context }) => ({
        generation: context.generation + 1,
        hurriedAt: context.history.isHurried ? context.clock.now() : context.hurriedAt,
      })),
      noteOpened: assign(({ context }) => ({
        history: { ...context.history, isHurried: false },
        openedEpochMs: context.clock.epoch(),
        nextPingAt: context.clock.now() + context.policy.pingIntervalMs,
        lateTimers: 0,
      })),
      noteSettled: assign({ history: freshHistory, failure: undefined }),
      failConnect: raise(({ context }) => closedBy(context, connectTimedOut(context.policy))),
      failPong: raise(({ context }) => closedBy(context, pongTimedOut(context.policy))),
      scheduleRetry: assign(({ context, event }) =>
        event.type === 'socket.closed' ? scheduleRetry(context, event.failure) : {},
      ),
      noteFinalError: assign(({ context, event }) =>
        event.type === 'socket.closed' ? noteFinalError(context, event.failure) : {},
      ),
      bringForward: assign(({ context, event }) => bringForward(context, event)),
      takeSlot: assign(({ context }) => ({
        nextPingAt: context.nextPingAt + context.policy.pingIntervalMs,
      })),
      skipPassedSlots: assign(({ context }) => ({ nextPingAt: nextSlot(context) })),
      awaitPong: assign(({ context }) => ({
        pongDueAt: context.clock.now() + context.policy.pongTimeoutMs,
      })),
      countLateTimer: assign(({ context }) => ({ lateTimers: context.lateTimers + 1 })),
      forgetLateTimers: assign({ lateTimers: 0 }),
    },
  })

  // Every end of a connection arrives as this one event, whoever noticed it.
  const onSocketClosed = [
    { guard: 'closedForGood', target: '#failed', actions: 'noteFinalError' },
    { guard: 'isCurrent', target: '#reconnecting', actions: 'scheduleRetry' },
  ] as const
  // An attempt that may begin now does not pass through `waiting`: a hidden tab's timer can be late.
  const onHurry = [
    { guard: 'mayAttemptNow', target: 'attempting', actions: 'bringForward' },
    { guard: 'comesSooner', target: 'waiting', reenter: true, actions: 'bringForward' },
  ] as const

  return machine.createMachine({
    id: 'connection',
    context: ({ input }) => createContext(input),
    invoke: [
      { src: 'link', id: 'link', input: ({ context }) => context.link },
      { src: 'environment', id: 'environment', input: ({ context }) => context },
    ],
    initial: 'disconnected',
    states: {
      disconnected: {
        entry: ['releaseSocket', 'unwatchEnvironment'],
        on: { connect: 'connecting' },
      },

      connecting: {
        entry: ['startAfresh', 'beginAttempt', 'watchEnvironment', 'openSocket'],
        after: { connectTimeout: { actions: 'failConnect' } },
        on: {
          disconnect: 'disconnected',
          reconnect: { target: 'connecting', reenter: true },
          'socket.opened': { guard: 'isCurrent', target: 'connected' },
          'socket.closed': onSocketClosed,
        },
      },

      connected: {
        entry: 'noteOpened',
        on: {
          disconnect: 'disconnected',
          reconnect: 'connecting',
          'socket.closed': onSocketClosed,
        },
        type: 'parallel',
        states: {
          liveness: {
            initial: 'deciding',
            states: {
              deciding: {
                always: [{ guard: 'hasNoHeartbeat', target: 'unwatched' }, { target: 'idle' }],
              },
              unwatched: {},
              idle: {
                entry: 'skipPassedSlots',
                after: { pingDue: { target: 'awaitingPong', actions: 'takeSlot' } },
                on: {
                  'environment.online': 'awaitingPong',
                  'environment.offline': 'awaitingPong',
                  'environment.visible': 'awaitingPong',
                  'environment.woke': 'awaitingPong',
                },
              },
              awaitingPong: {
                entry: ['awaitPong', 'ping'],
                after: {
                  pongTimeout: [
                    {
                      guard: 'firedLate',
                      target: 'awaitingPong',
                      reenter: true,
                      actions: 'countLateTimer',
                    },
                    { actions: 'failPong' },
                  ],
                },
                on: {
                  'socket.ponged': {
                    guard: 'isCurrent',
                    target: 'idle',
                    actions: 'forgetLateTimers',
                  },
                },
              },
            },
          },
          stability: {
            initial: 'settling',
            states: {
              settling: { after: { settled: { target: 'settled', actions: 'noteSettled' } } },
              settled: {},
            },
          },
        },
      },

      reconnecting: {
        id: 'reconnecting',
        entry: 'releaseSocket',
        on: { disconnect: 'disconnected', reconnect: 'connecting' },
        initial: 'waiting',
        states: {
          waiting: {
            after: { retryWait: 'attempting' },
            on: {
              connect: onHurry,
              'environment.online': onHurry,
              'environment.visible': onHurry,
              'environment.woke': onHurry,
            },
          },
          attempting: {
            entry: ['beginAttempt', 'openSocket'],
            after: { connectTimeout: { actions: 'failConnect' } },
            on: {
              'socket.opened': { guard: 'isCurrent', target: '#connection.connected' },
              'socket.closed': onSocketClosed,
            },
          },
        },
      },

      failed: {
        id: 'failed',
        entry: ['releaseSocket', 'unwatchEnvironment'],
        on: { connect: 'connecting', reconnect: 'connecting', disconnect: 'disconnected' },
      },
    },
  })
}

/** The machine that {@link createConnectionMachine} gives. */
export type ConnectionMachine = ReturnType<typeof makeConnectionMachine>

let connectionMachine: ConnectionMachine | undefined

/**
 * Gives the machine that decides when to connect, to ping, to wait and to give up. It opens no
 * socket itself (the link does), and no message passes through it. The machine is made on the
 * first call.
 *
 * To be invoked by a client or by a machine of your own; `getConnectionStatus` reads its state.
 *
 * Closing follows RFC 6455. The rules are CONN, LIVE and BACK in docs/spec.md.
 */
export function createConnectionMachine(): ConnectionMachine {
  connectionMachine ??= makeConnectionMachine()
  return connectionMachine
}

function closedBy({ generation }: ConnectionContext, failure: ConnectionFailure): LinkEvent {
  return { type: 'socket.closed', generation, failure }
}

function connectTimedOut({ connectTimeoutMs: afterMs }: ConnectionPolicy): ConnectionFailure {
  return { code: 'connect-timeout', afterMs, message: `Not connected within ${afterMs} ms.` }
}

function pongTimedOut({ pongTimeoutMs: afterMs }: ConnectionPolicy): ConnectionFailure {
  return { code: 'pong-timeout', afterMs, message: `No sign of life within ${afterMs} ms.` }
}

// Pings are due on a grid that starts when the connection opens. A slot that passed while timers
// slept, or while a pong was awaited, is skipped.
function nextSlot({ clock, nextPingAt, policy }: ConnectionContext): number {
  const passed = Math.floor((clock.now() - nextPingAt) / policy.pingIntervalMs) + 1
  return nextPingAt + Math.max(0, passed) * policy.pingIntervalMs
}
